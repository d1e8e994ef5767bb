"""Every message in every version against kio, which has Kafka's definitions from another hand."""

from __future__ import annotations

import importlib
import io
import pkgutil
import random
import typing
import uuid
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.index import load_payload_module
from kio.serial import entity_reader, entity_writer
from kio.static.constants import EntityType

from smackbox.base.errors import ProtocolError
from smackbox.kafka.handlers.apis import APIS, FETCH_KEY, PRODUCE_KEY
from smackbox.kafka.wire import messages
from smackbox.kafka.wire.messages.api_versions import ApiVersionsRequest
from smackbox.kafka.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from smackbox.kafka.wire.messages.metadata import MetadataRequest, MetadataResponse
from smackbox.kafka.wire.schema import Message, encode, fields, read, read_varint, write_varint

# kio 0.6 ends below these versions of Kafka 4.4
NOT_IN_KIO = {("ApiVersions", 5), ("DeleteGroups", 3), ("TxnOffsetCommit", 6)}


def message_types() -> list[type[Message]]:
    found = []
    for info in pkgutil.iter_modules(messages.__path__):
        module = importlib.import_module(f"{messages.__name__}.{info.name}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Message) and "VERSIONS" in vars(value)
        ]
    return found


def random_message(message_type: type[Message], version: int, dice: random.Random) -> Message:
    """A message with a value in every field that the version has."""
    values = {}
    for field in fields(message_type, version):
        if field.present:
            values[field.name] = _random_value(field, version, dice)
    return message_type(**values)


def _random_value(field: Any, version: int, dice: random.Random) -> Any:
    if field.nullable and dice.random() < 0.2:
        return None
    if field.wire.kind == "array":
        return [_random_element(field.element, version, dice) for _ in range(dice.randrange(3))]
    if field.wire.kind == "struct":
        return random_message(field.element, version, dice)
    return _random_primitive(field.wire, dice)


def _random_element(element: Any, version: int, dice: random.Random) -> Any:
    arguments = typing.get_args(element)
    if arguments:
        return _random_primitive(arguments[1], dice)
    return random_message(element, version, dice)


def _random_primitive(wire: Any, dice: random.Random) -> Any:
    if wire.kind == "string":
        return "".join(dice.choice("abcé漢") for _ in range(dice.randrange(200)))
    if wire.kind == "bytes":
        return dice.randbytes(dice.randrange(200))
    ranges = {"b": 2**7, "h": 50, "H": 2**8, "i": 2**31, "q": 2**40}
    if wire.code in ranges:
        return dice.randrange(ranges[wire.code])  # int16 may be an error code, which kio knows by name only
    return {"?": dice.random() < 0.5, "16s": uuid.UUID(int=dice.getrandbits(128)).bytes, "d": dice.random()}[wire.code]


@pytest.mark.parametrize("message_type", message_types(), ids=lambda t: t.__name__)
def test_a_message_survives_the_round_trip_in_every_version(message_type: type[Message]) -> None:
    dice = random.Random(zlib.crc32(message_type.__name__.encode()))
    low, high = message_type.VERSIONS
    for version in range(low, high + 1):
        message = random_message(message_type, version, dice)
        data = encode(message, version)
        assert read(message_type, version, data + b"trailing") == (message, len(data))


SAME_AS_KIO = [
    (api.key, version, kind)
    for api in APIS.values()
    if api.key not in {PRODUCE_KEY, FETCH_KEY}
    for version in range(api.min_version, api.max_version + 1)
    for kind in ("request", "response")
    if (api.name, version) not in NOT_IN_KIO
]


@pytest.mark.parametrize("key", sorted({key for key, _, _ in SAME_AS_KIO}), ids=lambda key: APIS[key].name)
def test_the_bytes_are_those_of_kio(key: int) -> None:
    dice = random.Random(key)
    for _, version, kind in [case for case in SAME_AS_KIO if case[0] == key]:
        api = APIS[key]
        ours = api.request_type if kind == "request" else api.response_type
        module: Any = load_payload_module(key, version, EntityType[kind])
        theirs = getattr(module, ours.__name__)
        data = encode(random_message(ours, version, dice), version)
        entity, size = entity_reader(theirs)(data, 0)
        assert size == len(data), (ours.__name__, version)
        buffer = io.BytesIO()
        entity_writer(theirs)(buffer, entity)
        assert buffer.getvalue() == data, (ours.__name__, version)


def test_literal_bytes_of_a_legacy_request() -> None:
    request = JoinGroupRequest("g", 10_000, 20_000, "m", None, "consumer", [JoinGroupRequestProtocol("range", b"\x01")])
    data = bytes.fromhex("0001 67 00002710 00004e20 0001 6d 0008 636f6e73756d6572 00000001 0005 72616e6765 00000001 01")
    assert encode(request, 1) == data
    assert read(JoinGroupRequest, 1, data) == (request, len(data))


def test_literal_bytes_of_a_flexible_request() -> None:
    request = ApiVersionsRequest("kcat", "1.7")
    data = bytes.fromhex("05 6b636174 04 312e37 00")
    assert encode(request, 3) == data
    assert read(ApiVersionsRequest, 3, data) == (request, len(data))


def test_tagged_fields_that_are_not_known_are_left_out() -> None:
    data = bytes.fromhex("05 6b636174 04 312e37 02 00 01 ff 7b 02 aabb")
    assert read(ApiVersionsRequest, 3, data) == (ApiVersionsRequest("kcat", "1.7"), len(data))


def test_a_null_and_an_empty_array_differ() -> None:
    assert read(MetadataRequest, 1, bytes.fromhex("ffffffff"))[0].topics is None
    assert read(MetadataRequest, 1, bytes.fromhex("00000000"))[0].topics == []


@given(
    st.binary(max_size=200), st.sampled_from([(t, v) for t in (MetadataRequest, MetadataResponse) for v in (0, 9, 13)])
)
def test_any_bytes_give_a_message_or_a_protocol_error(data: bytes, what: tuple[type[Message], int]) -> None:
    message_type, version = what
    try:
        message, size = read(message_type, version, data)
    except ProtocolError:
        return
    assert isinstance(message, message_type)
    assert size <= len(data)


def test_a_count_that_cannot_fit_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(ProtocolError, match="does not fit"):
        read(MetadataRequest, 1, bytes.fromhex("7fffffff"))


@given(st.integers(0, 2**35 - 1))
def test_varints(value: int) -> None:
    out = bytearray()
    write_varint(out, value)
    assert read_varint(out, 0) == (value, len(out))


def test_an_endless_varint_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than 5 bytes"):
        read_varint(b"\xff" * 6, 0)
