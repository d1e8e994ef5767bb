"""A group that changes its protocol member by member: time-outs, restarts, and the policy that forbids it.

What both servers answer, request by request, is compared in tests/contract/kafka/test_differential_migration.py.
"""

from __future__ import annotations

import pytest
from tests.kafka.state.conftest import MakeBroker, advance
from tests.kafka.state.test_classic_group import REBALANCE_MS, SESSION_MS
from tests.kafka.state.test_classic_group import Client as ClassicClient
from tests.kafka.state.test_consumer_group import Client

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.classic_group import ClassicGroup
from smackbox.kafka.state.classic_member import GroupState
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_coordinator import Group
from smackbox.kafka.state.group_offsets import CommittedOffset
from smackbox.kafka.state.mixed_group import MixedGroup
from smackbox.kafka.wire import consumer_subscription
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from smackbox.kafka.wire.schema import encode

SUBSCRIPTION = b"\x00\x03" + encode(ConsumerProtocolSubscription(["t"]), 3)


class Consumer(ClassicClient):
    """A consumer of the classic protocol: it subscribes to `t`, and as the leader takes everything."""

    def __init__(self, broker: Broker, instance_id: str | None = None) -> None:
        super().__init__(broker.groups.for_classic_join("g", ""), instance_id)  # type: ignore[arg-type]
        self.broker = broker
        self.protocols = {"range": SUBSCRIPTION}

    def follow(self) -> None:
        """Speak to the group as it is now."""
        self.group = group_of(self.broker)  # type: ignore[assignment]

    def assigned(self) -> list[int]:
        topics = consumer_subscription.assignment(self.synced[-1].assignment).assigned_partitions
        return sorted(index for topic in topics for index in topic.partitions)


def group_of(broker: Broker) -> Group:
    return broker.groups.group("g")


def alone(broker: Broker, instance_id: str | None = None) -> Consumer:
    """A stable classic group of one consumer, which has all four partitions."""
    consumer = Consumer(broker, instance_id)
    consumer.join()
    consumer.sync({consumer.member_id: consumer_subscription.encoded_assignment({"t": {0, 1, 2, 3}}, 3)})
    return consumer


@pytest.fixture(autouse=True)
def topic(broker: Broker) -> bytes:
    return broker.catalog.create("t", 4, {}).topic_id


def test_a_classic_member_keeps_what_it_has_until_it_gives_it_up(broker: Broker) -> None:
    classic = alone(broker)
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    assert isinstance(classic.group, MixedGroup)
    assert new.partitions == [], "the classic member has them all"
    assert classic.heartbeat() == errors.REBALANCE_IN_PROGRESS
    classic.join()
    classic.sync()
    assert len(classic.assigned()) == 2
    new.beat()
    assert len(new.partitions) == 2
    assert not set(new.partitions) & set(classic.assigned())
    assert classic.heartbeat() == 0


