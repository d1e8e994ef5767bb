"""The classic group's state machine, with a clock that moves only when told."""

from __future__ import annotations

import pytest
from tests.kafka.state.conftest import MakeBroker, advance

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.classic_group import ClassicGroup
from smackbox.kafka.state.classic_member import GroupState, JoinRequest, JoinResult, SyncResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

SESSION_MS = 10_000
REBALANCE_MS = 30_000


class Client:
    """One consumer of the group: what it asked and what it was answered."""

    def __init__(self, group: ClassicGroup, instance_id: str | None = None, protocols: str = "range") -> None:
        self.group = group
        self.member_id = ""
        self.instance_id = instance_id
        self.protocols = {name: name.encode() for name in protocols.split()}
        self.joined: list[JoinResult] = []
        self.synced: list[SyncResult] = []

    def join(self, *, known: bool = False, skip: bool = False) -> JoinResult | None:
        before = len(self.joined)
        self.group.join(
            JoinRequest(
                self.member_id,
                self.instance_id,
                "client",
                "/host",
                SESSION_MS,
                REBALANCE_MS,
                "consumer",
                self.protocols,
                known,
                skip,
            ),
            self.joined.append,
        )
        if len(self.joined) > before:
            self.take()
            return self.joined[-1]
        return None

    def take(self) -> None:
        self.member_id = self.joined[-1].member_id

    @property
    def generation(self) -> int:
        return self.joined[-1].generation

    def sync(self, assignments: dict[str, bytes] | None = None) -> None:
        self.take()
        self.group.sync(
            self.member_id, self.instance_id, self.generation, None, None, assignments or {}, self.synced.append
        )

    def heartbeat(self) -> int:
        try:
            return self.group.heartbeat(self.member_id, self.instance_id, self.generation)
        except KafkaError as error:
            return error.code


def stable(group: ClassicGroup, *clients: Client) -> None:
    """Bring these members to a common generation."""
    for client in clients:
        client.join()
    for client in clients:
        client.take()
    for client in clients:
        client.sync({other.member_id: other.member_id.encode() for other in clients})
    assert group.state is GroupState.STABLE


