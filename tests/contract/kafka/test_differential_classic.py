"""Hypothesis makes sequences of the classic group protocol; our broker and a real Kafka answer; both must be equal.

Joins, syncs, heartbeats, leaves and commits of dynamic and static members, with right and wrong generations and ids,
and members of KIP-848 that come to the same group. A join or a sync may be parked: after each step the answers that
have come are compared, whoever they are for. Member ids that a broker made are compared by whose they are.
"""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import REAL_KAFKA
from tests.contract.kafka.group_pair import TRANSIENT, Pair, ask, pair
from tests.kafka.client import RawClient

from smackbox.kafka.wire.messages import (
    consumer_group_describe,
    consumer_group_heartbeat,
    describe_groups,
    heartbeat,
    join_group,
    leave_group,
    offset_commit,
    sync_group,
)

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL_KAFKA not in os.environ, reason="needs a real Kafka beside ours: make real"),
]

MEMBERS = {"a": None, "b": None, "s": "i", "t": "i"}  # t is a second process with the instance id of s
PROTOCOLS = (("range",), ("range", "sticky"), ("sticky", "range"), ("sticky",))
SESSION_MS, REBALANCE_MS = 60_000, 60_000  # longer than any example: timeouts are tested with a clock of their own
NEXT_PROTOCOL = "n"
ANSWER_LIMIT_S = 2.0
PARKED_AFTER_S = 0.02


class Member:
    """One client of one broker: its connection, what it knows, and the request that it waits for."""

    def __init__(self, address: str, instance: str | None) -> None:
        self.client = RawClient(address)
        self.instance = instance
        self.id = ""
        self.generation = 0
        self.protocol = "range"
        self.others: list[str] = []
        self.waits: tuple[Any, int] | None = None

    def readable(self, limit_s: float) -> bool:
        return bool(select.select([self.client.socket], [], [], limit_s)[0])


class Side:
    """One broker, one group, its clients."""

    def __init__(self, address: str, topic: str, group: str) -> None:
        self.topic, self.group = topic, group
        self.members = {name: Member(address, instance) for name, instance in MEMBERS.items()}
        self.admin = RawClient(address)
        self.names: dict[str, str] = {"": "", NEXT_PROTOCOL: NEXT_PROTOCOL}
        self.epoch = 1

    def close(self) -> None:
        for member in self.members.values():
            member.client.socket.close()
        self.admin.socket.close()

    def name(self, member_id: str) -> str:
        return self.names.get(member_id, "?")

    # --- requests that may be parked

    def join(self, who: str, protocols: tuple[str, ...], version: int, fresh: bool) -> None:
        member = self.members[who]
        if fresh:
            member.id = ""
        topic = self.topic.encode()
        metadata = struct.pack(">hih", 0, 1, len(topic)) + topic + struct.pack(">i", -1)
        request = join_group.JoinGroupRequest(
            self.group,
            SESSION_MS,
            REBALANCE_MS,
            member.id,
            member.instance if version >= 5 else None,
            "consumer",
            [join_group.JoinGroupRequestProtocol(name, metadata) for name in protocols],
        )
        self.send(member, request, version)

    def sync(self, who: str, shift: int) -> None:
        member = self.members[who]
        given_ = [sync_group.SyncGroupRequestAssignment(other, self.name(other).encode()) for other in member.others]
        request = sync_group.SyncGroupRequest(
            self.group, member.generation + shift, member.id, member.instance, "consumer", member.protocol, given_
        )
        self.send(member, request, 5)

    def send(self, member: Member, request: Any, version: int) -> None:
        member.client.socket.sendall(member.client.request(request, version))
        member.waits = (request, version)

    def take(self, who: str) -> Any:
        """The answer that has come for this member, in words that are the same on both brokers."""
        member = self.members[who]
        assert member.waits is not None
        (request, version), member.waits = member.waits, None
        answer = member.client.answer(request, version)
        if answer.error_code in TRANSIENT:
            self.send(member, request, version)
            assert member.readable(ANSWER_LIMIT_S)
            return self.take(who)
        if isinstance(request, sync_group.SyncGroupRequest):
            return "sync", answer.error_code, answer.protocol_type, answer.protocol_name, answer.assignment
        if answer.member_id not in self.names:
            self.names[answer.member_id] = f"{who}{sum(name[0] == who for name in self.names.values() if name)}"
        if answer.error_code in {0, 79}:
            member.id = answer.member_id
        if answer.error_code == 0:
            member.generation, member.protocol = answer.generation_id, answer.protocol_name or ""
            member.others = [other.member_id for other in answer.members]
        others = sorted((self.name(other.member_id), other.group_instance_id or "") for other in answer.members)
        return (
            "join", answer.error_code, answer.generation_id, answer.protocol_type, answer.protocol_name,
            self.name(answer.leader), answer.skip_assignment, self.name(answer.member_id), others,
        )  # fmt: skip

    # --- requests that are answered at once

    def heartbeat(self, who: str, shift: int) -> Any:
        member = self.members[who]
        request = heartbeat.HeartbeatRequest(self.group, member.generation + shift, member.id, member.instance)
        return ask(self.admin, request, 4, lambda said: said.error_code).error_code

    def leave(self, who: str, by_instance: bool) -> Any:
        member = self.members[who]
        identity = leave_group.MemberIdentity(
            "" if by_instance and member.instance else member.id, member.instance, "why"
        )
        request = leave_group.LeaveGroupRequest(self.group, members=[identity])
        answer = ask(self.admin, request, 5, lambda said: said.error_code)
        return answer.error_code, [(self.name(m.member_id), m.group_instance_id, m.error_code) for m in answer.members]

    def commit(self, who: str, shift: int, version: int) -> Any:
        member = self.members[who]
        partition = offset_commit.OffsetCommitRequestPartition(0, 5, -1, "m")
        request = offset_commit.OffsetCommitRequest(
            self.group,
            -1 if shift == 9 else member.generation + shift,
            member.id,
            member.instance,
            topics=[offset_commit.OffsetCommitRequestTopic(self.topic, partitions=[partition])],
        )
        answer = ask(self.admin, request, version, lambda said: said.topics[0].partitions[0].error_code)
        return answer.topics[0].partitions[0].error_code

    def next_join(self) -> Any:
        """A member of KIP-848 joins."""
        return self._beat(0)

    def next_leave(self) -> Any:
        return self._beat(-1)

    def _beat(self, epoch: int) -> Any:
        joining = epoch == 0
        request = consumer_group_heartbeat.ConsumerGroupHeartbeatRequest(
            self.group, NEXT_PROTOCOL, epoch, None, None, 30_000 if joining else -1,
            [self.topic] if joining else None, None, None, [] if joining else None,
        )  # fmt: skip
        answer = ask(self.admin, request, 1, lambda said: said.error_code)
        return answer.error_code, answer.member_epoch

    def mixes(self, operation: str) -> bool:
        """Whether this join would give the group members of both protocols."""
        _, state, _, _, _, shown = self.describe()
        if operation == "join":
            return bool(shown[0] == 0 and shown[1] != "Empty")
        return state not in {"Empty", "Dead"}

    def describe(self) -> Any:
        request = describe_groups.DescribeGroupsRequest([self.group])
        (found,) = ask(self.admin, request, 6, lambda said: said.groups[0].error_code).groups
        members = sorted(
            (self.name(m.member_id), m.group_instance_id or "", m.member_metadata, m.member_assignment)
            for m in found.members
        )
        asked = consumer_group_describe.ConsumerGroupDescribeRequest([self.group])
        (next_,) = ask(self.admin, asked, 0, lambda said: said.groups[0].error_code).groups
        shown = (next_.error_code, next_.group_state, next_.group_epoch)
        return found.error_code, found.group_state, found.protocol_type, found.protocol_data, members, shown


