"""Literal bytes, round trips, and the same bytes as Google's own runtime makes of the same table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesos.wire.messages import a_message

from smackbox.base.protobuf.wire import varint
from smackbox.mesos.wire import json_format, protobuf
from smackbox.mesos.wire.fields import (
    MessageError,
    enum_names,
    message_names,
    message_type,
)

LITERAL = [
    ("FrameworkID", {"value": "f"}, b"\x0a\x01f"),
    ("Value.Scalar", {"value": 1.5}, b"\x09\x00\x00\x00\x00\x00\x00\xf8\x3f"),
    ("TimeInfo", {"nanoseconds": -1}, b"\x08" + b"\xff" * 9 + b"\x01"),
    ("Value.Range", {"begin": 31000, "end": 32000}, b"\x08\x98\xf2\x01\x10\x80\xfa\x01"),
    ("scheduler.Call", {"type": "REVIVE", "framework_id": {"value": "f"}}, b"\x0a\x03\x0a\x01f\x10\x05"),
    ("scheduler.Call.Revive", {"roles": ["a", "b"]}, b"\x0a\x01a\x0a\x01b"),
    ("UUID", {"value": "AP8="}, b"\x0a\x02\x00\xff"),
    ("CommandInfo", {"shell": False, "value": "ls"}, b"\x1a\x02ls\x30\x00"),
    (
        "quota.QuotaConfig",
        {"role": "r", "limits": {"cpus": {"value": 1.0}}},
        b"\x0a\x01r\x1a\x11\x0a\x04cpus\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f",
    ),
]


@pytest.mark.parametrize(("name", "message", "data"), LITERAL)
def test_literal_bytes_both_ways(name: str, message: dict[str, Any], data: bytes) -> None:
    assert protobuf.encode(name, message) == data
    assert protobuf.decode(name, data) == message


def test_packed_numbers_are_read() -> None:
    assert protobuf.decode("HealthCheck.HTTPCheckInfo", b"\x08\x50\x22\x03\xc8\x01\x01") == {
        "port": 80,
        "statuses": [200, 1],
    }


def test_what_the_table_does_not_know_is_skipped() -> None:
    unknown = b"\xa0\x06\x05" + b"\xaa\x06\x02xx" + b"\xa5\x06\x00\x00\x00\x00" + b"\xa1\x06" + bytes(8)
    assert protobuf.decode("FrameworkID", unknown + b"\x0a\x01f") == {"value": "f"}
    assert protobuf.decode("scheduler.Call", b"\x10\x63") == {}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x0a", "ends within a varint"),
        (b"\x0a\x05f", "ends within a field"),
        (b"\x08\x01", "value: wire type 0"),
        (b"\x0a\x01\xff", "value: a string that is not UTF-8"),
        (b"\x0b", "wire type 3 is not read"),
        (b"\xff" * 11, "a varint of more than ten bytes"),
        (b"", "value: missing required field"),
    ],
)
def test_broken_bytes_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(MessageError) as caught:
        protobuf.decode("FrameworkID", data)
    assert str(caught.value).startswith(said)


def test_nesting_has_a_limit() -> None:
    data = b"\x0a\x00"
    for _ in range(200):
        data = b"\x0a\x01c\x12" + varint(len(data)) + data
    with pytest.raises(MessageError, match="nested deeper"):
        protobuf.decode("ContainerID", data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(message_names())), st.binary(max_size=60))
def test_any_bytes_give_a_message_or_an_error(name: str, data: bytes) -> None:
    try:
        message = protobuf.decode(name, data)
    except MessageError:
        return
    assert json_format.check(name, message) == message


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["scheduler.Call", "scheduler.Event", "executor.Event", "master.Call", "agent.Response"]).flatmap(
        lambda name: st.tuples(st.just(name), a_message(name))
    )
)
def test_protobuf_and_json_say_the_same(named: tuple[str, dict[str, Any]]) -> None:
    name, message = named
    assert json_format.check(name, protobuf.decode(name, protobuf.encode(name, message))) == message


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["scheduler.Call", "scheduler.Event", "master.Response"]).flatmap(
        lambda name: st.tuples(st.just(name), a_message(name))
    )
)
def test_googles_runtime_makes_the_same_bytes(named: tuple[str, dict[str, Any]]) -> None:
    name, message = named
    ours = protobuf.encode(name, message)
    theirs = google_class(name)()
    theirs.ParseFromString(ours)
    assert protobuf.decode(name, theirs.SerializeToString()) == message
    assert sorted(theirs.SerializeToString()) == sorted(ours)  # but for the order of a map's entries


_classes: dict[str, Any] = {}


def google_class(name: str) -> Any:
    """The class that Google's runtime makes of that message of our table."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    if not _classes:
        file = descriptor_pb2.FileDescriptorProto(name="table.proto", package="t", syntax="proto2")
        kinds = dict(descriptor_pb2.FieldDescriptorProto.Type.items())
        for message_name in message_names():
            _add_message(file, message_name, kinds)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        for message_name in message_names():
            descriptor = pool.FindMessageTypeByName("t." + flat(message_name))
            _classes[message_name] = message_factory.GetMessageClass(descriptor)
    return _classes[name]


def flat(name: str) -> str:
    return name.replace(".", "_")


def _add_message(file: Any, name: str, kinds: dict[str, int]) -> None:
    message = file.message_type.add(name=flat(name))
    for field in message_type(name).fields:
        made = message.field.add(name=field.name, number=field.number, label=2 if field.required else 1)
        target = message
        if field.repeated or field.is_map:
            made.label = 3
        if field.is_map:
            entry = "".join(part.title() for part in field.name.split("_")) + "Entry"
            target = message.nested_type.add(name=entry)
            target.options.map_entry = True
            target.field.add(name="key", number=1, label=1, type=kinds["TYPE_STRING"])
            made.type, made.type_name = kinds["TYPE_MESSAGE"], f".t.{flat(name)}.{entry}"
            made = target.field.add(name="value", number=2, label=1)
        made.type = kinds["TYPE_" + field.kind.upper()]
        if field.kind == "message":
            made.type_name = ".t." + flat(field.type_name)
        elif field.kind == "enum":
            made.type_name = ".t.E" + flat(field.type_name)
            if not any(enum.name == "E" + flat(field.type_name) for enum in file.enum_type):
                enum = file.enum_type.add(name="E" + flat(field.type_name))
                for number, label in enum_names(field.type_name).items():
                    enum.value.add(name=f"{flat(field.type_name)}_{label}", number=number)
