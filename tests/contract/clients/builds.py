"""Builds the small programs of this folder with their own tools, each once, into `.cache/clients`.

A program whose tool is not here is skipped with a reason; one that does not build fails its test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
CACHE = FOLDER.parents[2] / ".cache" / "clients"
BUILD_TIMEOUT_S = 900
RUN_TIMEOUT_S = 120


def command(name: str) -> list[str]:
    """The command line that runs program `name`, built where it is missing or older than its source."""
    language = name.rpartition("_")[2]
    tool, build = _BUILDS[language]
    if shutil.which(tool) is None:
        pytest.skip(f"there is no {tool} to build {name} with")
    return build(FOLDER / name, CACHE / name)


def run(name: str, *arguments: str) -> str:
    """What the program writes to its standard output. Fails with what it writes to standard error."""
    done = subprocess.run(
        [*command(name), *arguments], capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def _go(source: Path, target: Path) -> list[str]:
    if _stale(source, target):
        _build(["go", "build", "-o", str(target), "."], source)
    return [str(target)]


def _node(source: Path, target: Path) -> list[str]:
    if _stale(source, target / "node_modules"):
        target.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "main.js"):
            shutil.copy(source / file, target)
        _build(["npm", "install", "--silent", "--no-audit", "--no-fund"], target)
        os.utime(target / "node_modules")
    return ["node", str(target / "main.js")]


def _java(source: Path, target: Path) -> list[str]:
    if _stale(source, target / "Main.class"):
        copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        _build([*copy, f"-DoutputDirectory={target / 'libs'}"], source)
        _build(["javac", "-cp", f"{target / 'libs'}/*", "-d", str(target), "Main.java"], source)
    return ["java", "-cp", f"{target}:{target / 'libs'}/*", "Main"]


def _rust(source: Path, target: Path) -> list[str]:
    binary = target / "debug" / source.name
    if _stale(source, binary):
        _build(["cargo", "build", "-q"], source, CARGO_TARGET_DIR=str(target))
    return [str(binary)]


_BUILDS: dict[str, tuple[str, Callable[[Path, Path], list[str]]]] = {
    "go": ("go", _go),
    "node": ("npm", _node),
    "java": ("mvn", _java),
    "rust": ("cargo", _rust),
}


def _stale(source: Path, product: Path) -> bool:
    if not product.exists():
        return True
    return max(file.stat().st_mtime for file in source.rglob("*") if file.is_file()) > product.stat().st_mtime


def _build(arguments: list[str], folder: Path, **environ: str) -> None:
    done = subprocess.run(
        arguments, cwd=folder, env={**os.environ, **environ}, capture_output=True, text=True,
        timeout=BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
