"""Each client in a virtual environment of its own, made once into `.cache/mesos-clients`, on the Python it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[3] / ".cache" / "mesos-clients"
INSTALL_TIMEOUT_S = 300


def python_with(requirement: str, version: str | None = None) -> str:
    """A Python that has `requirement`; skips where there is no such Python, or the package cannot be had."""
    name, _, _ = requirement.partition("==")
    folder = CACHE / name
    python = folder / "bin" / "python"
    if (folder / "installed").exists():
        return str(python)
    base = _find(version)
    if base is None:
        pytest.skip(f"{name} needs Python {version}, which is not here")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for command in ([base, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", requirement]):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S, env=clean())
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"{requirement} cannot be installed: {(error.stderr or b'').decode()[-300:] or error}")
    (folder / "installed").touch()
    return str(python)


def clean() -> dict[str, str]:
    """The environment without what is meant for the Python that runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _find(version: str | None) -> str | None:
    if version is None:
        return shutil.which("python3")
    if (found := shutil.which(f"python{version}")) is not None and _works(found):
        return found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return next((str(one) for one in sorted(pyenv.glob(f"{version}.*/bin/python"))), None)


def _works(python: str) -> bool:
    """pyenv's shims are there also for versions that are not chosen."""
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0
