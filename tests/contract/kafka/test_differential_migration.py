"""Hypothesis has a group change its protocol while it has members; ours and a real Kafka must answer alike.

Members of the classic protocol and of KIP-848, dynamic and static, come, step, leave, commit and take one another's
instance id, in one group. Which partitions a member gets depends on the ids that a broker makes up, so numbers of
partitions are compared: twelve of them, and never five members, so that everyone's share is the same. An example ends
where the numbers part, for which partitions are free at once depends on the ids, and when the group has become a
classic one again, for so does who leads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import REAL_KAFKA
from tests.contract.kafka import test_differential_classic as classic
from tests.contract.kafka.group_pair import Pair, ask, pair

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire import consumer_subscription
from smackbox.kafka.wire.messages import (
    consumer_group_describe,
    consumer_group_heartbeat,
    join_group,
    sync_group,
)
from smackbox.kafka.wire.messages.consumer_protocol import ConsumerProtocolSubscription, TopicPartition
from smackbox.kafka.wire.schema import encode

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL_KAFKA not in os.environ, reason="needs a real Kafka beside ours: make real"),
]

PARTITIONS = 12
MOST_MEMBERS = 4
SUBSCRIPTION_VERSION = 3
NEXT = {"n": None, "u": "i"}  # members of KIP-848; u has the instance id of the classic s and t


class Side(classic.Side):
    """One broker, one group, its clients of both protocols."""

    def __init__(self, address: str, topic: str, group: str) -> None:
        super().__init__(address, topic, group)
        self.names |= {name: name for name in NEXT}
        self.epochs: dict[str, int] = {}
        self.owned: dict[str, list[int]] = {}
        self.topic_id = b""

    # --- the classic protocol

    def join(self, who: str, protocols: tuple[str, ...], version: int, fresh: bool) -> None:
        member = self.members[who]
        if fresh:
            member.id = ""
            self.owned.pop(who, None)
        owned = [TopicPartition(self.topic, self.owned[who])] if self.owned.get(who) else []
        subscription = ConsumerProtocolSubscription([self.topic], owned_partitions=owned)
        metadata = SUBSCRIPTION_VERSION.to_bytes(2, "big") + encode(subscription, SUBSCRIPTION_VERSION)
        request = join_group.JoinGroupRequest(
            self.group,
            classic.SESSION_MS,
            classic.REBALANCE_MS,
            member.id,
            member.instance if version >= 5 else None,
            "consumer",
            [join_group.JoinGroupRequestProtocol(name, metadata) for name in protocols],
        )
        self.send(member, request, version)

    def sync(self, who: str, shift: int) -> None:
        member = self.members[who]
        shares = [
            sync_group.SyncGroupRequestAssignment(
                other,
                consumer_subscription.encoded_assignment(
                    {self.topic: set(range(place, PARTITIONS, len(member.others)))}, SUBSCRIPTION_VERSION
                ),
            )
            for place, other in enumerate(sorted(member.others, key=self.name))
        ]
        request = sync_group.SyncGroupRequest(
            self.group, member.generation + shift, member.id, member.instance, "consumer", member.protocol, shares
        )
        self.send(member, request, 5)

    def take(self, who: str) -> Any:
        answer = super().take(who)
        if answer[0] != "sync":
            return answer
        *rest, data = answer
        if rest[1] == 0:
            self.owned[who] = self._partitions(data)
        return *rest, len(self._partitions(data))

    @staticmethod
    def _partitions(data: bytes) -> list[int]:
        try:
            topics = consumer_subscription.assignment(data).assigned_partitions
        except ProtocolError:
            return []
        return sorted(index for topic in topics for index in topic.partitions)

    # --- KIP-848

    def next_joins(self, who: str) -> Any:
        self.owned.pop(who, None)
        return self._next(who, 0, full=True)

    def next_steps(self, who: str, shift: int, *, says_owned: bool) -> Any:
        return self._next(who, max(self.epochs.get(who, 1) + shift, 1), full=False, says_owned=says_owned)

    def next_leaves(self, who: str, epoch: int) -> Any:
        return self._next(who, epoch if NEXT[who] else -1, full=False)

    def _next(self, who: str, epoch: int, *, full: bool, says_owned: bool = False) -> Any:
        owned: list[consumer_group_heartbeat.TopicPartitions] | None = [] if full else None
        if says_owned:
            held = self.owned.get(who)
            owned = [consumer_group_heartbeat.TopicPartitions(self.topic_id, held)] if held else []
        request = consumer_group_heartbeat.ConsumerGroupHeartbeatRequest(
            self.group, who, epoch, NEXT[who], None, 30_000 if full else -1, [self.topic] if full else None, None, None,
            owned,
        )  # fmt: skip
        answer = ask(self.admin, request, 1, lambda said: said.error_code)
        if answer.error_code:
            return answer.error_code
        self.epochs[who] = answer.member_epoch
        count = None
        if answer.assignment is not None:
            parts = answer.assignment.topic_partitions
            self.owned[who] = sorted(index for part in parts for index in part.partitions)
            self.topic_id = parts[0].topic_id if parts else self.topic_id
            count = len(self.owned[who])
        return answer.member_epoch, count

    # --- looking

    def described(self) -> Any:
        request = consumer_group_describe.ConsumerGroupDescribeRequest([self.group])
        (group,) = ask(self.admin, request, 1, lambda said: said.groups[0].error_code).groups

        def count(assignment: Any) -> int:
            return sum(len(topic.partitions) for topic in assignment.topic_partitions)

        members = sorted(
            (
                self.name(m.member_id), m.instance_id or "", m.member_epoch, m.member_type, m.subscribed_topic_names,
                count(m.assignment), count(m.target_assignment),
            )
            for m in group.members
        )  # fmt: skip
        return group.error_code, group.group_state, group.group_epoch, group.assignment_epoch, members

    def size(self) -> int:
        """How many members the group has, in whichever protocol."""
        found = self.describe()
        return max(len(found[4]), len(self.described()[4]))

    def is_next(self) -> bool:
        return bool(self.described()[0] == 0)


members = st.sampled_from(sorted(classic.MEMBERS))
shifts = st.sampled_from([0, 0, 0, 0, 1, -1])
PROTOCOLS = (("range", "sticky"), ("sticky", "range"), ("range",))
OPERATIONS = st.one_of(
    st.tuples(st.just("join"), members, st.sampled_from(PROTOCOLS), st.sampled_from([5, 9, 9]), st.booleans()),
    st.tuples(st.just("join"), members, st.just(PROTOCOLS[0]), st.just(9), st.just(False)),
    st.tuples(st.just("join"), members, st.just(PROTOCOLS[0]), st.just(9), st.just(False)),
    st.tuples(st.just("sync"), members, shifts),
    st.tuples(st.just("sync"), members, st.just(0)),
    st.tuples(st.just("heartbeat"), members, shifts),
    st.tuples(st.just("heartbeat"), members, st.just(0)),
    st.tuples(st.just("leave"), members, st.booleans()),
    st.tuples(st.just("commit"), members, st.sampled_from([0, 0, 1, -1, 9]), st.sampled_from([2, 7, 9])),
    st.tuples(st.just("next_joins"), st.sampled_from(["n", "n", "u"])),
    st.tuples(st.just("next_steps"), st.sampled_from(["n", "n", "u"]), shifts, st.booleans()),
    st.tuples(st.just("next_steps"), st.sampled_from(["n", "u"]), st.just(0), st.just(True)),
    st.tuples(st.just("next_leaves"), st.sampled_from(["n", "n", "u"]), st.sampled_from([-1, -2])),
    st.tuples(st.just("described")),
)


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    with pair(PARTITIONS) as ready:
        yield ready


def step(sides: list[Side], operation: str, arguments: tuple[Any, ...]) -> list[Any]:
    """What each broker answers to the operation, and then to those who waited."""
    if operation in {"join", "sync"} and any(side.members[arguments[0]].waits for side in sides):
        return [None, None]  # a client has one request in flight
    if operation in {"join", "next_joins"} and sides[0].size() >= MOST_MEMBERS:
        return [None, None]
    if operation == "leave" and not sides[0].is_next() and sides[0].size() > 2:
        return [None, None]  # of several who are left, a classic group takes any for its next leader
    if operation == "leave" and classic.leaver_waits(sides, arguments[0]):
        return [None, None]
    if operation == "next_steps":
        answers: list[Any] = [[side.next_steps(*arguments[:2], says_owned=arguments[2])] for side in sides]
    else:
        answers = [[getattr(side, operation)(*arguments)] for side in sides]
    classic.gather(sides, answers)
    return answers


def uncounted(answers: list[Any] | None) -> list[Any]:
    """Answers without the numbers of partitions of ConsumerGroupHeartbeat and SyncGroup."""
    plain = []
    for answer in answers or ():
        if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], tuple) and answer[1][0] == "sync":
            plain.append((answer[0], answer[1][:-1]))
        elif isinstance(answer, tuple) and isinstance(answer[0], int) and not isinstance(answer[1], list):
            plain.append((answer[0], answer[1] is None))
        else:
            plain.append(answer)
    return plain


@settings(
    max_examples=int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(OPERATIONS, min_size=1, max_size=40))
def test_a_group_changes_its_protocol_as_in_kafka(both: Pair, operations: list[tuple[Any, ...]]) -> None:
    group = both.group()
    sides = [Side(address, both.topic, group) for address in both.addresses]
    history = []
    was_next = False
    try:
        for operation, *arguments in operations:
            answers = step(sides, operation, tuple(arguments))
            history.append((operation, *arguments, *answers))
            seen = [side.described() for side in sides]
            if seen[0][0] and seen[1][1] == "Empty":
                seen[1] = seen[0]  # a refused join ended the empty group: Kafka shows that after its next write only
            history.append(("seen", *seen))
            if operation == "join" and was_next and seen[0] == seen[1] and not sides[0].is_next():
                break  # Kafka may give the one that replaced the last of KIP-848 generation 0: it joins again
            assert uncounted(answers[0]) == uncounted(answers[1]), "\n".join(map(str, history))
            if answers[0] != answers[1] or seen[0][4] != seen[1][4]:
                break  # which partitions are free so far depends on the ids: from here on the two differ
            assert seen[0] == seen[1], "\n".join(map(str, history))
            if was_next and not sides[0].is_next():
                beats = [[side.heartbeat(who, 0) for who in classic.MEMBERS] for side in sides]
                assert beats[0] == beats[1], "\n".join(map(str, history))
                break
            was_next = sides[0].is_next()
    finally:
        for side in sides:
            side.close()
