"""Static members of a classic group (KIP-345, KIP-814): they come back under a new id."""

from __future__ import annotations

import pytest
from tests.kafka.state.classic_group_host import (
    COMPLETING,
    FENCED,
    PREPARING,
    REBALANCE_MS,
    STABLE,
    UNKNOWN,
    Host,
    stable,
)

from smackbox.kafka.state.classic_member import JoinResult, SyncResult
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_static_member_fences_whoever_waits_under_its_old_id(host: Host) -> None:
    first, _ = stable(host, "i", None)
    parked = host.join(first, "i")
    assert host.join(instance="i") == []
    assert parked == [JoinResult(FENCED, first)]
    [new] = [one for one in host.group.members if one.startswith("i-")]
    assert (host.group.static, host.group.leader) == ({"i": new}, new)
    assert host.heartbeat(first, "i") == FENCED
    assert host.heartbeat(first) == UNKNOWN


def test_a_static_member_fences_whoever_syncs_under_its_old_id(host: Host) -> None:
    first, second = stable(host, None, "i")
    host.join(first)
    host.join(second, "i")
    parked = host.sync(second, "i")
    host.join(instance="i")
    assert parked == [SyncResult(FENCED)]
    assert host.group.state is PREPARING, "the leader assigned the old id"


def test_a_static_follower_comes_back_without_a_rebalance(host: Host) -> None:
    first, second = stable(host, None, "i")
    [answer] = host.join(instance="i")
    assert (answer.error_code, answer.generation, answer.leader) == (0, 2, first)
    assert answer.member_id != second
    assert host.group.state is STABLE
    assert host.sync(answer.member_id, "i") == [SyncResult(0, "consumer", "range", second.encode())]


@pytest.mark.parametrize("skip", [True, False])
def test_a_static_leader_comes_back(host: Host, skip: bool) -> None:
    """KIP-814: one that cannot skip the assignment is told that it follows, so that it computes none."""
    first, _ = stable(host, "i", None)
    [answer] = host.join(instance="i", supports_skip_assignment=skip)
    assert answer.skip_assignment is skip
    assert answer.leader == (answer.member_id if skip else first)
    assert len(answer.members) == (2 if skip else 0)
    assert host.group.leader == answer.member_id


def test_a_static_member_with_other_protocols_starts_a_rebalance_when_another_would_win(host: Host) -> None:
    stable(host, "i")
    [answer] = host.join(instance="i", protocols={"range": b"new"})
    assert (answer.error_code, host.group.state) == (0, STABLE), "the same protocol wins"
    [answer] = host.join(instance="i", protocols={"sticky": b"s", "range": b"r"})
    assert (answer.protocol_name, host.group.state) == ("sticky", COMPLETING)


def test_a_static_member_whose_record_is_refused(host: Host) -> None:
    stable(host, "i")
    host.error = KafkaError(errors.NOT_COORDINATOR)
    [answer] = host.join(instance="i")
    assert answer.error_code == errors.NOT_COORDINATOR


def test_silent_static_members_keep_their_places(host: Host) -> None:
    """A rebalance goes on without them, and for another round when nobody else is there (KIP-345)."""
    first, second = stable(host, "i", "j")
    host.group.rebalance()
    host.group.members[first].session_timeout_ms = host.group.members[second].session_timeout_ms = 10**9
    for member_id, instance in ((first, "i"), (second, "j")):
        host.group.check_commit(member_id, instance, host.group.generation, transactional=True)
    host.advance(REBALANCE_MS)
    assert (host.group.state, host.group.generation, len(host.group.members)) == (PREPARING, 2, 2)
    joined = host.join(second, "j")
    host.advance(REBALANCE_MS)
    assert [(answer.generation, answer.leader) for answer in joined] == [(3, second)]
    assert set(host.group.members) == {first, second}
