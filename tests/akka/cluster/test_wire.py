"""Cluster messages on the wire: every kind there and back, literal bytes, what is broken is refused."""

from __future__ import annotations

import contextlib
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster import messages as m
from smackbox.akka.cluster.gossip import Gossip
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.reachability import Reachability, ReachabilityStatus
from smackbox.akka.cluster.vector_clock import VectorClock
from smackbox.akka.cluster.wire import READERS, WRITERS
from smackbox.akka.remote.serialization import Serialization, SerializationError


def node(number: int, uid: int) -> UniqueAddress:
    return UniqueAddress(Address("pekko", "lab", "127.0.0.1", number), uid)


A, B, C = node(1, 1), node(2, -2), node(3, 2**62 + 5)
NODE = b"\x0a\x19\x0a\x03lab\x12\x09127.0.0.1\x18\x01\x22\x05pekko\x10\x01"
ROLES = frozenset({"dc-default", "worker"})
GOSSIP = Gossip(
    {A: Member(A, MemberStatus.UP, 1), B: Member(B, MemberStatus.EXITING, 2, ROLES, "1.2.3")},
    frozenset({B}),
    Reachability().change(A, B, ReachabilityStatus.TERMINATED).change(B, A, ReachabilityStatus.UNREACHABLE),
    VectorClock({A.clock_name: 3, B.clock_name: 2**40}),
    {C: 1_700_000_000_000},
)
MESSAGES = [
    m.InitJoin('pekko { version = "1.4.0" }'),
    m.InitJoinAck(A.address, m.ConfigCheck.COMPATIBLE, "{}"),
    m.InitJoinAck(A.address, m.ConfigCheck.INCOMPATIBLE),
    m.InitJoinNack(A.address),
    m.Join(B, ROLES, "1.2.3"),
    m.Welcome(A, GOSSIP),
    m.GossipEnvelope(A, B, GOSSIP),
    m.GossipStatus(A, GOSSIP.version, GOSSIP.seen_digest),
    m.Heartbeat(A.address, 7, -123),
    m.HeartbeatResponse(C, 7, -123),
    m.ExitingConfirmed(B),
    m.Leave(A.address),
    m.Down(A.address),
]


@pytest.fixture
def serialization() -> Serialization:
    def nothing(_: Any) -> Any:
        raise AssertionError("no reference is in a cluster message")

    made = Serialization(nothing, nothing)
    made.add(WRITERS, READERS)
    return made


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_goes_there_and_back(serialization: Serialization, message: m.ClusterMessage) -> None:
    serializer, manifest, data = serialization.write(message)
    assert serializer == 5
    assert serialization.read(serializer, manifest, data) == message


def test_literal_bytes(serialization: Serialization) -> None:
    address = b"\x0a\x03lab\x12\x09127.0.0.1\x18\x01\x22\x05pekko"
    assert serialization.write(m.Leave(A.address)) == (5, "L", address)
    beat = b"\x0a" + bytes([len(address)]) + address + b"\x10\x07\x18\x03"
    assert serialization.write(m.Heartbeat(A.address, 7, -2)) == (5, "HB", beat)
    other = address.replace(b"\x18\x01", b"\x18\x02")
    confirmed = b"\x0a" + bytes([len(other)]) + other + b"\x10\xfe\xff\xff\xff\x0f\x18\xff\xff\xff\xff\x0f"
    assert serialization.write(m.ExitingConfirmed(B)) == (5, "EC", confirmed)


def test_roles_without_a_data_center_get_the_default_one(serialization: Serialization) -> None:
    _, manifest, data = serialization.write(m.Join(A, frozenset({"worker"}), "0.0.0"))
    assert serialization.read(5, manifest, data).roles == ROLES


@pytest.mark.parametrize("manifest", ["J", "W", "GE", "GS", "HB", "HBR", "EC", "L", "D", "IJA", "IJN"])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(manifest: str, data: bytes) -> None:
    made = Serialization(lambda _: None, lambda _: "")  # type: ignore[arg-type, return-value]
    made.add(WRITERS, READERS)
    with contextlib.suppress(SerializationError):
        assert isinstance(made.read(5, manifest, data), m.ClusterMessage)


@pytest.mark.parametrize("message", [m.Welcome(A, GOSSIP), m.GossipEnvelope(A, B, GOSSIP)])
def test_a_gossip_that_is_cut_or_names_places_that_are_not_there_is_refused(
    serialization: Serialization, message: m.ClusterMessage
) -> None:
    _, manifest, data = serialization.write(message)
    for end in range(len(data)):
        with pytest.raises(SerializationError):
            serialization.read(5, manifest, data[:end])
    member = b"\x22\x06\x08\x05\x10\x01\x18\x01"  # of the address 5, where there is none
    body = b"\x0a" + bytes([len(NODE)]) + NODE + b"\x12" + bytes([len(member) + 4]) + member + b"\x2a\x00\x32\x00"
    with pytest.raises(SerializationError, match="place 5 of 0"):
        serialization.read(5, "W", gzip.compress(body))