members = st.sampled_from(sorted(MEMBERS))
shifts = st.sampled_from([0, 0, 0, 1, -1])
OPERATIONS = st.one_of(
    st.tuples(st.just("join"), members, st.sampled_from(PROTOCOLS), st.sampled_from([3, 5, 9, 9]), st.booleans()),
    st.tuples(st.just("join"), members, st.just(PROTOCOLS[1]), st.just(9), st.just(False)),
    st.tuples(st.just("join"), members, st.just(PROTOCOLS[1]), st.just(9), st.just(False)),
    st.tuples(st.just("sync"), members, shifts),
    st.tuples(st.just("sync"), members, st.just(0)),
    st.tuples(st.just("heartbeat"), members, shifts),
    st.tuples(st.just("leave"), members, st.booleans()),
    st.tuples(st.just("commit"), members, st.sampled_from([0, 0, 1, -1, 9]), st.sampled_from([2, 7, 9])),
    st.tuples(st.just("next_join")),
    st.tuples(st.just("next_leave")),
    st.tuples(st.just("describe")),
)


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    with pair() as ready:
        yield ready


def step(sides: list[Side], operation: str, arguments: tuple[Any, ...]) -> list[Any]:
    """What each broker answers to the operation, and then to those who waited."""
    parks = operation in {"join", "sync"}
    if parks and any(side.members[arguments[0]].waits for side in sides):
        return [None, None]  # a client has one request in flight
    if operation == "leave" and leaver_waits(sides, arguments[0]):
        return [None, None]
    if operation in {"join", "next_join"} and sides[0].mixes(operation):
        return [None, None]
    answers: list[Any] = [[getattr(side, operation)(*arguments)] for side in sides]
    gather(sides, answers)
    return answers


def leaver_waits(sides: Sequence[Side], who: str) -> bool:
    """Whether a parked request is of the member that is to leave: Kafka never answers a SyncGroup then, ours does."""
    return any(
        member.waits and (name == who or MEMBERS[name] == MEMBERS[who] is not None)
        for side in sides
        for name, member in side.members.items()
    )


def gather(sides: Sequence[Side], answers: list[Any]) -> None:
    """Add what each broker has answered to those who waited."""
    ours, real = sides
    ours.describe()  # what our broker answers to those who wait is on its way before this answer
    for name, member in ours.members.items():
        if member.waits and member.readable(0):
            answers[0].append((name, ours.take(name)))
            assert real.members[name].readable(ANSWER_LIMIT_S), ("the real one parks", name, answers)
            answers[1].append((name, real.take(name)))
    if any(member.waits for member in real.members.values()):
        time.sleep(PARKED_AFTER_S)  # it may take another connection's request first
    real.describe()
    for name, member in real.members.items():
        if member.waits and member.readable(0):
            answers[1].append((name, real.take(name)))


@settings(
    max_examples=int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(OPERATIONS, min_size=1, max_size=30))
def test_both_answer_the_classic_protocol_alike(both: Pair, operations: list[tuple[Any, ...]]) -> None:
    group = both.group()
    sides = [Side(address, both.topic, group) for address in both.addresses]
    history = []
    try:
        for operation, *arguments in operations:
            answers = step(sides, operation, tuple(arguments))
            history.append((operation, *arguments, *answers))
            assert answers[0] == answers[1], "\n".join(map(str, history))
    finally:
        for side in sides:
            side.close()