def test_one_member_is_there_at_once(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    client = Client(group)
    result = client.join()
    assert result is not None
    assert (result.error_code, result.generation, result.leader) == (0, 1, client.member_id)
    assert [member[0] for member in result.members] == [client.member_id]
    client.sync({client.member_id: b"mine"})
    assert client.synced == [SyncResult(0, "consumer", "range", b"mine")]
    assert client.heartbeat() == 0


def test_a_new_client_is_asked_to_come_back_with_its_id(broker: Broker) -> None:
    client = Client(broker.groups.for_classic_join("g", ""))
    result = client.join(known=True)
    assert result is not None
    assert result.error_code == errors.MEMBER_ID_REQUIRED
    assert client.join(known=True) == client.joined[-1]
    assert client.joined[-1].error_code == 0


def test_one_who_does_not_come_back_with_its_id_is_waited_for_no_longer_than_a_session(
    broker: Broker, clock: FakeClock
) -> None:
    group = broker.groups.for_classic_join("g", "")
    present, other = Client(group), Client(group)
    stable(group, present)
    Client(group).join(known=True)
    assert other.join() is None
    assert present.join() is None, "the third one is still expected"
    advance(broker, clock, SESSION_MS)
    assert [client.joined[-1].generation for client in (present, other)] == [2, 2]


def test_the_first_rebalance_does_not_wait_for_who_is_to_come_back(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    Client(group).join(known=True)
    result = Client(group).join()
    assert result is not None
    assert result.generation == 1


def test_who_leaves_before_joining_starts_a_rebalance(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, second = Client(group), Client(group)
    stable(group, first)
    second.join(known=True)
    assert first.heartbeat() == 0
    group.leave(second.member_id, None)
    assert first.heartbeat() == errors.REBALANCE_IN_PROGRESS


def test_the_only_member_may_not_change_to_protocols_that_it_did_not_have(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    client = Client(group)
    stable(group, client)
    client.protocols = {"sticky": b"sticky"}
    result = client.join()
    assert result is not None
    assert result.error_code == errors.INCONSISTENT_GROUP_PROTOCOL


def test_of_protocols_with_as_many_votes_kafkas_is_chosen(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, second = Client(group, protocols="range sticky"), Client(group, protocols="sticky range")
    stable(group, first)
    second.join()
    first.join()
    assert second.joined[-1].protocol_name == "sticky"


def test_a_second_member_makes_the_first_rejoin(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, second = Client(group), Client(group)
    stable(group, first)
    assert second.join() is None
    assert first.heartbeat() == errors.REBALANCE_IN_PROGRESS
    first.join()
    assert [first.joined[-1].generation, second.joined[-1].generation] == [2, 2]
    assert len(first.joined[-1].members) == 2
    assert second.joined[-1].members == ()


def test_who_does_not_rejoin_in_time_is_out(broker: Broker, clock: FakeClock) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, second = Client(group), Client(group)
    stable(group, first)
    second.join()
    for _ in range(REBALANCE_MS // 5000):
        first.heartbeat()
        advance(broker, clock, 5000)
    assert second.joined[-1].leader == second.joined[-1].member_id
    assert first.heartbeat() == errors.UNKNOWN_MEMBER_ID


def test_who_falls_silent_is_out(broker: Broker, clock: FakeClock) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, second = Client(group), Client(group)
    stable(group, first)
    second.join()
    first.join()
    second.take()
    first.sync({first.member_id: b"", second.member_id: b""})
    second.sync()
    for _ in range(3):
        advance(broker, clock, SESSION_MS // 2)
        first.heartbeat()
    assert list(group.members) == [first.member_id]
    assert second.heartbeat() == errors.UNKNOWN_MEMBER_ID
    assert first.heartbeat() == errors.REBALANCE_IN_PROGRESS


def test_who_joins_and_does_not_sync_is_out(broker: Broker, clock: FakeClock) -> None:
    group = broker.groups.for_classic_join("g", "")
    client = Client(group)
    client.join()
    advance(broker, clock, REBALANCE_MS)
    assert group.members == {}
    assert group.state is GroupState.EMPTY


def test_another_generation_is_fenced(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    client = Client(group)
    stable(group, client)
    for generation in (0, 2):
        with pytest.raises(KafkaError) as raised:
            group.heartbeat(client.member_id, None, generation)
        assert raised.value.code == errors.ILLEGAL_GENERATION


def test_protocols_must_meet(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, other = Client(group, protocols="range roundrobin"), Client(group, protocols="sticky")
    stable(group, first)
    result = other.join()
    assert result is not None
    assert result.error_code == errors.INCONSISTENT_GROUP_PROTOCOL


def test_the_protocol_that_all_know_is_chosen(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    first, second = Client(group, protocols="range sticky"), Client(group, protocols="sticky")
    stable(group, first)
    second.join()
    first.join()
    assert second.joined[-1].protocol_name == "sticky"


def test_a_static_member_comes_back_under_a_new_id(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    leader, static = Client(group), Client(group, "static")
    stable(group, leader)
    static.join()
    leader.join()
    static.take()
    leader.sync({leader.member_id: b"l", static.member_id: b"s"})
    static.sync()
    again = Client(group, "static")
    result = again.join()
    assert result is not None
    assert (result.error_code, result.generation) == (0, 2)
    again.sync()
    assert again.synced[-1].assignment == b"s"
    assert leader.heartbeat() == 0
    assert static.heartbeat() == errors.FENCED_INSTANCE_ID


def test_a_static_leader_that_comes_back_may_skip_the_assignment(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    stable(group, Client(group, "static"))
    again = Client(group, "static")
    result = again.join(skip=True)
    assert result is not None
    assert result.skip_assignment
    assert result.leader == again.member_id


def test_leaving_by_instance_id(broker: Broker) -> None:
    group = broker.groups.for_classic_join("g", "")
    client = Client(group, "static")
    stable(group, client)
    assert group.leave("", "static") == client.member_id
    assert group.state is GroupState.EMPTY


def test_the_group_lives_on_after_a_restart(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker()
    group = broker.groups.for_classic_join("g", "")
    client = Client(group)
    stable(group, client)
    again = make_broker()
    group = again.groups.for_classic_member("g")
    assert group.state is GroupState.STABLE
    client.group = group
    assert client.heartbeat() == 0
    advance(again, clock, SESSION_MS)
    assert client.heartbeat() == errors.UNKNOWN_MEMBER_ID


def test_the_first_rebalance_waits_when_it_is_told_to(make_broker: MakeBroker, clock: FakeClock) -> None:
    broker = make_broker(group_initial_rebalance_delay_ms=3000)
    group = broker.groups.for_classic_join("g", "")
    clients = [Client(group), Client(group)]
    for client in clients:
        assert client.join() is None
    advance(broker, clock, 3000)
    assert not clients[0].joined, "the second one came within the delay: more may come"
    advance(broker, clock, 2999)
    assert not clients[0].joined
    advance(broker, clock, 1)
    assert [client.joined[-1].generation for client in clients] == [1, 1]


def test_a_full_group_takes_no_more(make_broker: MakeBroker) -> None:
    group = make_broker(group_max_size=1).groups.for_classic_join("g", "")
    stable(group, Client(group))
    result = Client(group).join()
    assert result is not None
    assert result.error_code == errors.GROUP_MAX_SIZE_REACHED
