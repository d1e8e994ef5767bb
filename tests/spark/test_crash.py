"""`kill -9` of the runner between any two steps: every total is exact, every event is in the table once."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.kills import run_killed

STEPS = ["planned", "writing", "written", "committed"]
ROWS = 2_000
REPEATED = 200
PROCESS_TIMEOUT_S = 60


def run(topic: Any, directory: Path, kind: str, kill: str) -> int:
    where = (topic.kafka, topic.name, str(directory / "checkpoint"), str(directory / "table"))
    arguments = (*where, kind, str(ROWS + REPEATED), kill)
    return run_killed("tests.spark.stream_process", *arguments, timeout_s=PROCESS_TIMEOUT_S)


def fill(streams: Any, topic: Any) -> list[Any]:
    """Events, of which every tenth comes again at the end, as a sender repeats what it got no answer for."""
    events = [streams.event(number) for number in range(ROWS)]
    topic.put(*events)
    topic.put(*events[:: ROWS // REPEATED])
    return events


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_copy_is_complete_after_a_kill(streams: Any, make_topic: Any, tmp_path: Path, step: str, times: int) -> None:
    topic = make_topic(3)
    events = fill(streams, topic)
    assert run(topic, tmp_path, "copy", f"{step}:{times}") == -signal.SIGKILL
    assert run(topic, tmp_path, "copy", "none:0") == 0
    template = streams.event_table()
    table = streams.FileTable(tmp_path / "table", template.key_types, template.value_types).load()
    assert table.rows == {str(e.id): (e.campaign, e.type, e.amount) for e in events}


def test_totals_are_exact_after_a_kill_at_each_step(streams: Any, make_topic: Any, tmp_path: Path) -> None:
    topic = make_topic(3)
    events = fill(streams, topic)
    for step in STEPS:
        assert run(topic, tmp_path, "totals", f"{step}:2") == -signal.SIGKILL
    assert run(topic, tmp_path, "totals", "none:0") == 0
    template = streams.total_table()
    table = streams.FileTable(tmp_path / "table", template.key_types, template.value_types).load()
    counts = Counter((e.campaign, e.type) for e in events)
    assert table.rows == {name: (counts[name, "view"], counts[name, "click"]) for name in ("c0", "c1", "c2")}
