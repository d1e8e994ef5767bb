"""Jackson's CBOR: what is written is read, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka import ActorRef
from smackbox.akka.remote.cbor import DEPTH_LIMIT, read_cbor, write_cbor
from smackbox.akka.remote.serialization import JACKSON_CBOR, Serialization, SerializationError
from tests.akka.remote.test_remoting import Polite, run, two_nodes


class Packed(msgspec.Struct, frozen=True, rename="camel"):
    user_name: str
    data: bytes
    amount: int = 0
    at: datetime | None = None
    tags: list[str] = []
    reply_to: ActorRef[Any] | None = None


packed = st.builds(
    Packed,
    user_name=st.text(),
    data=st.binary(),
    amount=st.integers(),
    at=st.none() | st.datetimes(timezones=st.just(UTC)),
    tags=st.lists(st.text()),
    reply_to=st.none(),
)


@given(packed)
def test_round_trips(message: Packed) -> None:
    assert read_cbor(write_cbor(message, lambda _: None), Packed, lambda _kind, value: value) == message


@given(st.binary())
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        assert isinstance(read_cbor(data, Packed, lambda _kind, value: value), Packed)
    except ValueError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        cbor2.dumps({"userName": "a", "data": cbor2.CBORTag(35, "(a+)+$")}),  # a pattern would be compiled
        cbor2.dumps({"userName": "a", "data": cbor2.CBORTag(9999, b"")}),
        cbor2.dumps({"userName": "a", "data": b"", 1: 2}),
        b"\x81" * (DEPTH_LIMIT + 1) + b"\x00",
        b"\x9b" + b"\xff" * 8,
        b"\xd8\x1c\xa1\x61a\xd8\x1d\x00",  # a map that holds itself
        cbor2.dumps({"userName": 1, "data": b""}),
        cbor2.dumps(["a"]),
    ],
)
def test_what_jackson_does_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_cbor(data, Packed, lambda _kind, value: value)


def test_a_type_is_written_in_the_format_it_is_registered_with_and_read_in_both() -> None:
    def nobody(_: Any) -> Any:
        raise AssertionError

    as_json, as_cbor = Serialization(nobody, nobody), Serialization(nobody, nobody)
    as_json.register("lab.Packed", Packed)
    as_cbor.register("lab.Packed", Packed, cbor=True)
    message = Packed("a", b"\x00\xff", 2**70)
    for writer in (as_json, as_cbor):
        serialized = writer.write(message)
        assert (serialized[0] == JACKSON_CBOR) == (writer is as_cbor)
        assert as_json.read(*serialized) == as_cbor.read(*serialized) == message
    with pytest.raises(SerializationError, match="no message type is registered"):
        as_cbor.read(JACKSON_CBOR, "lab.Other", b"\xa0")


def test_references_cross_the_wire_in_cbor() -> None:
    async def work() -> None:
        async with two_nodes() as nodes:
            for remoting in (nodes.first, nodes.second):
                remoting.serialization.register("lab.Packed", Packed, cbor=True)
            here = nodes.a.spawn(Polite)
            serializer, manifest, data = nodes.first.serialization.write(Packed("a", b"", reply_to=here))
            read = nodes.second.serialization.read(serializer, manifest, data)
            assert read.reply_to == nodes.remote(here)

    run(work())
