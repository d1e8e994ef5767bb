"""Hypothesis makes sequences of KIP-848 heartbeats; our broker and a real Kafka answer; the answers must be equal.

Joins, steps, late and wrong epochs, leaving for good and for a while, static members that come back, and offsets that
are committed with right and wrong epochs. Compared are codes, epochs and assignments. Runs where a real Kafka is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import REAL_KAFKA
from tests.contract.kafka.group_pair import Pair, ask, pair
from tests.kafka.client import RawClient

from smackbox.kafka.wire.messages import (
    consumer_group_describe,
    consumer_group_heartbeat,
    offset_commit,
)

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL_KAFKA not in os.environ, reason="needs a real Kafka beside ours: make real"),
]

MEMBERS = {"a": None, "b": None, "s": "i", "t": "i"}  # t may replace s


class Side:
    """One broker, one group, and what its members know."""

    def __init__(self, client: RawClient, topic: str, name: str) -> None:
        self.client = client
        self.topic = topic
        self.name = name
        self.epochs: dict[str, int] = {}
        self.owned: dict[str, dict[bytes, list[int]]] = {}

    def beat(self, member: str, epoch: int, owned: Any, instance: str | None, *, full: bool) -> Any:
        request = consumer_group_heartbeat.ConsumerGroupHeartbeatRequest(
            self.name,
            member,
            epoch,
            instance,
            None,
            30_000 if full else -1,
            [self.topic] if full else None,
            None,
            None,
            None
            if owned is None
            else [consumer_group_heartbeat.TopicPartitions(topic, indexes) for topic, indexes in owned.items()],
        )
        answer = ask(self.client, request, 1, lambda said: said.error_code)
        if answer.error_code:
            return answer.error_code
        self.epochs[member] = answer.member_epoch
        given_ = None
        if answer.assignment is not None:
            parts = answer.assignment.topic_partitions
            self.owned[member] = {part.topic_id: sorted(part.partitions) for part in parts}
            given_ = sorted(index for part in parts for index in part.partitions)
        return answer.member_epoch, given_

    # --- operations: each gives what is compared

    def join(self, member: str) -> Any:
        self.owned.pop(member, None)
        return self.beat(member, 0, {}, MEMBERS[member], full=True)

    def step(self, member: str) -> Any:
        """A heartbeat of a member that does what it is told."""
        return self.beat(member, self.epochs.get(member, 1), self.owned.get(member, {}), MEMBERS[member], full=False)

    def idle(self, member: str, shift: int) -> Any:
        """A heartbeat that says nothing, perhaps with a wrong epoch."""
        return self.beat(member, max(self.epochs.get(member, 1) + shift, 1), None, MEMBERS[member], full=False)

    def late(self, member: str) -> Any:
        """The heartbeat before the last once more, its answer was lost."""
        owned = self.owned.get(member, {})
        return self.beat(member, max(self.epochs.get(member, 1) - 1, 1), owned, MEMBERS[member], full=False)

    def leave(self, member: str, epoch: int) -> Any:
        return self.beat(member, epoch, None, MEMBERS[member], full=False)

    def commit(self, member: str, shift: int) -> Any:
        partition = offset_commit.OffsetCommitRequestPartition(0, 5, -1, "m")
        topic = offset_commit.OffsetCommitRequestTopic(self.topic, partitions=[partition])
        request = offset_commit.OffsetCommitRequest(
            self.name, self.epochs.get(member, 1) + shift, member, topics=[topic]
        )
        answer = ask(self.client, request, 9, lambda said: said.topics[0].partitions[0].error_code)
        return answer.topics[0].partitions[0].error_code

    def describe(self) -> Any:
        request = consumer_group_describe.ConsumerGroupDescribeRequest([self.name])
        (group,) = ask(self.client, request, 0, lambda said: said.groups[0].error_code).groups
        if group.error_code:
            return group.error_code

        def indexes(assignment: Any) -> list[int]:
            return sorted(index for topic in assignment.topic_partitions for index in topic.partitions)

        members = sorted(
            (m.member_id, m.instance_id, m.member_epoch, indexes(m.assignment), indexes(m.target_assignment))
            for m in group.members
        )
        return group.group_state, group.group_epoch, group.assignment_epoch, members


members = st.sampled_from(sorted(MEMBERS))
OPERATIONS = st.one_of(
    st.tuples(st.just("join"), members),
    st.tuples(st.just("step"), members),
    st.tuples(st.just("step"), members),
    st.tuples(st.just("idle"), members, st.sampled_from([0, 0, 1, -1])),
    st.tuples(st.just("late"), members),
    st.tuples(st.just("leave"), members, st.sampled_from([-1, -1, -2])),
    st.tuples(st.just("commit"), members, st.sampled_from([0, 0, 1, -1])),
    st.tuples(st.just("describe")),
)


@pytest.fixture(scope="module")
def both() -> Iterator[Pair]:
    with pair() as ready:
        yield ready


@settings(
    max_examples=int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(OPERATIONS, min_size=1, max_size=40))
def test_both_answer_heartbeats_alike(both: Pair, operations: list[tuple[Any, ...]]) -> None:
    name = both.group()
    with RawClient(both.addresses[0]) as ours, RawClient(both.addresses[1]) as real:
        sides = [Side(client, both.topic, name) for client in (ours, real)]
        history = []
        for operation, *arguments in operations:
            answers = [getattr(side, operation)(*arguments) for side in sides]
            history.append((operation, *arguments, *answers))
            assert answers[0] == answers[1], history
