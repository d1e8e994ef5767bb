"""The KIP-848 group alone: epochs, who is fenced, static members, and who may commit.

`test_consumer_group` has the same machine inside a broker, with consumers that do as they are told.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.kafka.state.conftest import MakeBroker

from smackbox.base.clock import FakeClock
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.consumer_group import ConsumerGroup
from smackbox.kafka.state.consumer_member import ConsumerGroupState, HeartbeatRequest, HeartbeatResult, MemberState
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.group_coordinator import FIRST_EPOCH
from smackbox.kafka.state.timers import Timers
from smackbox.kafka.wire import error_codes as errors

SESSION_MS, REBALANCE_MS = 45_000, 10_000
UNKNOWN, STALE, FENCED_EPOCH = errors.UNKNOWN_MEMBER_ID, errors.STALE_MEMBER_EPOCH, errors.FENCED_MEMBER_EPOCH


class Host:
    """A group over the topics of a broker, and what of it was to be written."""

    def __init__(self, broker: Broker, max_size: int = 10) -> None:
        self.topic = broker.catalog.create("t", 4, {}).topic_id
        self.other = broker.catalog.create("u", 2, {}).topic_id
        self.clock, self.timers = FakeClock(), Timers()
        self.written: list[set[str]] = []
        self.group = ConsumerGroup(
            "g", broker.catalog, self.timers, self.clock.monotonic_ms, SESSION_MS, max_size,
            lambda _, dirty: self.written.append(set(dirty)), lambda *_: False, FIRST_EPOCH,
        )  # fmt: skip

    def beat(self, name: str, epoch: int | None = None, **changes: Any) -> HeartbeatResult:
        """A heartbeat; without an epoch the member's own, and a join where it is none."""
        member = self.group.members.get(name)
        at = epoch if epoch is not None else member.epoch if member is not None else 0
        said: dict[str, Any] = {
            "member_id": name, "epoch": at, "instance_id": None, "rack_id": None, "client_id": "c",
            "client_host": "/h", "rebalance_timeout_ms": REBALANCE_MS if at == 0 else -1,
            "topics": ["t"] if at == 0 else None, "pattern": None, "assignor": None,
            "owned": {} if at == 0 else None,
        }  # fmt: skip
        return self.group.consumer_heartbeat(HeartbeatRequest(**(said | changes)))

    def code(self, name: str, epoch: int | None = None, **changes: Any) -> int:
        with pytest.raises(KafkaError) as raised:
            self.beat(name, epoch, **changes)
        return raised.value.code

    def advance(self, duration_ms: int) -> None:
        self.clock.advance_ms(duration_ms)
        self.timers.tick(self.clock.monotonic_ms())

    def settle(self, *names: str) -> None:
        for _ in range(4):
            for name in names:
                owned = {topic: set(indexes) for topic, indexes in self.group.members[name].assigned.items()}
                self.beat(name, owned=owned)


@pytest.fixture
def host(broker: Broker) -> Host:
    return Host(broker)


def test_the_group_epoch_rises_with_what_changes_the_assignment_alone(host: Host) -> None:
    host.beat("a")
    epochs = [host.group.epoch]
    for changes in (
        {},
        {"topics": ["t"]},
        {"topics": ["t", "u"]},
        {"rack_id": "r"},
        {"assignor": "range"},
        {"assignor": "range"},
        {"pattern": "x.*"},
        {"rebalance_timeout_ms": 5},
    ):
        host.beat("a", **changes)
        epochs.append(host.group.epoch - epochs[0])
    assert epochs[1:] == [0, 0, 1, 1, 2, 2, 3, 3]
    member = host.group.members["a"]
    assert (member.rack_id, member.assignor, member.pattern, member.rebalance_timeout_ms) == ("r", "range", "x.*", 5)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({}, False),
        ({"epoch": 0}, True),
        ({"rebalance_timeout_ms": 1, "topics": ["t"], "owned": {}}, True),
        ({"rebalance_timeout_ms": 1, "topics": ["t"]}, False),
        ({"topics": ["t"], "owned": {}}, False),
        ({"rebalance_timeout_ms": 1, "owned": {}}, False),
        ({"topics": ["u"], "owned": {}}, True),
    ],
)
def test_when_the_assignment_is_sent(host: Host, changes: dict[str, Any], sent: bool) -> None:
    """With a join, a full request, or a change; else null says that it is as it was."""
    host.beat("a")
    assert (host.beat("a", **changes).assignment is not None) is sent


