"""Replicated data and replicators' messages on the wire: there and back, literal bytes, broken ones, equal digests."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata import messages as m
from smackbox.akka.ddata.counter import GCounter, PNCounter
from smackbox.akka.ddata.data import DELETED, Data, Int32, Key
from smackbox.akka.ddata.data_wire import java_gzip
from smackbox.akka.ddata.envelope import DataEnvelope, Initialized, Performed
from smackbox.akka.ddata.gset import GSet
from smackbox.akka.ddata.ormap import LWWMap, ORMap, ORMultiMap, PNCounterMap
from smackbox.akka.ddata.orset import ORSet
from smackbox.akka.ddata.register import Flag, LWWRegister
from smackbox.akka.ddata.replicator_wire import ReplicatorWire
from smackbox.akka.ddata.version_vector import VersionVector
from smackbox.akka.remote.serialization import Serialization, SerializationError, gunzip


def node(number: int, uid: int) -> UniqueAddress:
    return UniqueAddress(Address("pekko", "lab", "127.0.0.1", number), uid)


A, B = node(1, 1), node(2, -(2**62) - 5)


def serialization() -> Serialization:
    made = Serialization(lambda _: None, lambda _: "")  # type: ignore[arg-type, return-value]
    ReplicatorWire(made, "lab").install()
    return made


BOTH = serialization()

SET = ORSet().add(A, "b").add(A, "a").add(B, 7).add(B, Int32(3)).add(B, b"bytes").remove(A, "b")
MULTI = ORMultiMap.with_value_deltas().add(A, "k", "x").add(B, "k", "y").discard(A, "k", "x")
DATA: list[Data] = [
    DELETED,
    GSet().add("x").add(5).add(Int32(-5)).add(True),
    SET.reset_delta(),
    Flag(True),
    LWWRegister(B, "value", -(2**40)),
    GCounter().increment(A, 128).increment(B, 2**70),
    PNCounter().increment(A, 5).decrement(B, 7),
    ORMap().put(A, "k", GSet().add("x")).put(B, 5, Flag(True)).reset_delta(),
    LWWMap().put(A, "k", 1, 100).put(B, "l", "v", 200).reset_delta(),
    PNCounterMap().increment(A, "k", 3).reset_delta(),
    MULTI.reset_delta(),
    ORMultiMap().add(A, "k", "x").reset_delta(),
    VersionVector({A: 1, B: 2**60}),
]
DELTAS: list[Any] = [
    SET.delta,
    ORSet().add(A, "x").delta,
    ORSet().add(A, "x").reset_delta().remove(A, "x").delta,
    ORSet().add(A, "x").reset_delta().clear().delta,
    ORMap().put(A, "k", Flag(True)).delta,
    ORMap().put(A, "k", Flag(True)).reset_delta().remove(A, "k").delta,
    LWWMap().put(A, "k", 1, 100).put(B, "l", "v", 200).remove(A, "k").delta,
    MULTI.delta,
    MULTI.reset_delta().remove(A, "k").delta,
]
ENVELOPE = DataEnvelope(
    GCounter().increment(A, 5).reset_delta(),
    {A: Performed(2**41), B: Initialized(A, frozenset({A.address, B.address}))},
    VersionVector({A: 7}),
)
MESSAGES: list[Any] = [
    ENVELOPE,
    m.Write("key", ENVELOPE, A),
    m.WriteAck(),
    m.WriteNack(),
    m.DeltaNack(),
    m.Read("key", B),
    m.ReadResult(ENVELOPE),
    m.ReadResult(None),
    m.Status({"key": b"\x01\x02", "gone": b""}, 1, 3, B.uid, A.uid),
    m.Gossip({"key": ENVELOPE}, True, B.uid, A.uid),
    m.Deltas(A, True, {"key": m.RangedDelta(ENVELOPE, 3, 5), "other": m.RangedDelta(ENVELOPE, 3, 3)}),
]


@pytest.mark.parametrize("value", [*DATA, *DELTAS], ids=lambda value: type(value).__name__)
def test_data_goes_there_and_back(value: Data) -> None:
    serializer, manifest, data = BOTH.write(value)
    assert serializer == 11
    found = BOTH.read(serializer, manifest, data)
    assert found == value
    assert BOTH.write(found) == (serializer, manifest, data), "the same bytes again, or digests never agree"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_goes_there_and_back(message: Any) -> None:
    serializer, manifest, data = BOTH.write(message)
    assert serializer == 12 and BOTH.read(serializer, manifest, data) == message


def test_manifests_are_pekkos() -> None:
    assert [BOTH.write(value)[1] for value in DATA] == list("ABCDEFGHIJKKL")
    assert [BOTH.write(value)[1] for value in DELTAS] == ["Cg", "Ca", "Cr", "Cf", "Ha", "Hr", "Hg", "Hg", "Hg"]
    assert [BOTH.write(message)[1] for message in MESSAGES] == list("HIJORKLLMNQ")


NODE = b"\x0a\x0d\x0a\x09127.0.0.1\x10\x01\x15\x01\x00\x00\x00\x1d\x00\x00\x00\x00"


def test_literal_bytes() -> None:
    entry = b"\x0a" + bytes([len(NODE)]) + NODE + b"\x12\x02\x00\x80"
    assert BOTH.write(GCounter().increment(A, 128))[2] == b"\x0a" + bytes([len(entry)]) + entry
    assert BOTH.write(Flag(True))[2] == b"\x08\x01"
    register = b"\x08\xc8\x01\x12" + bytes([len(NODE)]) + NODE + b"\x1a\x05\x0a\x01v\x10\x14"
    assert BOTH.write(LWWRegister(A, "v", 100))[2] == register
    assert BOTH.write(GSet(frozenset({"b", "a", 3, Int32(1)})))[2] == b"\x0a\x01a\x0a\x01b\x12\x01\x02\x1a\x01\x06"
    status = m.Status({"k": b"\xff"}, 0, 1, 2, -1)
    assert BOTH.write(status)[2] == (
        b"\x08\x00\x10\x01\x1a\x06\x0a\x01k\x12\x01\xff\x21\x02\x00\x00\x00\x00\x00\x00\x00\x29" + b"\xff" * 8
    )
    assert BOTH.read(11, "f", b"hits") == Key("hits")


def test_gzip_is_javas() -> None:
    packed = java_gzip(b"hello hello hello")
    assert packed[:10] == bytes.fromhex("1f8b08000000000000ff") and gunzip(packed) == b"hello hello hello"


def test_integers_of_a_jvm_keep_their_kind() -> None:
    _, _, data = BOTH.write(GSet(frozenset({Int32(5)})))
    found = BOTH.read(11, "B", data)
    assert type(next(iter(found.elements))) is Int32


@pytest.mark.parametrize("manifest", ["Ca", "Cr", "Cg", "B", "D", "E", "F", "G", "Ha", "Hg", "L"])
@settings(max_examples=30)
@given(data=st.binary(max_size=100))
def test_any_bytes_are_data_or_an_error(manifest: str, data: bytes) -> None:
    with contextlib.suppress(SerializationError):
        assert isinstance(BOTH.read(11, manifest, data), Data)


@pytest.mark.parametrize("message", [message for message in MESSAGES if not isinstance(message, m.Gossip)])
def test_a_message_that_is_cut_is_a_message_or_an_error(message: Any) -> None:
    serializer, manifest, data = BOTH.write(message)
    for end in range(len(data)):
        with contextlib.suppress(SerializationError):
            BOTH.read(serializer, manifest, data[:end])


def test_a_set_without_its_dots_is_refused() -> None:
    from smackbox.akka.ddata.data_wire import VersionVectorData, _ORSet
    from smackbox.base.protobuf.message import encode

    broken = encode(_ORSet(VersionVectorData(), [], ["x"]))
    with pytest.raises(SerializationError, match="1 elements with 0 dots"):
        BOTH.read(11, "Ca", broken)
