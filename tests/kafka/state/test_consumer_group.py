"""The KIP-848 group's state machine, heartbeat by heartbeat."""

from __future__ import annotations

import pytest
from tests.kafka.state.conftest import MakeBroker, advance

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.consumer_group import ConsumerGroup
from smackbox.kafka.state.consumer_member import ConsumerGroupState, HeartbeatRequest
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

SESSION_MS = 45_000
REBALANCE_MS = 10_000


class Client:
    """One consumer: it owns what it was told to, and says so in each heartbeat."""

    def __init__(
        self, broker: Broker, name: str, topics: list[str] | None = None, instance_id: str | None = None
    ) -> None:
        self.broker = broker
        self.name = name
        self.topics = ["t"] if topics is None else topics
        self.instance_id = instance_id
        self.epoch = 0
        self.owned: dict[bytes, set[int]] = {}

    @property
    def group(self) -> ConsumerGroup:
        return self.broker.groups.for_consumer("g", create=self.epoch == 0)

    def beat(self, *, revoke: bool = True, **changes: object) -> None:
        joining = self.epoch == 0
        values: dict[str, object] = {
            "member_id": self.name,
            "epoch": self.epoch,
            "instance_id": self.instance_id,
            "rack_id": None,
            "client_id": "client",
            "client_host": "/host",
            "rebalance_timeout_ms": REBALANCE_MS if joining else -1,
            "topics": self.topics if joining else None,
            "pattern": None,
            "assignor": None,
            "owned": {} if joining else self.owned,
            **changes,
        }
        result = self.group.consumer_heartbeat(HeartbeatRequest(**values))  # type: ignore[arg-type]
        self.epoch = result.epoch
        if result.assignment is not None and revoke:
            self.owned = result.assignment

    def leave(self, epoch: int = -1) -> None:
        group = self.group
        group.consumer_heartbeat(
            HeartbeatRequest(self.name, epoch, self.instance_id, None, "c", "/h", -1, None, None, None, None)
        )
        self.epoch = 0

    @property
    def partitions(self) -> list[int]:
        return sorted(index for indexes in self.owned.values() for index in indexes)

    def error(self, **changes: object) -> int:
        with pytest.raises(KafkaError) as raised:
            self.beat(**changes)
        return raised.value.code


@pytest.fixture
def topic(broker: Broker) -> bytes:
    return broker.catalog.create("t", 4, {}).topic_id


def settle(*clients: Client) -> None:
    for _ in range(4):
        for client in clients:
            client.beat()


def test_the_first_member_has_everything_with_its_first_answer(broker: Broker, topic: bytes) -> None:
    client = Client(broker, "a")
    client.beat()
    assert client.partitions == [0, 1, 2, 3]
    assert client.epoch == 2
    assert client.group.state is ConsumerGroupState.STABLE


def test_partitions_are_given_up_before_they_are_given(broker: Broker, topic: bytes) -> None:
    first, second = Client(broker, "a"), Client(broker, "b")
    first.beat()
    second.beat()
    assert second.partitions == [], "the first one still has them"
    assert first.group.state is ConsumerGroupState.RECONCILING
    first.beat(revoke=False)
    second.beat()
    assert second.partitions == [], "told to give them up is not given up"
    first.owned = first.group.members["a"].assigned
    first.beat()
    second.beat()
    assert sorted(first.partitions + second.partitions) == [0, 1, 2, 3]
    assert (first.epoch, second.epoch) == (3, 3)
    assert first.group.state is ConsumerGroupState.STABLE


def test_who_does_not_give_up_in_time_is_out(broker: Broker, topic: bytes, clock: FakeClock) -> None:
    first, second = Client(broker, "a"), Client(broker, "b")
    first.beat()
    second.beat()
    first.beat(revoke=False)
    advance(broker, clock, REBALANCE_MS)
    second.beat()
    assert second.partitions == [0, 1, 2, 3]
    assert first.error() == errors.UNKNOWN_MEMBER_ID