def test_a_member_that_subscribes_to_nothing_is_a_member(host: Host) -> None:
    host.beat("a", topics=[], rebalance_timeout_ms=0)
    assert (host.group.epoch, host.group.members["a"].rebalance_timeout_ms) == (2, 0)
    assert host.group.state is ConsumerGroupState.STABLE


def test_what_is_sent_is_a_copy(host: Host) -> None:
    given = host.beat("a").assignment
    assert given == {host.topic: {0, 1, 2, 3}}
    given[host.topic].clear()
    assert host.group.members["a"].assigned == {host.topic: {0, 1, 2, 3}}


# --- fencing


def test_epochs_that_are_fenced(host: Host) -> None:
    host.beat("a")
    host.beat("a", topics=["t", "u"])
    member = host.group.members["a"]
    assert host.code("a", member.epoch + 1) == FENCED_EPOCH
    assert host.code("a", member.epoch - 2) == FENCED_EPOCH
    assert host.code("b", 5) == UNKNOWN
    lost = member.previous_epoch
    assert lost == member.epoch - 1
    assert host.code("a", lost) == FENCED_EPOCH, "it does not say what it owns"
    assert host.code("a", lost, owned={host.topic: {0, 9}}) == FENCED_EPOCH, "it owns what it was not given"
    assert host.beat("a", lost, owned={host.topic: {0, 1, 2, 3}}).epoch == member.epoch


def test_a_full_group(broker: Broker) -> None:
    host = Host(broker, max_size=1)
    host.beat("a")
    assert host.code("b") == errors.GROUP_MAX_SIZE_REACHED
    assert host.beat("a", 0).member_id == "a", "who is in may join again"


def test_a_wrong_pattern(host: Host) -> None:
    assert host.code("a", pattern="(") == errors.INVALID_REGULAR_EXPRESSION


# --- static members


def test_a_static_member_leaves_for_a_while_and_comes_back(host: Host) -> None:
    host.beat("a", instance_id="i")
    epoch = host.group.members["a"].epoch
    assert host.code("b", 0, instance_id="i") == errors.UNRELEASED_INSTANCE_ID
    assert host.code("b", 3, instance_id="i") == errors.FENCED_INSTANCE_ID
    assert host.code("a", 3, instance_id="j") == UNKNOWN
    for _ in range(2):
        assert host.beat("a", -2, instance_id="i") == HeartbeatResult("a", -2, None)
    assert host.group.members["a"].epoch == -2
    before = host.group.epoch
    result = host.beat("b", 0, instance_id="i")
    assert (result.epoch, result.assignment) == (epoch, {host.topic: {0, 1, 2, 3}})
    assert (list(host.group.members), host.group.static, host.group.epoch) == (["b"], {"i": "b"}, before)
    assert {"a", "b"} <= host.written[-1], "the old records go, the new ones come"


def test_a_static_member_that_stays_away_is_out(host: Host) -> None:
    host.beat("a", instance_id="i")
    host.beat("a", -2, instance_id="i")
    host.advance(SESSION_MS - 1)
    assert "a" in host.group.members
    host.advance(1)
    assert (host.group.members, host.group.static, host.group.state) == ({}, {}, ConsumerGroupState.EMPTY)


@pytest.mark.parametrize(
    ("name", "epoch", "instance", "code"),
    [("b", -1, None, UNKNOWN), ("b", -1, "i", errors.FENCED_INSTANCE_ID), ("a", -2, "j", UNKNOWN)],
)
def test_who_cannot_leave(host: Host, name: str, epoch: int, instance: str | None, code: int) -> None:
    host.beat("a", instance_id="i")
    assert host.code(name, epoch, instance_id=instance) == code
    assert list(host.group.members) == ["a"]


