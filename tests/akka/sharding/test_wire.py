"""Sharding on the wire: there and back, literal bytes, Java's hash, names, and where shards go."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import Member, MemberStatus, UniqueAddress
from smackbox.akka.cluster.names import encode_name
from smackbox.akka.ddata.data_wire import java_gzip
from smackbox.akka.remote.serialization import Serialization, SerializationError
from smackbox.akka.sharding import messages as m
from smackbox.akka.sharding.allocation import LeastShardAllocation, LimitedShardAllocation
from smackbox.akka.sharding.extractor import java_hash, shard_of
from smackbox.akka.sharding.wire import READERS, WRITERS

A = "pekko://lab@127.0.0.1:1/system/sharding/T#11"
B = "pekko://lab@127.0.0.1:2/system/sharding/T#22"
MESSAGES: list[tuple[str, Any]] = [
    ("AA", m.CoordinatorState({"1": A, "7": A, "3": B}, {A: ("1", "7"), B: ("3",)}, frozenset({B}))),
    ("BA", m.Register(A)),
    ("BB", m.RegisterProxy(A)),
    ("BC", m.RegisterAck(A)),
    ("BD", m.GetShardHome("7")),
    ("BE", m.ShardHome("7", A)),
    ("BF", m.HostShard("7")),
    ("BG", m.ShardStarted("7")),
    ("BH", m.BeginHandOff("7")),
    ("BI", m.BeginHandOffAck("7")),
    ("BJ", m.HandOff("7")),
    ("BK", m.ShardStopped("7")),
    ("BL", m.GracefulShutdownReq(A)),
    ("BM", m.RegionStopped(A)),
    ("BN", m.ShardHomes({A: ("1", "7"), B: ("3",)})),
    ("DC", m.GetShardRegionStats()),
    ("DD", m.ShardRegionStats({"7": 2, "8": 0}, frozenset({"9"}))),
    ("DE", m.GetClusterShardingStats(2.5)),
    ("DF", m.ClusterShardingStats({Address("pekko", "lab", "h", 1): m.ShardRegionStats({"7": 2})})),
    ("DG", m.GetCurrentRegions()),
    ("DH", m.CurrentRegions(frozenset({Address("pekko", "lab", "h", 1)}))),
    ("EA", m.StartEntity("alice")),
    ("EB", m.StartEntityAck("alice", "7")),
    ("FC", m.GetShardRegionState()),
    ("FE", m.CurrentShardRegionState({"7": frozenset({"alice", "bob"})}, frozenset({"8"}))),
]


def serialization() -> Serialization:
    """References are their paths."""
    made = Serialization(lambda path: path, lambda ref: ref)  # type: ignore[arg-type, return-value]
    made.add(WRITERS, READERS)
    return made


BOTH = serialization()


@pytest.mark.parametrize(("manifest", "message"), MESSAGES)
def test_a_message_goes_there_and_back(manifest: str, message: Any) -> None:
    serializer, found, data = BOTH.write(message)
    assert (serializer, found) == (13, manifest)
    assert BOTH.read(13, manifest, data) == message


def test_envelopes_have_a_serializer_of_their_own() -> None:
    envelope = m.ShardingEnvelope("alice", "hello")
    serializer, manifest, data = BOTH.write(envelope)
    assert (serializer, manifest, data) == (25, "a", b"\x0a\x05alice\x12\x09\x0a\x05hello\x10\x14")
    assert BOTH.read(25, "a", data) == envelope


def test_literal_bytes() -> None:
    assert BOTH.write(m.GetShardHome("7"))[2] == b"\x0a\x017"
    path = b"\x12" + bytes([len(A)]) + A.encode()
    assert BOTH.write(m.ShardHome("7", A))[2] == b"\x0a\x017" + path


def test_a_state_with_a_shard_of_an_unknown_region_is_refused() -> None:
    broken = java_gzip(b"\x0a\x06\x0a\x017\x12\x01x")
    with pytest.raises(SerializationError, match="not registered"):
        BOTH.read(13, "AA", broken)


@pytest.mark.parametrize("manifest", [manifest for manifest, _ in MESSAGES if manifest != "AA"])
@settings(max_examples=20)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_message_or_an_error(manifest: str, data: bytes) -> None:
    with contextlib.suppress(SerializationError):
        BOTH.read(13, manifest, data)


@pytest.mark.parametrize(
    ("text", "hashed"),
    [("", 0), ("a", 97), ("hello", 99162322), ("polygenelubricants", -(2**31)), ("Grüße", 69215351), ("😀", 1772899)],
)
def test_javas_hash(text: str, hashed: int) -> None:
    assert java_hash(text) == hashed


def test_shards_are_pekkos() -> None:
    assert shard_of("hello", 100) == "22" and shard_of("hello") == "322"
    assert shard_of("polygenelubricants", 1_000) == "-648", "as there: the lowest hash has no absolute"
    assert shard_of("Zebra-9", 10) == str(abs(java_hash("Zebra-9")) % 10)


def test_names_are_encoded_as_java_does() -> None:
    assert encode_name("a b*c~d/ü") == "a+b*c%7Ed%2F%C3%BC"


class Placement:
    def __init__(self, *members: Member) -> None:
        self.members = {f"r{member.node.uid}": member for member in members}
        self.is_calm = True

    def member_of(self, region: Any) -> Member | None:
        return self.members.get(region)


def member(number: int, status: MemberStatus = MemberStatus.UP, version: str = "1.0.0") -> Member:
    return Member(UniqueAddress(Address("pekko", "lab", "h", number), number), status, number, app_version=version)


def test_a_new_shard_goes_where_the_fewest_are() -> None:
    place = Placement(member(1), member(2), member(3, MemberStatus.LEAVING))
    for strategy in (LeastShardAllocation(), LimitedShardAllocation()):
        assert strategy.allocate("x", {"r1": ("a", "b"), "r2": ("c",), "r3": (), "r9": ()}, place) == "r2"
        assert strategy.allocate("x", {"r9": ()}, place) is None
    newer = Placement(member(1), member(2, version="1.1.0"))
    assert LeastShardAllocation().allocate("x", {"r1": (), "r2": ("a", "b")}, newer) == "r2"


def test_the_default_moves_one_shard_a_round_from_the_fullest_to_the_emptiest() -> None:
    place = Placement(member(1), member(2))
    strategy = LeastShardAllocation()
    full = {"r1": ("c", "a", "b"), "r2": ()}
    assert strategy.rebalance(full, (), place) == ["a"]
    assert strategy.rebalance(full, ("a",), place) == ["b"], "what moves already does not count"
    assert strategy.rebalance({"r1": ("a", "b"), "r2": ("c",)}, (), place) == ()
    assert LeastShardAllocation(threshold=2).rebalance({"r1": tuple("abcde"), "r2": ()}, (), place) == ["a", "b"]
    assert strategy.rebalance({"r1": tuple("abcdefgh"), "r2": ()}, ("a", "b", "c"), place) == ()


def test_the_limited_one_evens_out() -> None:
    place = Placement(member(1), member(2), member(3))
    strategy = LimitedShardAllocation(absolute_limit=4, relative_limit=1.0)
    assert strategy.rebalance({"r1": tuple("abcdef"), "r2": (), "r3": ()}, (), place) == list("abcd")
    assert strategy.rebalance({"r1": ("a", "b"), "r2": ("c", "d"), "r3": ()}, (), place) == ["a"]
    assert strategy.rebalance({"r1": ("a", "b"), "r2": ("c",), "r3": ("d",)}, (), place) == []
    assert strategy.rebalance({"r1": tuple("abcdef"), "r2": (), "r3": ()}, ("a",), place) == ()


def test_nothing_moves_in_unrest_or_during_a_rolling_update() -> None:
    full = {"r1": tuple("abcdef"), "r2": ()}
    calm, mixed = Placement(member(1), member(2)), Placement(member(1), member(2, version="2.0.0"))
    calm.is_calm = False
    for strategy in (LeastShardAllocation(), LimitedShardAllocation()):
        assert strategy.rebalance(full, (), calm) == () and strategy.rebalance(full, (), mixed) == ()
