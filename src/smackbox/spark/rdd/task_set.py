"""The tasks of one stage: which of them a free slot gets, and what has become of each.

A task goes where its data is: to the slot that caches its partition, then to a slot on a host that its partition
prefers. After `locality_wait_s` without such a launch, or when no slot will be there, it goes anywhere (Spark's delay
scheduling, `TaskSetManager`). A task that failed is kept away from the agents where it did, while there are others.
With `speculation`, a task that runs much longer than the others gets a second copy on another agent; the first to end
counts. Plain and synchronous: time comes in as an argument, in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from statistics import median

from smackbox.spark.rdd.pool import Slot

SLOT, HOST, ANY, NO_PREFERENCE = "PROCESS_LOCAL", "NODE_LOCAL", "ANY", "NO_PREF"
SPECULATION_MIN_S = 0.1


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """`spark.task.maxFailures`, `spark.locality.wait` and `spark.speculation…`; times in seconds."""

    max_failures: int = 4
    locality_wait_s: float = float("inf")
    speculation: bool = False
    speculation_quantile: float = 0.75
    speculation_multiplier: float = 1.5
    speculation_interval_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Preference:
    """Where a task's data is: slots by number, hosts by name or address."""

    slots: Collection[int] = ()
    hosts: Collection[str] = ()


@dataclass(slots=True)
class Run:
    """A task on its slot."""

    index: int
    slot: Slot
    started_s: float
    locality: str
    is_copy: bool