def test_a_static_member_that_leaves_for_good_and_one_that_is_not_static(host: Host) -> None:
    host.beat("a", instance_id="i")
    host.beat("b")
    host.beat("b", -2)
    assert list(host.group.members) == ["a"], "only a static member can come back"
    host.beat("a", -1, instance_id="i")
    assert (host.group.members, host.group.static) == ({}, {})
    assert host.group.assignment_epoch == host.group.epoch


def test_a_member_becomes_static_and_changes_its_name(host: Host) -> None:
    host.beat("a")
    host.beat("a", 0, instance_id="i")
    assert host.group.static == {"i": "a"}
    host.beat("a", 0, instance_id="j")
    assert host.group.static == {"j": "a"}
    written = len(host.written)
    assert host.code("a", 0, instance_id="j") == errors.UNRELEASED_INSTANCE_ID, "it has not left"
    host.beat("a", instance_id="j")
    assert len(host.written) == written, "nothing has changed"


def test_a_static_member_that_leaves_twice_keeps_its_epoch_and_begins_its_session_again(host: Host) -> None:
    host.beat("a", instance_id="i")
    host.beat("a", topics=["t", "u"])
    epochs = (host.group.members["a"].epoch, host.group.members["a"].previous_epoch)
    assert epochs == (3, 2)
    host.advance(SESSION_MS - 1)
    written = len(host.written)
    host.beat("a", -2, instance_id="i")
    assert host.written[written:] == [{"a"}]
    host.advance(SESSION_MS - 1)
    host.beat("a", -2, instance_id="i")
    host.advance(SESSION_MS - 1)
    assert host.group.members["a"].previous_epoch == 3
    assert host.beat("a", 0, instance_id="i", topics=["t", "u"]).epoch == 3


def test_what_changes_is_written(host: Host) -> None:
    host.beat("a")
    written = len(host.written)
    host.beat("a")
    host.beat("a", rack_id="r")
    assert len(host.written) == written, "an epoch, a session, a rack alone need no record"
    host.beat("a", assignor="range")
    assert host.written[written:] == [{"a"}]


# --- reconciling


def test_a_member_that_gives_nothing_up_waits_and_is_out_in_time(host: Host) -> None:
    host.beat("a")
    host.beat("b")
    host.beat("a")
    first = host.group.members["a"]
    assert (first.state, first.epoch) == (MemberState.UNREVOKED_PARTITIONS, 2)
    assert sum(map(len, first.held.values())) == 4
    assert host.group.members["b"].state is MemberState.UNRELEASED_PARTITIONS
    host.advance(REBALANCE_MS - 1)
    host.beat("a")
    assert "a" in host.group.members
    host.advance(1)
    assert list(host.group.members) == ["b"]


def test_a_member_that_gives_up_in_time_stays(host: Host) -> None:
    host.beat("a")
    host.beat("b")
    host.settle("a", "b")
    host.advance(REBALANCE_MS)
    assert set(host.group.members) == {"a", "b"}
    assert {len(member.assigned[host.topic]) for member in host.group.members.values()} == {2}
    assert host.group.state is ConsumerGroupState.STABLE
    taken = [index for member in host.group.members.values() for index in member.assigned[host.topic]]
    assert sorted(taken) == [0, 1, 2, 3]


def test_states_of_the_group(host: Host) -> None:
    assert host.group.state is ConsumerGroupState.EMPTY
    host.beat("a")
    assert host.group.state is ConsumerGroupState.STABLE
    host.beat("b")
    assert host.group.state is ConsumerGroupState.RECONCILING
    host.beat("b", -1)
    assert host.group.state is ConsumerGroupState.ASSIGNING
    host.group.dead = True
    assert host.group.state is ConsumerGroupState.DEAD


