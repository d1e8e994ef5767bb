"""`kill -9` under windows, sessions, timers and joins: every row is there once, as a plain model gives it."""

from __future__ import annotations

import json
import random
from collections import Counter as Bag
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.spark.streams.program import (
    FLOW_DELAY_MS,
    FLOW_GAP_MS,
    FLOW_STEP_MS,
    FLOW_WINDOW_MS,
    STEPS,
    Timed,
    run_killed,
)

ROWS = 1_000
KEYS = "abcde"
TRIES = 20
KILLS = [pytest.param(len(STEPS), id="5"), pytest.param(30, id="30", marks=pytest.mark.slow)]
END_MS = 10**9


def events(seed: int) -> list[Timed]:
    """A second apart, in some disorder; then one that closes everything."""
    chance = random.Random(seed)
    made = [
        Timed(number, chance.choice(KEYS), number * 1_000 + chance.randrange(FLOW_DELAY_MS - 1))
        for number in range(ROWS)
    ]
    return [*made, Timed(ROWS, "end", END_MS)]


def windows(left: list[Timed]) -> Bag[Any]:
    """By key and start of the window: how many."""
    counts: Bag[tuple[str, int]] = Bag()
    for event in left:
        first = event.at - event.at % FLOW_STEP_MS - FLOW_WINDOW_MS + FLOW_STEP_MS
        counts.update((event.key, start) for start in range(first, event.at + 1, FLOW_STEP_MS))
    return Bag((key, start, n) for (key, start), n in counts.items())


def sessions(left: list[Timed]) -> Bag[Any]:
    """By key: start and number of each run of events with gaps of at most the limit."""
    found: list[list[Any]] = []
    last: dict[str, int] = {}
    for event in sorted(left, key=lambda event: (event.key, event.at)):
        if event.key in last and event.at <= last[event.key] + FLOW_GAP_MS:
            found[-1][2] += 1
        else:
            found.append([event.key, event.at, 1])
        last[event.key] = event.at
    return Bag(map(tuple, found))


def pairs(left: list[Timed], right: list[Timed]) -> Bag[Any]:
    """Each event with each partner of its key that is near enough, or alone."""
    found: list[tuple[Any, ...]] = []
    for event in left:
        near = [other.id for other in right if other.key == event.key and abs(other.at - event.at) <= FLOW_GAP_MS]
        found += [(event.key, event.id, number) for number in near] or [(event.key, event.id, None)]
    return Bag(found)


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("kind", ["windows", "sessions", "timers", "joins"])
def test_a_flow_is_exact_while_it_is_killed(
    make_topic: Callable[..., Any], tmp_path: Path, kind: str, kills: int
) -> None:
    sides = [events(seed) for seed in range(2 if kind == "joins" else 1)]
    topics = [make_topic(1) for _ in sides]
    for topic, side in zip(topics, sides, strict=True):
        topic.put(*side)
    out = tmp_path / "out"
    spec = {
        "dir": str(tmp_path),
        "kafka": topics[0].kafka,
        "source": {"kind": "topics", "names": [topic.name for topic in topics]},
        "flow": kind,
        "target": {"kind": "files", "url": str(out)},
        "batch": ROWS // (2 * kills),
    }

    def rows() -> list[dict[str, Any]]:
        return [json.loads(line) for file in sorted(out.glob("batch-*")) for line in file.read_text().splitlines()]

    chance = random.Random(kills)
    killed = sum(
        run_killed(spec, f"{STEPS[number % len(STEPS)]}:{chance.choice((1, 2, 3))}") for number in range(kills)
    )
    assert killed >= min(kills, len(STEPS)) - 1
    left = [event for event in sides[0] if event.key != "end"]
    for _ in range(TRIES):
        assert not run_killed(spec, "none")
        found = [row for row in rows() if row["key"] != "end"]
        if kind == "timers":
            is_whole = sum(row["n"] for row in found) >= len(left)
        else:
            expected = {
                "windows": lambda: windows(left),
                "sessions": lambda: sessions(left),
                "joins": lambda: pairs(left, sides[1]),
            }[kind]()
            is_whole = len(found) >= expected.total()
        if is_whole:
            break
    if kind == "timers":
        assert Bag({key: sum(row["n"] for row in found if row["key"] == key) for key in KEYS}) == Bag(
            event.key for event in left
        )
    else:
        assert Bag((row["key"], row.get("at", row.get("id")), row["n"]) for row in found) == expected