@dataclass(slots=True)
class TaskSet:
    """Made for the indexes that are to run."""

    indexes: Collection[int]
    preference_of: Callable[[int], Preference]
    limits: TaskLimits
    started_s: float
    failures: dict[int, int] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    """By the number of the slot."""
    _open: set[int] = field(default_factory=set)
    _waiting: set[int] = field(default_factory=set)
    _by_slot: dict[int, deque[int]] = field(default_factory=dict)
    _by_host: dict[str, deque[int]] = field(default_factory=dict)
    _anywhere: deque[int] = field(default_factory=deque)
    _all: deque[int] = field(default_factory=deque)
    _again: list[int] = field(default_factory=list)
    _failed_on: dict[int, set[str]] = field(default_factory=dict)
    _copies: list[int] = field(default_factory=list)
    _durations_s: list[float] = field(default_factory=list)
    _local_s: float = 0.0
    _looked_s: float = 0.0

    def __post_init__(self) -> None:
        self._local_s = self._looked_s = self.started_s
        for index in self.indexes:
            self._open.add(index)
            self._wait(index)

    @property
    def is_complete(self) -> bool:
        """Whether each task has succeeded once."""
        return not self._open

    @property
    def demand(self) -> int:
        """How many slots could be used now."""
        return len(self._waiting) + len(self.runs) + len(self._copies)

    @property
    def has_waiting(self) -> bool:
        """Whether a slot would get a task, sooner or later."""
        return bool(self._waiting or self._copies)

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that tasks prefer."""
        return frozenset(self._by_host)

    def next(self, slot: Slot, slots: Mapping[int, Slot], now_s: float, *, growing: bool) -> Run | None:
        """Start the best task for a slot that is free, None where it is to wait or nothing is left.

        `slots` are all that there are; `growing` means that there will be more.
        """
        index, locality, is_copy = self._choose(slot, slots, now_s, growing)
        if index is None:
            return None
        if locality in {SLOT, HOST}:
            self._local_s = now_s
        self._waiting.discard(index)
        run = self.runs[slot.number] = Run(index, slot, now_s, locality, is_copy)
        return run

    def wait_s(self, now_s: float) -> float:
        """After how long `next` may answer otherwise though nothing happens."""
        waits = [float("inf")]
        local_s = self._local_s + self.limits.locality_wait_s - now_s
        if self._waiting and local_s > 0:
            waits.append(local_s)
        if self.limits.speculation and self.runs:
            waits.append(self.limits.speculation_interval_s)
        return min(waits)

    def succeeded(self, slot: Slot, now_s: float) -> tuple[bool, list[Slot]]:
        """The slot's task has succeeded: whether it is the first copy to do so, and the slots that run others."""
        run = self.runs.pop(slot.number)
        if run.index not in self._open:
            return False, []
        self._open.discard(run.index)
        self._waiting.discard(run.index)
        self._durations_s.append(now_s - run.started_s)
        if run.index in self._copies:
            self._copies.remove(run.index)
        others = [other.slot for other in self.runs.values() if other.index == run.index]
        return True, others

    def failed(self, slot: Slot, *, counts: bool = True) -> bool:
        """The slot's task has failed; whether that was once too often."""
        run = self.runs.pop(slot.number)
        index = run.index
        if index not in self._open:
            return False
        if counts:
            self.failures[index] = self.failures.get(index, 0) + 1
            self._failed_on.setdefault(index, set()).add(slot.agent)
        if index not in self._waiting and not any(other.index == index for other in self.runs.values()):
            self._waiting.add(index)
            self._again.append(index)
        return self.failures.get(index, 0) >= self.limits.max_failures

    def dropped(self, slot: Slot) -> None:
        """The slot's task was killed because another copy was first."""
        self.runs.pop(slot.number, None)

    def slot_gone(self, number: int) -> None:
        """A slot will not come back: what its cache had for tasks that wait is gone."""
        queue = self._by_slot.pop(number, None)
        self._anywhere.extend(index for index in queue or () if index in self._waiting)

    def look_for_stragglers(self, now_s: float) -> None:
        """Note the tasks that are to have a second copy."""
        limits = self.limits
        if not limits.speculation or now_s - self._looked_s < limits.speculation_interval_s:
            return
        self._looked_s = now_s
        if not self._durations_s or len(self._durations_s) < limits.speculation_quantile * len(self.indexes):
            return
        threshold_s = max(limits.speculation_multiplier * median(self._durations_s), SPECULATION_MIN_S)
        copied = {run.index for run in self.runs.values() if run.is_copy}.union(self._copies)
        for run in self.runs.values():
            if now_s - run.started_s > threshold_s and run.index not in copied and run.index in self._open:
                self._copies.append(run.index)

    def _wait(self, index: int) -> None:
        self._waiting.add(index)
        preference = self.preference_of(index)
        for number in preference.slots:
            self._by_slot.setdefault(number, deque()).append(index)
        for host in preference.hosts:
            self._by_host.setdefault(host, deque()).append(index)
        if not preference.slots and not preference.hosts:
            self._anywhere.append(index)
        else:
            self._all.append(index)

    def _choose(
        self, slot: Slot, slots: Mapping[int, Slot], now_s: float, growing: bool
    ) -> tuple[int | None, str, bool]:
        if (index := self._first(self._by_slot.get(slot.number))) is not None:
            return index, SLOT, False
        for host in slot.hosts:
            if (index := self._first(self._by_host.get(host))) is not None:
                return index, HOST, False
        if (index := self._first_again(slot, slots)) is not None:
            return index, ANY, False
        if (index := self._first(self._anywhere)) is not None:
            return index, NO_PREFERENCE, False
        may_go = bool(self._all) and self._may_go_anywhere(slots, now_s, growing)
        if may_go and (index := self._first(self._all)) is not None:
            return index, ANY, False
        for index in self._copies:
            if all(run.slot.agent != slot.agent for run in self.runs.values() if run.index == index):
                self._copies.remove(index)
                return index, ANY, True
        return None, ANY, False

    def _first(self, queue: deque[int] | None) -> int | None:
        """The first of a queue that still waits; those that were started from another one are dropped."""
        while queue:
            index = queue.popleft()
            if index in self._waiting:
                return index
        return None

    def _first_again(self, slot: Slot, slots: Mapping[int, Slot]) -> int | None:
        if not self._again:
            return None
        agents = {other.agent for other in slots.values()}
        for index in self._again:
            failed_on = self._failed_on.get(index, set())
            if slot.agent not in failed_on or agents <= failed_on:
                self._again.remove(index)
                return index
        return None

    def _may_go_anywhere(self, slots: Mapping[int, Slot], now_s: float, growing: bool) -> bool:
        if now_s - self._local_s >= self.limits.locality_wait_s:
            return True
        if growing:
            return False
        wanted = {number for number, queue in self._by_slot.items() if any(index in self._waiting for index in queue)}
        hosts = {host for host, queue in self._by_host.items() if any(index in self._waiting for index in queue)}
        return not any(number in wanted or not hosts.isdisjoint(slot.hosts) for number, slot in slots.items())