def test_the_assignor_that_most_ask_for(host: Host) -> None:
    host.beat("a", assignor="range")
    assert host.group.assignor == "range"
    host.beat("b", assignor="uniform")
    host.beat("c", assignor="uniform")
    assert host.group.assignor == "uniform"
    host.beat("d")
    assert host.group.assignor == "uniform"


def test_patterns_do_not_match_internal_topics_or_parts_of_names(host: Host, broker: Broker) -> None:
    broker.create_topic_automatically("__consumer_offsets")
    broker.catalog.create("tt", 1, {})
    assert host.beat("a", topics=[], pattern=".|__consumer.*").assignment == {
        host.topic: {0, 1, 2, 3},
        host.other: {0, 1},
    }
    assert host.group.subscribes_to("u")
    assert not host.group.subscribes_to("tt")
    assert not host.group.subscribes_to("nowhere")


def test_a_session_of_the_groups_own_length(make_broker: MakeBroker) -> None:
    """`consumer.session.timeout.ms` of the group takes precedence over the broker's."""
    broker = make_broker()
    host = Host(broker)
    broker.catalog.configure_group("g", {"consumer.session.timeout.ms": "50000"})
    host.beat("a")
    host.advance(49_999)
    assert "a" in host.group.members
    host.advance(1)
    assert host.group.members == {}


def test_a_heartbeat_moves_the_end_of_the_session(host: Host) -> None:
    host.beat("a")
    host.advance(SESSION_MS - 1)
    host.beat("a")
    host.advance(SESSION_MS - 1)
    assert "a" in host.group.members
    host.advance(1)
    assert host.group.members == {}


# --- commits and fetches


@pytest.mark.parametrize(
    ("name", "epoch", "transactional", "code"),
    [("a", 2, False, 0), ("a", 1, False, STALE), ("a", 3, False, STALE), ("b", 2, False, UNKNOWN),
     ("", -1, False, UNKNOWN), ("", -1, True, 0), ("a", -1, True, STALE)],
)  # fmt: skip
def test_who_may_commit(host: Host, name: str, epoch: int, transactional: bool, code: int) -> None:
    host.group.check_commit("", None, -1, [("t", 0)], transactional=False)
    with pytest.raises(KafkaError):
        host.group.check_commit("", None, 0, [("t", 0)], transactional=False)
    host.beat("a")
    if not code:
        host.group.check_commit(name, None, epoch, [("t", 0)], transactional=transactional)
        return
    with pytest.raises(KafkaError) as raised:
        host.group.check_commit(name, None, epoch, [("t", 0)], transactional=transactional)
    assert raised.value.code == code


def test_an_older_epoch_commits_what_the_member_has_had_since(host: Host) -> None:
    """A commit that is on its way while the epoch rises is not lost."""
    host.beat("a")
    host.beat("a", topics=["t", "u"])
    host.group.check_commit("a", None, 2, [("t", 0)], transactional=False)
    with pytest.raises(KafkaError) as raised:
        host.group.check_commit("a", None, 2, [("t", 0), ("u", 0)], transactional=False)
    assert raised.value.code == STALE


@pytest.mark.parametrize(
    ("name", "epoch", "code"), [(None, -1, 0), ("a", 2, 0), ("a", 1, STALE), ("b", 2, UNKNOWN), (None, 0, UNKNOWN)]
)
def test_who_may_fetch_offsets(host: Host, name: str | None, epoch: int, code: int) -> None:
    host.beat("a")
    if not code:
        host.group.check_offset_fetch(name, epoch)
        return
    with pytest.raises(KafkaError) as raised:
        host.group.check_offset_fetch(name, epoch)
    assert raised.value.code == code


def test_the_end_of_all_timers(host: Host) -> None:
    host.beat("a")
    host.beat("b")
    host.beat("a")
    host.group.close_sessions()
    assert host.timers.next_deadline_ms() is None
    host.group.restore_sessions()
    host.advance(REBALANCE_MS)
    assert list(host.group.members) == ["b"], "the time to give up counts again after a start"
    host.advance(SESSION_MS)
    assert host.group.members == {}
