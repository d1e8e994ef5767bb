"""The classic group alone: what each parked request is answered, whoever comes, goes or falls silent meanwhile.

`test_classic_group` has the same machine inside a broker.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.kafka.state.classic_group_host import (
    COMPLETING,
    EMPTY,
    FENCED,
    PREPARING,
    REBALANCE_MS,
    SESSION_MS,
    STABLE,
    UNKNOWN,
    Host,
    stable,
)

from smackbox.kafka.state.classic_member import JoinResult, Member, SyncResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors


@pytest.fixture
def host() -> Host:
    return Host()


# --- who waits is answered once


def test_a_second_join_of_a_member_answers_the_first(host: Host) -> None:
    first, _ = stable(host, None, None)
    waiting = host.join(first)
    again = host.join(first)
    assert [answer.error_code for answer in waiting] == [UNKNOWN]
    assert again == []


def test_a_second_sync_of_a_member_answers_the_first(host: Host) -> None:
    stable(host, None, None)
    first, second = list(host.group.members)
    for member_id in (first, second):
        host.join(member_id)
    waiting, again = host.sync(second), host.sync(second)
    assert [answer.error_code for answer in waiting] == [UNKNOWN]
    host.sync(first, c_2=b"two")
    assert again == [SyncResult(0, "consumer", "range", b"two")]


def test_who_comes_while_others_sync_sends_them_back(host: Host) -> None:
    first, second = stable(host, None, None)
    for member_id in (first, second):
        host.join(member_id)
    waiting = host.sync(second)
    host.join()
    assert [answer.error_code for answer in waiting] == [errors.REBALANCE_IN_PROGRESS]
    assert host.group.members[second].assignment == b""
    assert host.sync(second)[0].error_code == errors.REBALANCE_IN_PROGRESS
    assert host.heartbeat(second) == errors.REBALANCE_IN_PROGRESS


def test_a_member_that_asks_again_while_others_sync_gets_the_same_answer(host: Host) -> None:
    first, second = stable(host, None, None)
    answers = [host.join(first), host.join(second)]
    assert host.group.state is COMPLETING
    assert [host.join(first), host.join(second)] == answers
    assert [len(answer[0].members) for answer in answers] == [2, 0], "the leader alone gets the subscriptions"
    assert host.group.generation == 3


def test_a_follower_of_a_stable_group_asks_again(host: Host) -> None:
    """Only the leader starts a rebalance by joining again with the same subscriptions."""
    first, second = stable(host, None, None)
    [answer] = host.join(second)
    assert (answer.error_code, answer.generation, answer.leader, host.group.state) == (0, 2, first, STABLE)
    assert host.join(first) == []
    assert host.group.state is PREPARING


# --- who goes


def test_the_leader_goes_and_the_next_member_leads(host: Host) -> None:
    first, second = stable(host, None, None)
    assert host.group.leave(first, None) == first
    assert (host.group.leader, host.group.state) == (second, PREPARING)
    [answer] = host.join(second)
    assert (answer.leader, len(answer.members), answer.generation) == (second, 1, 3)


def test_the_last_member_goes(host: Host) -> None:
    [only] = stable(host, "i")
    persisted = host.persisted
    assert host.group.leave("", "i") == only
    assert (host.group.state, host.group.leader, host.group.protocol_name) == (EMPTY, None, None)
    assert (host.group.generation, host.group.static, host.persisted) == (2, {}, persisted + 1)
    assert host.heartbeat(only) == UNKNOWN
    assert host.timers.next_deadline_ms() is None, "no timer is left"


@pytest.mark.parametrize(
    ("member", "instance", "code"),
    [("nobody", None, UNKNOWN), ("", "nobody", UNKNOWN), ("nobody", "i", FENCED), ("", None, UNKNOWN)],
)
def test_who_is_not_there_cannot_leave(host: Host, member: str, instance: str | None, code: int) -> None:
    stable(host, "i")
    with pytest.raises(KafkaError) as raised:
        host.group.leave(member, instance)
    assert raised.value.code == code
    assert host.group.state is STABLE


def test_the_last_one_that_is_waited_for_goes(host: Host) -> None:
    first, second = stable(host, None, None)
    waiting = host.join(first)
    host.group.leave(second, None)
    assert [(answer.error_code, answer.generation) for answer in waiting] == [(0, 3)]


def test_one_that_was_given_an_id_is_waited_for_its_session(host: Host) -> None:
    """KIP-394."""
    first, _ = stable(host, None, None)
    [told] = host.join(require_known_member=True, session_timeout_ms=500)
    assert (told.error_code, told.member_id) == (errors.MEMBER_ID_REQUIRED, "c-3")
    waiting = [host.join(first), host.join("c-2")]
    host.advance(499)
    assert waiting == [[], []]
    host.advance(1)
    assert [answer.generation for answers in waiting for answer in answers] == [3, 3]
    assert host.join("c-3")[0].error_code == UNKNOWN


def test_a_commit_is_a_sign_of_life(host: Host) -> None:
    [only] = stable(host, None)
    host.advance(SESSION_MS - 1)
    host.group.check_commit(only, None, 1, transactional=False)
    host.advance(SESSION_MS - 1)
    assert only in host.group.members


def test_one_who_waits_is_not_silent(host: Host) -> None:
    first, second = stable(host, None, None)
    waiting = host.join(first)
    for _ in range(3):
        host.advance(SESSION_MS - 1)
        assert host.heartbeat(second) in {errors.REBALANCE_IN_PROGRESS, UNKNOWN}
    assert first in host.group.members
    host.advance(REBALANCE_MS)
    assert [(answer.error_code, answer.generation) for answer in waiting] == [(0, 3)]


def test_a_session_ends_its_timeout_after_the_last_request(host: Host) -> None:
    [only] = stable(host, None)
    host.advance(SESSION_MS - 1)
    assert host.heartbeat(only) == 0
    host.advance(SESSION_MS - 1)
    assert only in host.group.members
    host.advance(1)
    assert host.group.members == {}


def test_members_that_do_not_sync_are_dropped_and_the_others_join_again(host: Host) -> None:
    first, second = stable(host, None, None)
    host.join(first)
    host.join(second)
    waiting = host.sync(first)
    for _ in range(4):
        host.advance(REBALANCE_MS // 4 - 1)
        assert host.heartbeat(first) == host.heartbeat(second) == 0
    assert second in host.group.members
    host.advance(4)
    assert [answer.error_code for answer in waiting] == [0], "the leader's own assignment was stored"
    assert list(host.group.members) == [first]
    assert host.group.state is PREPARING


# --- the disk


def test_an_assignment_that_is_not_stored_is_not_given(host: Host) -> None:
    host.join()
    host.error = KafkaError(errors.NOT_COORDINATOR)
    assert [answer.error_code for answer in host.sync("c-1", c_1=b"x")] == [errors.NOT_COORDINATOR]
    assert (host.group.state, host.group.members["c-1"].assignment) == (PREPARING, b"")


def test_an_assignment_that_is_stored_after_the_next_rebalance_began_is_not_given(host: Host) -> None:
    host.join()
    host.late = []
    answers = host.sync("c-1", c_1=b"x")
    assert (answers, host.group.state) == ([], COMPLETING)
    host.join()
    assert [answer.error_code for answer in answers] == [errors.REBALANCE_IN_PROGRESS]
    for done in host.late:
        done(None)
    assert (len(answers), host.group.state) == (1, PREPARING)


# --- protocols


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"protocols": {}}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": "connect"}, errors.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocols": {"sticky": b""}}, errors.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
def test_protocols_that_do_not_meet(host: Host, asked: dict[str, Any], code: int) -> None:
    stable(host, None)
    assert [answer.error_code for answer in host.join(**asked)] == [code]
    assert len(host.group.members) == 1


@pytest.mark.parametrize("asked", [{"protocols": {}}, {"protocol_type": ""}])
def test_the_first_member_says_its_protocols(host: Host, asked: dict[str, Any]) -> None:
    assert [answer.error_code for answer in host.join(**asked)] == [errors.INCONSISTENT_GROUP_PROTOCOL]
    assert host.group.members == {}


def test_members_vote_for_their_first_protocol_that_all_have(host: Host) -> None:
    host.join(protocols={"only-mine": b"", "a": b"", "b": b""})
    host.join(protocols={"b": b"", "a": b""})
    host.join(protocols={"b": b"", "a": b""})
    for member_id in list(host.group.members)[:1]:
        host.join(member_id, protocols={"only-mine": b"", "a": b"", "b": b""})
    assert (host.group.state, host.group.protocol_name) == (COMPLETING, "b")


@pytest.mark.parametrize(
    ("protocol_type", "protocol", "code"),
    [(None, None, 0), ("consumer", "range", 0), ("connect", None, errors.INCONSISTENT_GROUP_PROTOCOL),
     (None, "sticky", errors.INCONSISTENT_GROUP_PROTOCOL)],
)  # fmt: skip
def test_a_sync_names_its_protocol(host: Host, protocol_type: str | None, protocol: str | None, code: int) -> None:
    """KIP-559."""
    [only] = stable(host, None)
    answers: list[SyncResult] = []
    host.group.sync(only, None, 1, protocol_type, protocol, {}, answers.append)
    assert [answer.error_code for answer in answers] == [code]


# --- the first rebalance (KIP-134)


def test_the_first_rebalance_waits_no_longer_than_its_members_allow() -> None:
    host = Host(initial_delay_ms=3_000)
    first = host.join(rebalance_timeout_ms=4_000)
    host.advance(2_999)
    second = host.join(rebalance_timeout_ms=4_000)
    host.advance(1_000)
    assert first == second == []
    third = host.join(rebalance_timeout_ms=4_000)
    assert first == second == third == []
    host.advance(1)
    assert [answer.generation for answer in (*first, *second, *third)] == [1, 1, 1]


def test_a_group_that_takes_over_the_members_of_another_kind(host: Host) -> None:
    """KIP-848: the downgrade of a group whose members all speak the classic protocol."""
    members = [
        Member(name, instance, "c", "/h", SESSION_MS, REBALANCE_MS, {"range": b"r"}, name.encode())
        for name, instance in (("a", None), ("b", "i"))
    ]
    host.group.take_over("consumer", 7, members)
    group = host.group
    assert (group.state, group.generation, group.leader, group.protocol_name) == (STABLE, 7, "a", "range")
    assert (list(group.members), group.static) == (["a", "b"], {"i": "b"})
    assert host.sync("b", "i") == [SyncResult(0, "consumer", "range", b"b")]
    host.advance(SESSION_MS)
    assert group.members == {}


def test_a_group_that_is_taken_over_sends_everyone_back(host: Host) -> None:
    first, second = stable(host, None, None)
    joining = host.join(first)
    host.group.dismiss_waiting()
    assert joining == [JoinResult(errors.REBALANCE_IN_PROGRESS, first)]
    host.join(first)
    host.join(second)
    syncing = host.sync(second)
    host.group.dismiss_waiting()
    assert syncing == [SyncResult(errors.REBALANCE_IN_PROGRESS)]


# --- limits, commits, deletions


def test_a_full_group_takes_back_its_static_members_alone() -> None:
    host = Host(max_size=1)
    stable(host, "i")
    assert [host.join(instance=name)[0].error_code for name in ("j", None)] == [errors.GROUP_MAX_SIZE_REACHED] * 2
    assert host.join(instance="i")[0].error_code == 0
    pending = Host(max_size=1)
    assert pending.join(require_known_member=True)[0].error_code == errors.MEMBER_ID_REQUIRED
    assert pending.join()[0].error_code == errors.GROUP_MAX_SIZE_REACHED, "one who was told to come back counts"


@pytest.mark.parametrize(
    ("member", "instance", "generation", "transactional", "code"),
    [
        ("c-1", None, 1, False, 0),
        ("c-1", None, 1, True, 0),
        ("c-1", None, 2, False, errors.ILLEGAL_GENERATION),
        ("c-1", None, -1, False, errors.ILLEGAL_GENERATION),
        ("nobody", None, 1, False, UNKNOWN),
        ("", None, -1, False, UNKNOWN),
        ("", None, -1, True, 0),
        ("", "i", -1, True, UNKNOWN),
        ("", None, 0, True, UNKNOWN),
        ("c-1", "i", 1, False, UNKNOWN),
    ],
)
def test_who_may_commit(
    host: Host, member: str, instance: str | None, generation: int, transactional: bool, code: int
) -> None:
    """KIP-447: a transaction may commit without naming a member."""
    stable(host, None)
    if not code:
        host.group.check_commit(member, instance, generation, transactional=transactional)
        return
    with pytest.raises(KafkaError) as raised:
        host.group.check_commit(member, instance, generation, transactional=transactional)
    assert raised.value.code == code


def test_commits_in_the_middle_of_a_rebalance(host: Host) -> None:
    host.join()
    assert host.group.state is COMPLETING
    with pytest.raises(KafkaError) as raised:
        host.group.check_commit("c-1", None, 1, transactional=False)
    assert raised.value.code == errors.REBALANCE_IN_PROGRESS
    host.group.check_commit("c-1", None, 1, transactional=True)


def test_a_group_without_members_takes_the_offsets_of_consumers_that_assign_themselves(host: Host) -> None:
    host.group.check_commit("", None, -1, transactional=False)
    with pytest.raises(KafkaError):
        host.group.check_commit("", None, 0, transactional=False)


def test_offsets_of_a_group_of_another_protocol_are_not_deleted(host: Host) -> None:
    host.group.check_offset_deletion()
    host.join(protocol_type="connect")
    with pytest.raises(KafkaError) as raised:
        host.group.check_offset_deletion()
    assert raised.value.code == errors.NON_EMPTY_GROUP
    assert not host.group.subscribes_to("t")
    consumers = Host()
    stable(consumers, None)
    consumers.group.check_offset_deletion()


SUBSCRIPTION = bytes.fromhex("0000 00000001 0001 74 ffffffff")


@pytest.mark.parametrize(("metadata", "topic", "subscribes"), [(SUBSCRIPTION, "t", True), (SUBSCRIPTION, "u", False),
                                                               (b"\xff", "u", True)])  # fmt: skip
def test_what_a_group_subscribes_to(host: Host, metadata: bytes, topic: str, subscribes: bool) -> None:
    assert not host.group.subscribes_to(topic)
    host.join(protocols={"range": metadata})
    assert host.group.subscribes_to(topic) is subscribes


def test_the_end_of_all_timers(host: Host) -> None:
    stable(host, None)
    host.join(require_known_member=True)
    host.group.close_sessions()
    assert host.timers.next_deadline_ms() is None
    assert host.group.pending_members == {}


def test_the_time_of_the_last_change_of_state(host: Host) -> None:
    host.advance(500)
    stable(host, None)
    assert host.group.state_changed_ms == host.clock.wall_ms()
    assert (host.group.kind, host.group.empty) == ("classic", False)