def test_who_falls_silent_is_out(broker: Broker, topic: bytes, clock: FakeClock) -> None:
    first, second = Client(broker, "a"), Client(broker, "b")
    settle(first, second)
    advance(broker, clock, SESSION_MS // 2)
    second.beat()
    advance(broker, clock, SESSION_MS // 2)
    second.beat()
    assert second.partitions == [0, 1, 2, 3]
    assert first.error() == errors.UNKNOWN_MEMBER_ID


def test_who_leaves_frees_its_partitions(broker: Broker, topic: bytes) -> None:
    first, second = Client(broker, "a"), Client(broker, "b")
    settle(first, second)
    first.leave()
    second.beat()
    assert second.partitions == [0, 1, 2, 3]


def test_a_lost_answer_is_forgiven_once(broker: Broker, topic: bytes) -> None:
    client = Client(broker, "a")
    client.beat()
    client.beat(topics=["t", "u"])
    client.beat(topics=["t"])
    client.epoch -= 1
    client.beat()
    assert client.epoch == 4
    client.epoch -= 2
    assert client.error() == errors.FENCED_MEMBER_EPOCH
    client.epoch = 99
    assert client.error() == errors.FENCED_MEMBER_EPOCH


def test_more_partitions_and_new_topics_are_seen(broker: Broker, topic: bytes) -> None:
    client = Client(broker, "a", ["t", "later"])
    client.beat()
    broker.catalog.add_partitions(broker.catalog.topics["t"], 6)
    client.beat()
    assert client.partitions == [0, 1, 2, 3, 4, 5]
    broker.catalog.create("later", 1, {})
    client.beat()
    assert len(client.partitions) == 7
    broker.delete_topic(broker.catalog.topics["t"])
    client.beat()
    client.beat()
    assert client.partitions == [0]


def test_a_pattern_subscribes(broker: Broker, topic: bytes) -> None:
    broker.catalog.create("tx", 1, {})
    broker.catalog.create("other", 1, {})
    client = Client(broker, "a", [])
    client.beat(pattern="t.*")
    assert len(client.partitions) == 5
    assert client.error(pattern="(") == errors.INVALID_REGULAR_EXPRESSION


def test_a_static_member_keeps_its_partitions_while_it_is_away(broker: Broker, topic: bytes, clock: FakeClock) -> None:
    static, other = Client(broker, "a", instance_id="s"), Client(broker, "b")
    settle(static, other)
    before = static.partitions
    assert Client(broker, "c", instance_id="s").error() == errors.UNRELEASED_INSTANCE_ID
    static.leave(-2)
    other.beat()
    assert len(other.partitions) == 2
    again = Client(broker, "d", instance_id="s")
    again.beat()
    assert again.partitions == before
    again.leave(-2)
    for _ in range(3):
        advance(broker, clock, SESSION_MS // 2)
        other.beat()
    assert other.partitions == [0, 1, 2, 3]


def test_the_group_lives_on_after_a_restart(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker()
    broker.catalog.create("t", 4, {})
    first, second = Client(broker, "a"), Client(broker, "b")
    settle(first, second)
    before = (first.partitions, second.partitions)
    again = make_broker()
    for client in (first, second):
        client.broker = again
        client.beat()
    assert (first.partitions, second.partitions) == before
    assert first.group.state is ConsumerGroupState.STABLE


def test_only_a_member_of_this_epoch_commits(broker: Broker, topic: bytes) -> None:
    client = Client(broker, "a")
    client.beat()
    client.group.check_commit("a", None, client.epoch, [("t", 0)], transactional=False)
    for member, epoch, code in (("a", 0, errors.STALE_MEMBER_EPOCH), ("x", 1, errors.UNKNOWN_MEMBER_ID)):
        with pytest.raises(KafkaError) as raised:
            client.group.check_commit(member, None, epoch, [("t", 0)], transactional=False)
        assert raised.value.code == code


def test_an_older_epoch_commits_what_the_member_had_then(make_broker: MakeBroker) -> None:
    broker = make_broker()
    broker.catalog.create("t", 4, {})
    first, second = Client(broker, "a"), Client(broker, "b")
    first.beat()
    joined = first.epoch
    settle(first, second)
    assert first.epoch > joined
    for opened in (broker, make_broker()):
        group = opened.groups.for_consumer("g", create=False)
        kept, got = ({index for _, index in group.members[name].since} for name in "ab")
        for index in kept:
            group.check_commit("a", None, joined, [("t", index)], transactional=False)
        for index in got:
            with pytest.raises(KafkaError) as raised:
                group.check_commit("a", None, joined, [("t", min(kept)), ("t", index)], transactional=False)
            assert raised.value.code == errors.STALE_MEMBER_EPOCH


def test_an_empty_group_changes_its_protocol_and_keeps_its_offsets(broker: Broker, topic: bytes) -> None:
    client = Client(broker, "a")
    client.beat()
    assert broker.groups.for_classic_join("g", "") is client.group
    client.leave()
    offsets = client.group.offsets
    classic = broker.groups.for_classic_join("g", "")
    assert classic.offsets is offsets
    assert broker.groups.for_consumer("g", create=True).offsets is offsets
