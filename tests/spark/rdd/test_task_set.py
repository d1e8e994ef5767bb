"""Which task a free slot gets: locality and its wait, failures and their agents, second copies."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from smackbox.spark.rdd.host_names import host_names
from smackbox.spark.rdd.task_set import ANY, HOST, NO_PREFERENCE, SLOT, Preference, TaskLimits, TaskSet

INFINITY = float("inf")


@dataclass(eq=False)
class FakeSlot:
    number: int
    agent: str
    hosts: frozenset[str]
    executor: int = 0
    stage_id: int | None = None

    def send(self, message: tuple[object, ...]) -> None:
        raise AssertionError("a task set sends nothing")


def slots(*agents: str) -> dict[int, FakeSlot]:
    return {number: FakeSlot(number, agent, frozenset({agent})) for number, agent in enumerate(agents)}


def task_set(count: int, preferences: dict[int, Preference] | None = None, **limits: object) -> TaskSet:
    known = preferences or {}
    return TaskSet(
        range(count),
        lambda index: known.get(index, Preference()),
        TaskLimits(**limits),
        0.0,  # type: ignore[arg-type]
    )


def start(tasks: TaskSet, slot: FakeSlot, known: dict[int, FakeSlot], now_s: float = 0.0, *, growing: bool = False):
    run = tasks.next(slot, known, now_s, growing=growing)  # type: ignore[arg-type]
    return None if run is None else (run.index, run.locality)


def test_a_task_goes_to_the_host_of_its_data() -> None:
    known = slots("a", "b")
    tasks = task_set(2, {0: Preference(hosts=("b",)), 1: Preference(hosts=("a",))}, locality_wait_s=3)
    assert start(tasks, known[0], known) == (1, HOST)
    assert start(tasks, known[1], known) == (0, HOST)
    assert not tasks.has_waiting


def test_a_cached_partition_goes_before_a_host() -> None:
    known = slots("a", "a")
    tasks = task_set(2, {0: Preference(hosts=("a",)), 1: Preference(slots=(1,))}, locality_wait_s=3)
    assert start(tasks, known[1], known) == (1, SLOT)
    assert start(tasks, known[0], known) == (0, HOST)


def test_a_slot_elsewhere_waits_for_the_locality_wait() -> None:
    known = slots("a", "b")
    tasks = task_set(2, {0: Preference(hosts=("a",)), 1: Preference(hosts=("a",))}, locality_wait_s=3)
    assert start(tasks, known[1], known, 2.9) is None
    assert tasks.wait_s(2.9) == pytest.approx(0.1)
    assert start(tasks, known[0], known, 2.9) == (0, HOST)
    assert start(tasks, known[1], known, 5.8) is None  # a launch where the data is starts the wait again
    assert tasks.wait_s(5.9) == INFINITY  # the next slot that is free gets it, and nobody has to look before
    assert start(tasks, known[1], known, 5.9) == (1, ANY)


def test_nobody_waits_for_a_host_that_is_not_there() -> None:
    known = slots("a")
    tasks = task_set(1, {0: Preference(hosts=("gone",))}, locality_wait_s=INFINITY)
    assert start(tasks, known[0], known, growing=True) is None
    assert start(tasks, known[0], known) == (0, ANY)


def test_what_a_slot_cached_is_anybodys_when_it_is_gone() -> None:
    known = slots("a", "b")
    tasks = task_set(2, {0: Preference(slots=(0,)), 1: Preference(slots=(1,))})
    del known[0]
    tasks.slot_gone(0)
    assert start(tasks, known[1], known) == (1, SLOT)
    known[2] = FakeSlot(2, "c", frozenset())
    assert start(tasks, known[2], known) == (0, NO_PREFERENCE)


def test_a_task_is_kept_from_the_agent_that_failed_it() -> None:
    known = slots("a", "b")
    tasks = task_set(1)
    start(tasks, known[0], known)
    assert tasks.failed(known[0]) is False  # type: ignore[arg-type]
    assert start(tasks, known[0], known) is None
    assert start(tasks, known[1], known) == (0, ANY)
    tasks.failed(known[1])  # type: ignore[arg-type]
    assert start(tasks, known[0], known) == (0, ANY)  # where all have failed it, any will do


def test_the_fourth_failure_is_one_too_many_and_a_lost_agent_is_none() -> None:
    known = slots("a")
    tasks = task_set(1)
    outcomes = []
    for counts in (True, True, False, True, True):
        start(tasks, known[0], known)
        outcomes.append(tasks.failed(known[0], counts=counts))  # type: ignore[arg-type]
    assert outcomes == [False, False, False, False, True]


def test_a_straggler_gets_one_copy_on_another_agent_and_the_first_counts() -> None:
    known = slots("a", "a", "b", "a")
    tasks = task_set(4, speculation=True)
    for number in range(4):
        start(tasks, known[number], known)
    for number in range(3):
        assert tasks.succeeded(known[number], 1.0) == (True, [])  # type: ignore[arg-type]
    tasks.look_for_stragglers(1.2)
    assert not tasks.has_waiting  # not yet 1.5 times the median
    tasks.look_for_stragglers(1.6)
    tasks.look_for_stragglers(2.0)
    assert start(tasks, known[0], known) is None  # the agent of the first copy
    assert start(tasks, known[2], known, 2.0) == (3, ANY)
    assert tasks.runs[2].is_copy
    assert start(tasks, known[0], known) is None
    assert tasks.succeeded(known[2], 2.5) == (True, [known[3]])  # type: ignore[arg-type]
    assert tasks.is_complete
    assert tasks.succeeded(known[3], 2.6) == (False, [])  # type: ignore[arg-type]


def test_a_failed_copy_does_not_start_the_task_again_while_the_other_runs() -> None:
    known = slots("a", "b")
    tasks = task_set(1, speculation=True, speculation_quantile=0.0)
    start(tasks, known[0], known)
    tasks._durations_s.append(0.1)
    tasks.look_for_stragglers(5.0)
    start(tasks, known[1], known, 5.0)
    tasks.failed(known[1])  # type: ignore[arg-type]
    assert not tasks.has_waiting
    assert tasks.succeeded(known[0], 6.0) == (True, [])  # type: ignore[arg-type]


def test_a_host_is_known_by_its_name_and_its_address() -> None:
    assert {"localhost", "127.0.0.1"} <= host_names(["localhost"])
    assert host_names(["10.1.2.3"]) == {"10.1.2.3"}
    assert host_names(["no-such-host.invalid"]) == {"no-such-host.invalid"}
    known = {0: FakeSlot(0, "a", host_names(["127.0.0.1"]))}
    tasks = task_set(1, {0: Preference(hosts=host_names(["localhost"]))}, locality_wait_s=INFINITY)
    assert start(tasks, known[0], known, growing=True) == (0, HOST)
