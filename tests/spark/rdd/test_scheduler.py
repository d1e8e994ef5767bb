"""The scheduler on a pool whose events come as they may on a cluster: two at once, and from slots that were ended."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

from smackbox.spark.rdd.lineage import Node
from smackbox.spark.rdd.pool import Answered, Event
from smackbox.spark.rdd.scheduler import Scheduler
from smackbox.spark.rdd.task_set import TaskLimits


class Clock:
    now_ms = 0

    def monotonic_ms(self) -> int:
        return self.now_ms

    def wall_ms(self) -> int:
        return self.now_ms


class FakeSlot:
    stage_id: int | None = None

    def __init__(self, number: int, agent: str) -> None:
        self.number = self.executor = number
        self.agent, self.hosts = agent, frozenset({agent})
        self.tasks: list[int] = []

    def send(self, message: tuple[Any, ...]) -> None:
        if message[0] == "task":
            self.tasks.append(message[1])


class FakePool:
    """Time passes when nothing happens; the first task to be copied answers from both slots in one poll."""

    is_growing = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.first, self.second = FakeSlot(0, "a"), FakeSlot(1, "b")
        self.slots = {0: self.first, 1: self.second}
        self.killed: list[int] = []
        self.answered = False

    def poll(self, timeout_s: float) -> list[Event]:
        self.clock.now_ms += 1_000
        if self.clock.now_ms == 1_000:
            return [_done(self.second, "quick")]
        if self.first.tasks[-1:] == self.second.tasks[-1:] and not self.answered:
            self.answered = True
            return [_done(self.first, "slow"), _done(self.second, "copy")]
        assert self.clock.now_ms < 60_000, "the job does not end"
        return []

    def kill(self, slot: Any) -> None:
        self.killed.append(slot.number)
        self.slots.pop(slot.number, None)

    def want(self, tasks: int, hosts: frozenset[str]) -> None: ...


class Rows(Node):
    def compute(self, index: int, task: Any) -> Iterable[Any]:
        return []


def _done(slot: Any, value: str) -> Answered:
    return Answered(slot, ("done", pickle.dumps(value), pickle.dumps({}), []))


def test_two_copies_of_a_task_that_end_at_once_count_once() -> None:
    clock = Clock()
    pool = FakePool(clock)
    limits = TaskLimits(speculation=True, speculation_quantile=0.5)
    scheduler = Scheduler(pool, limits, clock=clock)  # type: ignore[arg-type]
    assert scheduler.run(Rows(0, 2), lambda _index, _rows: None, [0, 1], {}) == ["slow", "quick"]
    assert pool.killed == [1]
