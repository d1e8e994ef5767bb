"""A group that changes its protocol member by member: timeouts, restarts, and the policy that forbids it.

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
from smackbox.kafka.state.classic_member import GroupState, JoinRequest, JoinResult, SyncResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_coordinator import Group
from smackbox.kafka.state.group_offsets import CommittedOffset
from smackbox.kafka.state.mixed_group import MixedGroup
from smackbox.kafka.wire import consumer_subscription
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.consumer_protocol import ConsumerProtocolSubscription, TopicPartition
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
    """It sends heartbeats, so only the timeouts of joining and syncing can tell."""
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


# --- what is rejected, and with which error


def mixed(broker: Broker) -> tuple[Consumer, Client]:
    """A group of a classic member, which has joined and synced, and one of KIP-848."""
    classic = alone(broker)
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    classic.join()
    classic.sync()
    new.beat()
    return classic, new


def join_of(broker: Broker, **changes: object) -> JoinResult:
    """The answer to a JoinGroup, which a mixed group gives at once."""
    values: dict[str, object] = {
        "member_id": "",
        "instance_id": None,
        "client_id": "client",
        "client_host": "/host",
        "session_timeout_ms": SESSION_MS,
        "rebalance_timeout_ms": REBALANCE_MS,
        "protocol_type": "consumer",
        "protocols": {"range": SUBSCRIPTION},
        "require_known_member": False,
        "supports_skip_assignment": False,
        **changes,
    }
    answers: list[JoinResult] = []
    group_of(broker).join(JoinRequest(**values), answers.append)  # type: ignore[arg-type]
    (answer,) = answers
    return answer


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protocol_type": "connect"}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocols": {"sticky": SUBSCRIPTION}}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocols": {"range": b"\x00"}}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"require_known_member": True}, errors.MEMBER_ID_REQUIRED),
        ({"member_id": "m", "instance_id": "i"}, errors.UNKNOWN_MEMBER_ID),
    ],
)
def test_a_join_that_is_rejected_changes_nothing(broker: Broker, changes: dict[str, object], code: int) -> None:
    mixed(broker)
    group = group_of(broker)
    before = (group.epoch, set(group.members))  # type: ignore[union-attr]
    answer = join_of(broker, **changes)
    assert answer.error_code == code
    assert bool(answer.member_id) == (code == errors.MEMBER_ID_REQUIRED)
    assert (group.epoch, set(group.members)) == before  # type: ignore[union-attr]


def test_a_full_group_takes_its_own_members_only(make_broker: MakeBroker) -> None:
    broker = make_broker(group_consumer_max_size=2)
    classic, _ = mixed(broker)
    assert join_of(broker).error_code == errors.GROUP_MAX_SIZE_REACHED
    assert join_of(broker, member_id=classic.member_id).error_code == 0


def test_a_member_without_an_id_is_given_one(broker: Broker) -> None:
    mixed(broker)
    answer = join_of(broker)
    assert answer.error_code == 0
    assert answer.member_id in group_of(broker).members
    assert (answer.protocol_type, answer.protocol_name, answer.leader) == ("consumer", "range", "")
    assert not answer.skip_assignment


def test_an_id_that_the_client_chose_is_taken(broker: Broker) -> None:
    mixed(broker)
    assert join_of(broker, member_id="mine").member_id == "mine"
    assert "mine" in group_of(broker).members


def test_a_static_member_is_replaced_and_fenced(broker: Broker) -> None:
    mixed(broker)
    first = join_of(broker, instance_id="i").member_id
    second = join_of(broker, instance_id="i").member_id
    assert first != second
    assert group_of(broker).static == {"i": second}
    assert join_of(broker, member_id=first, instance_id="i").error_code == errors.FENCED_INSTANCE_ID
    with pytest.raises(KafkaError) as raised:
        group_of(broker).heartbeat(first, "i", 1)
    assert raised.value.code == errors.FENCED_INSTANCE_ID


def sync_of(broker: Broker, member_id: str, generation: int, **changes: str | None) -> SyncResult:
    answers: list[SyncResult] = []
    names = {"protocol_type": None, "protocol_name": None, **changes}
    group_of(broker).sync(
        member_id, None, generation, names["protocol_type"], names["protocol_name"], {}, answers.append
    )
    (answer,) = answers
    return answer


def test_a_sync_that_is_rejected(broker: Broker) -> None:
    classic, new = mixed(broker)
    generation = classic.generation
    assert sync_of(broker, classic.member_id, generation, protocol_name="range").error_code == 0
    assert sync_of(broker, classic.member_id, generation + 1).error_code == errors.ILLEGAL_GENERATION
    wrong = sync_of(broker, classic.member_id, generation, protocol_name="sticky")
    assert wrong.error_code == errors.INCONSISTENT_GROUP_PROTOCOL
    wrong = sync_of(broker, classic.member_id, generation, protocol_type="connect")
    assert wrong.error_code == errors.INCONSISTENT_GROUP_PROTOCOL
    assert sync_of(broker, "n", new.epoch).error_code == errors.UNKNOWN_MEMBER_ID, "it does not speak this protocol"
    assert sync_of(broker, "nobody", generation).error_code == errors.UNKNOWN_MEMBER_ID


def test_a_sync_for_an_older_target_says_to_join_again(broker: Broker, clock: FakeClock) -> None:
    classic, new = mixed(broker)
    Client(broker, "o").beat()
    answer = sync_of(broker, classic.member_id, classic.generation)
    assert (answer.error_code, answer.assignment) == (errors.REBALANCE_IN_PROGRESS, b"")
    for _ in range(REBALANCE_MS // 1000 + 1):
        try:
            classic.group.heartbeat(classic.member_id, None, classic.generation)
        except KafkaError:
            break
        new.beat()
        advance(broker, clock, 1000)
    assert classic.member_id not in group_of(broker).members, "it was told to join, and did not"


def test_leaving(broker: Broker) -> None:
    classic, _ = mixed(broker)
    static = join_of(broker, instance_id="i").member_id
    group = group_of(broker)
    for member_id, instance_id in (("nobody", None), ("n", None), ("other", "j")):
        with pytest.raises(KafkaError) as raised:
            group.leave(member_id, instance_id)
        assert raised.value.code == errors.UNKNOWN_MEMBER_ID
    with pytest.raises(KafkaError) as raised:
        group.leave(classic.member_id, "i")
    assert raised.value.code == errors.FENCED_INSTANCE_ID
    assert group.leave("", "i") == static, "by the instance id alone"
    assert group.leave(classic.member_id, None) == classic.member_id
    assert set(group.members) == {"n"}


def test_an_administrator_removes_a_static_member_of_either_protocol(broker: Broker) -> None:
    mixed(broker)
    static = Client(broker, "s", instance_id="i")
    static.beat()
    assert group_of(broker).leave("", "i") == "s"
    assert "s" not in group_of(broker).members


def test_the_rack_of_a_classic_member_is_kept(broker: Broker) -> None:
    mixed(broker)
    subscription = b"\x00\x03" + encode(ConsumerProtocolSubscription(["t", "no-such-topic"], rack_id="r"), 3)
    member_id = join_of(broker, protocols={"range": subscription}).member_id
    assert group_of(broker).members[member_id].rack_id == "r"  # type: ignore[union-attr]
    assert join_of(broker, member_id=member_id).error_code == 0
    assert group_of(broker).members[member_id].rack_id == "r", "a subscription that does not say keeps it"  # type: ignore[union-attr]


def owning(partitions: list[int]) -> dict[str, bytes]:
    """The protocols of a consumer that says what it owns."""
    owned = [TopicPartition("t", partitions), TopicPartition("no-such-topic", [0])]
    return {"range": b"\x00\x03" + encode(ConsumerProtocolSubscription(["t"], owned_partitions=owned), 3)}


def test_a_classic_member_gives_up_what_it_owns_before_it_is_in_the_new_epoch(broker: Broker) -> None:
    classic = alone(broker)
    new = Client(broker, "n")
    new.beat()
    classic.follow()
    old = classic.generation
    answer = join_of(broker, member_id=classic.member_id, protocols=owning([0, 1, 2, 3]))
    assert answer.generation == old, "it still owns what is not its own any more"
    kept = consumer_subscription.assignment(sync_of(broker, classic.member_id, old).assignment)
    (left,) = kept.assigned_partitions
    assert len(left.partitions) == 2
    new.beat()
    assert new.partitions == [], "not given up yet"
    assert classic.group.heartbeat(classic.member_id, None, old) == errors.REBALANCE_IN_PROGRESS
    answer = join_of(broker, member_id=classic.member_id, protocols=owning(left.partitions))
    assert answer.generation > old
    new.beat()
    assert sorted([*new.partitions, *left.partitions]) == [0, 1, 2, 3]
    assert classic.group.heartbeat(classic.member_id, None, answer.generation) == 0


def test_a_classic_member_waits_for_what_others_hold_without_joining_again(broker: Broker) -> None:
    new = Client(broker, "n")
    new.beat()
    answer = join_of(broker)
    group = group_of(broker)
    assert group.heartbeat(answer.member_id, None, answer.generation) == 0, "nothing is free for it yet"
    new.beat()
    new.beat()
    assert group.heartbeat(answer.member_id, None, answer.generation) == errors.REBALANCE_IN_PROGRESS, "now there is"


@pytest.mark.parametrize("told_by", ["sync", "heartbeat"])
def test_who_is_told_to_join_has_the_rebalance_time_out(broker: Broker, clock: FakeClock, told_by: str) -> None:
    classic, new = mixed(broker)
    session_ms = 10 * REBALANCE_MS
    answer = join_of(broker, member_id=classic.member_id, session_timeout_ms=session_ms)
    sync_of(broker, classic.member_id, answer.generation)
    Client(broker, "o").beat()
    if told_by == "sync":
        assert sync_of(broker, classic.member_id, answer.generation).error_code == errors.REBALANCE_IN_PROGRESS
    else:
        code = group_of(broker).heartbeat(classic.member_id, None, answer.generation)
        assert code == errors.REBALANCE_IN_PROGRESS
    for elapsed in range(0, REBALANCE_MS, 1000):
        assert classic.member_id in group_of(broker).members, elapsed
        new.beat()
        advance(broker, clock, 1000)
    assert classic.member_id not in group_of(broker).members
