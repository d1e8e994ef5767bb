"""`kill -9` while actors persist: every acknowledged event is there, once, in order, and has its tag."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from smackbox.akka.persistence.offset import NO_OFFSET
from smackbox.akka.persistence.rocks import RocksPersistence
from tests.akka.persistence import crash_writer
from tests.akka.persistence.tck import Opened, Stores, all_of

LEAST_ACKNOWLEDGED = 40


def _write_and_kill(directory: Path, chance: random.Random) -> dict[str, int]:
    """The highest acknowledged number of each id."""
    command = [sys.executable, crash_writer.__file__, str(directory)]
    acknowledged: dict[str, int] = defaultdict(int)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        wanted = LEAST_ACKNOWLEDGED + chance.randrange(400)
        lines = b""
        while lines.count(b"\n") < wanted or len(_ids(lines)) < crash_writer.ACTORS:
            more = process.stdout.read1(1 << 16)
            assert more, "the writer ended by itself"
            lines += more
        process.kill()
        lines += process.stdout.read()
    for line in lines.splitlines(keepends=True):
        if line.endswith(b"\n"):
            id_, number = line.decode().split()
            acknowledged[id_] = max(acknowledged[id_], int(number))
    return acknowledged


def _ids(lines: bytes) -> set[bytes]:
    return {line.split()[0] for line in lines.splitlines(keepends=True) if line.endswith(b"\n")}


def _check(directory: Path, acknowledged: dict[str, int]) -> dict[str, int]:
    @contextlib.asynccontextmanager
    async def rocks() -> AsyncIterator[Opened]:
        opened = RocksPersistence(directory)
        try:
            yield Opened(opened.journal, opened.snapshots)
        finally:
            opened.close()

    async def work(opened: Opened) -> Any:
        tagged = defaultdict(list)
        for one in await all_of(opened.journal.tag_reader("all", NO_OFFSET)):
            tagged[one.event.persistence_id].append(one.event.sequence_nr)
        highest = {}
        for id_ in await opened.journal.persistence_ids():
            events = [event async for batch in opened.journal.replay(id_) for event in batch]
            numbers = [event.sequence_nr for event in events]
            amounts = [msgspec.json.decode(event.data)["amount"] for event in events]
            assert numbers == list(range(1, len(events) + 1)) == amounts, f"{id_} has gaps or repetitions"
            assert tagged[id_] == numbers
            highest[id_] = len(events)
        return highest

    highest: dict[str, int] = Stores(rocks).run(work)
    for id_, number in acknowledged.items():
        assert highest[id_] >= number, f"event {number} of {id_} was acknowledged, and {highest[id_]} is the last"
    return highest


def _rounds(directory: Path, count: int) -> None:
    chance = random.Random(count)
    before: dict[str, int] = {}
    for _ in range(count):
        highest = _check(directory, _write_and_kill(directory, chance))
        assert len(highest) == crash_writer.ACTORS
        assert all(highest[id_] >= number for id_, number in before.items())
        assert sum(highest.values()) > sum(before.values())
        before = highest


def test_acknowledged_events_survive_kill_9(tmp_path: Path) -> None:
    _rounds(tmp_path / "data", 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_acknowledged_events_survive_100_kills(tmp_path: Path) -> None:
    _rounds(tmp_path / "data", 100)


def test_the_writer_is_found_out_when_it_lies(tmp_path: Path) -> None:
    acknowledged = _write_and_kill(tmp_path / "data", random.Random(1))
    acknowledged["counter|0"] += 1_000_000
    with pytest.raises(AssertionError, match="was acknowledged"):
        _check(tmp_path / "data", acknowledged)