@pytest.mark.parametrize("step", ["heartbeat", "join"])
def test_a_classic_member_that_takes_no_further_step_is_taken_out(broker: Broker, clock: FakeClock, step: str) -> None:
    """It sends heartbeats, so only the time-outs of joining and syncing can tell."""
    classic = alone(broker)
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    if step == "join":
        classic.join()
    for _ in range(REBALANCE_MS // 1000 + 1):
        classic.heartbeat()
        new.beat()
        advance(broker, clock, 1000)
    new.beat()
    assert list(group_of(broker).members) == ["n"]
    assert new.partitions == [0, 1, 2, 3]


def test_a_silent_classic_member_has_its_own_session_time_out(broker: Broker, clock: FakeClock) -> None:
    classic = alone(broker)
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    classic.join()
    classic.sync()
    for elapsed in range(0, SESSION_MS, 1000):
        assert len(group_of(broker).members) == 2, elapsed
        new.beat()
        advance(broker, clock, 1000)
    assert list(group_of(broker).members) == ["n"]


@pytest.mark.parametrize("how", ["leaves", "falls silent"])
def test_the_group_is_classic_again_when_the_last_new_member_has_gone(
    broker: Broker, clock: FakeClock, how: str
) -> None:
    classic = alone(broker)
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    classic.join()
    classic.sync()
    if how == "leaves":
        new.leave()
    else:
        for _ in range(45):
            classic.heartbeat()
            advance(broker, clock, 1000)
    classic.follow()
    assert isinstance(classic.group, ClassicGroup)
    assert classic.group.state is GroupState.PREPARING_REBALANCE
    assert classic.heartbeat() == errors.REBALANCE_IN_PROGRESS
    result = classic.join()
    assert result is not None
    assert (result.error_code, result.leader) == (0, classic.member_id)


def test_a_group_of_both_protocols_survives_a_restart(make_broker: MakeBroker, broker: Broker) -> None:
    classic = alone(broker, "i")
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    classic.join()
    classic.sync()
    new.beat()
    reopened = make_broker()
    group = group_of(reopened)
    assert isinstance(group, MixedGroup)
    member = group.members[classic.member_id]
    assert member.classic is not None
    assert (member.classic.session_timeout_ms, member.classic.protocols) == (SESSION_MS, {"range": SUBSCRIPTION})
    assert group.static == {"i": classic.member_id}
    classic.group = group  # type: ignore[assignment]
    assert classic.heartbeat() == 0
    new.leave()
    assert isinstance(group_of(broker), ClassicGroup)
    downgraded = group_of(make_broker())
    assert isinstance(downgraded, ClassicGroup)
    assert list(downgraded.members) == [classic.member_id]


@pytest.mark.parametrize("first", ["classic", "next"])
def test_committed_offsets_survive_a_change_of_protocol_and_a_restart(
    make_broker: MakeBroker, broker: Broker, first: str
) -> None:
    """The old protocol's records end with a tombstone, which must not take the offsets along."""

    def commit(offset: int) -> None:
        broker.groups.commit(group_of(broker), {("t", 0): CommittedOffset(offset, -1, "", 1)}, lambda _: None)

    def classic_comes_and_goes() -> None:
        classic = alone(broker)
        commit(7)
        classic.group.leave(classic.member_id, None)

    def next_comes_and_goes() -> None:
        new = Client(broker, "n")
        new.beat()
        commit(8)
        new.leave()

    steps = [classic_comes_and_goes, next_comes_and_goes]
    for step in steps if first == "classic" else reversed(steps):
        step()
    expected = 8 if first == "classic" else 7
    assert group_of(make_broker()).offsets.committed["t", 0].offset == expected
    commit(9)
    alone(broker) if first == "classic" else Client(broker, "n").beat()
    assert group_of(make_broker()).offsets.committed["t", 0].offset == 9


def test_offsets_of_a_group_that_changed_with_members_survive_a_restart(
    make_broker: MakeBroker, broker: Broker
) -> None:
    alone(broker)
    broker.groups.commit(group_of(broker), {("t", 0): CommittedOffset(5, -1, "", 1)}, lambda _: None)
    Client(broker, "n").beat()
    assert group_of(make_broker()).offsets.committed["t", 0].offset == 5


@pytest.mark.parametrize(("policy", "up", "down"), [("disabled", False, False), ("upgrade", True, False)])
def test_the_policy_forbids_a_change(make_broker: MakeBroker, policy: str, up: bool, down: bool) -> None:
    broker = make_broker(group_consumer_migration_policy=policy)
    classic = alone(broker)
    new = Client(broker, "n")
    if not up:
        with pytest.raises(KafkaError) as raised:
            new.beat()
        assert raised.value.code == errors.GROUP_ID_NOT_FOUND
        assert classic.heartbeat() == 0
        return
    new.beat()
    new.leave()
    assert isinstance(group_of(broker), ClassicGroup) is down


def test_members_who_wait_are_sent_to_the_next_rebalance(broker: Broker) -> None:
    classic = alone(broker)
    late = Consumer(broker)
    assert late.join() is None, "it waits for the first one to join again"
    Client(broker, "n").beat()
    assert late.joined[-1].error_code == errors.REBALANCE_IN_PROGRESS
    assert classic.group is not group_of(broker)


def test_a_group_that_is_no_group_of_consumers_is_not_changed(broker: Broker) -> None:
    connect = ClassicClient(broker.groups.for_classic_join("g", ""))  # type: ignore[arg-type]
    connect.protocols = {"compatible": b"\x00\x00"}
    connect.join()
    connect.sync({connect.member_id: b"not an assignment"})
    with pytest.raises(KafkaError) as raised:
        Client(broker, "n").beat()
    assert raised.value.code == errors.GROUP_ID_NOT_FOUND
    assert connect.heartbeat() == 0
