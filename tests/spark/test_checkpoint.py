"""The checkpoint: what a commit holds together, plans, and generations of identities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.inputs.input import Done


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], Checkpoint]]:
    open_ones: list[Checkpoint] = []

    def make() -> Checkpoint:
        for one in open_ones:
            one.close()
        open_ones[:] = [Checkpoint.open(tmp_path / "cp", stream="s", topic="t", unique_horizon=3, sync=True)]
        return open_ones[0]

    yield make
    for one in open_ones:
        one.close()


def test_a_fresh_checkpoint_has_nothing(reopen: Callable[[], Checkpoint]) -> None:
    checkpoint = reopen()
    assert (checkpoint.last_batch, checkpoint.offsets, checkpoint.plan()) == (0, {}, None)
    assert checkpoint.seen([b"x"]) == [False]
    assert checkpoint.totals([b"x"]) == [None]
    assert checkpoint.seen([]) == checkpoint.totals([]) == []


def test_a_plan_is_there_until_its_commit(reopen: Callable[[], Checkpoint]) -> None:
    plan = reopen().write_plan({0: (0, 5), 1: (3, 4)}, now_us=1000, rows=6)
    assert plan == Plan(1, {0: (0, 5), 1: (3, 4)}, 1000, now_ms=1)
    assert reopen().plan() == plan
    checkpoint = reopen()
    checkpoint.commit(plan, {0: 5, 1: 4}, {b"key": b"total"}, [b"id"])
    for reopened in (False, True):
        again = reopen() if reopened else checkpoint
        assert again.plan() is None
        assert (again.last_batch, again.offsets) == (1, {0: 5, 1: 4})
        assert again.totals([b"key", b"other"]) == [b"total", None]
        assert again.seen([b"id", b"other"]) == [True, False]


def test_a_timestamp_is_later_than_every_one_before(reopen: Callable[[], Checkpoint]) -> None:
    first = reopen().write_plan({}, now_us=1000, rows=10)
    again = reopen().write_plan({}, now_us=500, rows=10)
    assert again.batch == first.batch
    assert again.timestamp_us > first.timestamp_us + 10 - 1
    assert again.now_ms == first.now_ms, "the processing time of a repeat is the first one's"
    assert reopen().write_plan({}, now_us=10**6, rows=1).timestamp_us == 10**6


def test_a_repeat_knows_when_the_stream_was_started_that_planned_it(reopen: Callable[[], Checkpoint]) -> None:
    checkpoint = reopen()
    checkpoint.began_ms = 7
    assert checkpoint.write_plan({}, now_us=10_000, rows=1).since_ms == 7
    again = reopen()
    again.began_ms = 20
    plan = again.write_plan({}, now_us=30_000, rows=1)
    assert (plan.now_ms, plan.since_ms) == (10, 7)
    again.commit(plan, {}, {}, [])
    assert again.write_plan({}, now_us=30_000, rows=1).since_ms == 20


def test_offsets_of_partitions_without_records_stay(reopen: Callable[[], Checkpoint]) -> None:
    checkpoint = reopen()
    for offsets in ({0: 1, 1: 1}, {1: 2}):
        checkpoint.commit(checkpoint.write_plan({}, 0, 1), offsets, {}, [])
    assert reopen().offsets == {0: 1, 1: 2}


def test_identities_last_for_the_horizon_at_least_and_are_deleted_later(reopen: Callable[[], Checkpoint]) -> None:
    checkpoint = reopen()
    identities = [b"%d" % number for number in range(12)]
    for number, identity in enumerate(identities):
        checkpoint.commit(checkpoint.write_plan({}, 0, 1), {}, {}, [identity])
        kept = checkpoint.seen(identities[: number + 1])
        assert all(kept[-3:])
        assert sum(kept) <= 6
    assert len(list(checkpoint._store.items(family="seen"))) <= 6


def test_sources_states_items_and_the_flow_are_committed_together(reopen: Callable[[], Checkpoint]) -> None:
    checkpoint = reopen()
    checkpoint.save_inputs({"files": {"row": 0}})
    view = checkpoint.flow_state()
    view.put(b"a", b"1")
    view.put(b"b", b"2")
    plan = checkpoint.write_plan({}, 1, 1, {"files": [["x", 0, 5]]})
    assert reopen().plan() == plan
    checkpoint = reopen()
    assert checkpoint.inputs == {"files": {"row": 0}}
    checkpoint.commit(plan, {}, {}, [], {"files": Done({"row": 5}, [b"x"])}, view.changes)
    checkpoint = reopen()
    assert checkpoint.inputs == {"files": {"row": 5}}
    assert checkpoint.taken("files", [b"x", b"y"]) == [True, False]
    assert checkpoint.taken("other", [b"x"]) == [False]
    view = checkpoint.flow_state()
    assert view.get_many([b"a", b"c", b"b"]) == [b"1", None, b"2"]
    assert list(view.items(b"a", b"b")) == [(b"a", b"1")]
    view.delete(b"a")
    plan = checkpoint.write_plan({}, 2, 1)
    checkpoint.commit(plan, {}, {}, [], None, view.changes)
    assert reopen().flow_state().get(b"a") is None


def test_a_checkpoint_keeps_its_id(reopen: Callable[[], Checkpoint], tmp_path: Path) -> None:
    first = reopen().id
    assert len(first) == 12
    assert reopen().id == first
    other = Checkpoint.open(tmp_path / "other", stream="s", topic="t", unique_horizon=3, sync=False)
    assert other.id != first
    other.close()
