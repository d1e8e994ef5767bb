"""Streams of a wrong type are errors that mypy finds; right ones are none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio

from smackbox import akka
from smackbox.akka.stream import Flow, Keep, RunnableGraph, Sink, Source


def doubled(source: Source[int, None]) -> Source[str, None]:
    return source.map(lambda x: str(2 * x)).filter(lambda text: text.isdigit())


async def later(x: int) -> str:
    return str(x)


async def main(system: akka.ActorSystem) -> None:
    numbers: Source[int, None] = Source.range(1, 9)
    texts: Source[str, None] = numbers.map_async(4, later)
    wrong: Source[int, None] = numbers.map_async(4, later)  # wrong
    numbers.map(lambda x: x.upper())  # wrong
    total: int = await numbers.run_fold(0, lambda a, x: a + x, system)
    text: str = await numbers.run_fold(0, lambda a, x: a + x, system)  # wrong
    length: Flow[str, int, None] = Flow.of(str).map(len)
    lengths: Source[int, None] = texts.via(length)
    numbers.via(length)  # wrong
    add: Sink[int, asyncio.Future[int]] = Sink.fold(0, lambda a, x: a + x)
    graph: RunnableGraph[asyncio.Future[int]] = numbers.to_mat(add, Keep.right)
    texts.to_mat(add, Keep.right)  # wrong
    numbers.zip(texts).map(lambda pair: pair[0] + 1)
    numbers.zip(texts).map(lambda pair: pair[1] + 1)  # wrong
    numbers.merge(texts)  # wrong
    groups: Source[list[int], None] = numbers.grouped(3)
    sums: Source[int, None] = numbers.group_by(3, lambda x: x % 3).reduce(lambda a, b: a + b).merge_substreams()
    ends: Sink[str, asyncio.Future[int]] = length.to_mat(add, Keep.right)
    bad: Sink[int, asyncio.Future[int]] = length.to_mat(add, Keep.right)  # wrong
    found: list[str] = await doubled(numbers).run_list(system)
    other: list[int] = await doubled(numbers).run_list(system)  # wrong
"""


def test_mypy_finds_streams_of_wrong_types(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]
    done = subprocess.run(
        [*command, "--cache-dir", str(ROOT / ".mypy_cache"), str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    expected = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}
    assert found == expected, done.stdout + done.stderr
