"""The whole chain while its processes are killed: every total exact, every event that got a 202 present once.

20,000 real flights go over HTTP into the flights application. On the way each process (broker, store, endpoint, both
streams) is killed with SIGKILL, twice, at points drawn by chance; the supervisor starts it again. The client sends a
body again when it gets no answer, as clients do, so the log holds events twice and the totals must not.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"

EVENTS = 20_000
LINES_A_POST = 40
KILLS_A_PROCESS = 1
PROCESSES = ("kafka", "cassandra", "ingest", "departures_to_departure", "totals")


@pytest.fixture
def flights(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The demo's module: its posting, waiting and checking."""
    monkeypatch.syspath_prepend(FLIGHTS)
    yield importlib.import_module("demo")
    for name in ("demo", "data", "post"):
        sys.modules.pop(name, None)


def kill(directory: Path, name: str) -> bool:
    """SIGKILL the process of that name; False where it is between two lives."""
    state = json.loads((directory / "run" / "flights.json").read_text())
    pid = next(one["pid"] for one in state["processes"] if one["name"] == name)
    if not pid:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself, which is not written down yet
        return False
    return True


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("chain")
def test_totals_are_exact_while_every_process_is_killed(flights: ModuleType, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    due = sorted((chance.randrange(EVENTS // LINES_A_POST), name) for name in PROCESSES * KILLS_A_PROCESS)
    totals = flights.data.Totals()
    killed: list[str] = []

    def lines() -> Iterator[bytes]:
        for row in flights.data.rows(EVENTS):
            totals.count(row)
            yield flights.data.event(row)

    def bodies() -> Iterator[bytes]:
        for number, chunk in enumerate(flights.chunks(lines(), LINES_A_POST)):
            while due and due[0][0] <= number and kill(tmp_path, due[0][1]):
                killed.append(due.pop(0)[1])
            yield b"\n".join(chunk)

    with flights.running_app(tmp_path) as (urls, _):
        outcome = flights.post_all(urls["ingest"] + "/departures", bodies(), connections=4)
        assert (outcome.accepted, outcome.refused) == (EVENTS, [])
        while due:
            if kill(tmp_path, due[0][1]):
                killed.append(due.pop(0)[1])
        flights.wait_for_streams(urls["kafka"], flights.GROUPS)
        with flights.cql(urls["cassandra"]) as session:
            differences = flights.check_tables(session, totals)
    assert sorted(killed) == sorted(PROCESSES * KILLS_A_PROCESS)
    assert differences == []
