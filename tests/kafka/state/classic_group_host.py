"""A classic group without a broker, for tests."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.classic_group import ClassicGroup
from smackbox.kafka.state.classic_member import GroupState, JoinRequest, JoinResult, SyncResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.timers import Timers
from smackbox.kafka.wire import error_codes as errors

SESSION_MS, REBALANCE_MS = 10_000, 30_000
UNKNOWN, FENCED = errors.UNKNOWN_MEMBER_ID, errors.FENCED_INSTANCE_ID
EMPTY, PREPARING = GroupState.EMPTY, GroupState.PREPARING_REBALANCE
COMPLETING, STABLE = GroupState.COMPLETING_REBALANCE, GroupState.STABLE


class Host:
    """A group on a disk that may refuse, and may answer late."""

    def __init__(self, **fields: Any) -> None:
        self.clock, self.timers = FakeClock(), Timers()
        self.error: KafkaError | None = None
        self.late: list[Callable[[KafkaError | None], None]] | None = None
        self.persisted = 0
        suffixes = count(1)
        clock = self.clock
        self.group = ClassicGroup(
            "g", self.timers, clock.monotonic_ms, clock.wall_ms, lambda: str(next(suffixes)), self._persist, **fields
        )

    def _persist(self, _: ClassicGroup, done: Callable[[KafkaError | None], None]) -> None:
        self.persisted += 1
        if self.late is not None:
            self.late.append(done)
        else:
            done(self.error)

    def advance(self, duration_ms: int) -> None:
        end = self.clock.monotonic_ms() + duration_ms
        while (deadline := self.timers.next_deadline_ms()) is not None and deadline <= end:
            self.clock.advance_ms(max(deadline - self.clock.monotonic_ms(), 0))
            self.timers.tick(self.clock.monotonic_ms())
        self.clock.advance_ms(end - self.clock.monotonic_ms())

    def join(self, member_id: str = "", instance: str | None = None, **changes: Any) -> list[JoinResult]:
        """The answers, when they come."""
        answers: list[JoinResult] = []
        said: dict[str, Any] = {
            "member_id": member_id, "instance_id": instance, "client_id": "c", "client_host": "/h",
            "session_timeout_ms": SESSION_MS, "rebalance_timeout_ms": REBALANCE_MS, "protocol_type": "consumer",
            "protocols": {"range": b"r"}, "require_known_member": False, "supports_skip_assignment": False,
        }  # fmt: skip
        self.group.join(JoinRequest(**(said | changes)), answers.append)
        return answers

    def sync(self, member_id: str, instance: str | None = None, **assignments: bytes) -> list[SyncResult]:
        named = {name.replace("_", "-"): value for name, value in assignments.items()}
        answers: list[SyncResult] = []
        self.group.sync(member_id, instance, self.group.generation, None, None, named, answers.append)
        return answers

    def heartbeat(self, member_id: str, instance: str | None = None) -> int:
        try:
            return self.group.heartbeat(member_id, instance, self.group.generation)
        except KafkaError as error:
            return error.code


def stable(host: Host, *instances: str | None) -> list[str]:
    """A stable group of so many members; their ids, the leader's first."""
    for instance in instances:
        host.join(instance=instance)
    ids = list(host.group.members)
    for member_id in ids[:-1]:  # the last one joined a rebalance that waits for the others
        host.join(member_id, host.group.members[member_id].instance_id)
    for member_id in ids:
        member = host.group.members[member_id]
        host.group.sync(
            member_id, member.instance_id, host.group.generation, None, None,
            {one: one.encode() for one in ids}, lambda _: None,
        )  # fmt: skip
    assert host.group.state is STABLE
    return ids
