"""Typed messages against Google's runtime, bytes that are no message, and evolution of a type."""

from __future__ import annotations

import enum
from typing import Annotated, Any

import msgspec
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.base.protobuf.message import Proto, decode, encode
from smackbox.base.protobuf.wire import NESTING_LIMIT, WireError


class Colour(enum.IntEnum):
    RED = 0
    BLUE = -3


class Inner(msgspec.Struct, frozen=True):
    name: Annotated[str, Proto(1)]
    numbers: Annotated[list[int], Proto(16, "sint64", packed=True)] = []


class Outer(msgspec.Struct, frozen=True):
    text: Annotated[str | None, Proto(1)] = None
    raw: Annotated[bytes | None, Proto(2)] = None
    flag: Annotated[bool | None, Proto(3)] = None
    real: Annotated[float | None, Proto(4)] = None
    int32: Annotated[int | None, Proto(5, "int32")] = None
    int64: Annotated[int | None, Proto(6, "int64")] = None
    uint32: Annotated[int | None, Proto(7, "uint32")] = None
    uint64: Annotated[int | None, Proto(8, "uint64")] = None
    sint32: Annotated[int | None, Proto(9, "sint32")] = None
    fixed32: Annotated[int | None, Proto(10, "fixed32")] = None
    sfixed64: Annotated[int | None, Proto(11, "sfixed64")] = None
    colour: Annotated[Colour | None, Proto(12)] = None
    inner: Annotated[Inner | None, Proto(13)] = None
    inners: Annotated[list[Inner], Proto(14)] = []
    words: Annotated[list[str], Proto(15)] = []
    uids: Annotated[list[int], Proto(300, "uint64")] = []


class Nested(msgspec.Struct, frozen=True):
    inside: Annotated[Nested | None, Proto(1)] = None


def google_type() -> Any:
    """The same types for Google's runtime."""
    file = descriptor_pb2.FileDescriptorProto(name="smackbox_message_test.proto", package="smackbox_message_test")
    field_type = descriptor_pb2.FieldDescriptorProto
    colour = file.enum_type.add(name="Colour")
    colour.value.add(name="RED", number=0)
    colour.value.add(name="BLUE", number=-3)
    inner = file.message_type.add(name="Inner")
    inner.field.add(name="name", number=1, type=field_type.TYPE_STRING, label=field_type.LABEL_REQUIRED)
    numbers = inner.field.add(name="numbers", number=16, type=field_type.TYPE_SINT64, label=field_type.LABEL_REPEATED)
    numbers.options.packed = True
    outer = file.message_type.add(name="Outer")
    kinds = ["STRING", "BYTES", "BOOL", "DOUBLE", "INT32", "INT64", "UINT32", "UINT64", "SINT32", "FIXED32", "SFIXED64"]
    names = Outer.__struct_fields__
    for number, (name, kind) in enumerate(zip(names, kinds, strict=False), 1):
        kind_number = getattr(field_type, f"TYPE_{kind}")
        outer.field.add(name=name, number=number, type=kind_number, label=field_type.LABEL_OPTIONAL)
    own = ".smackbox_message_test."
    outer.field.add(name="colour", number=12, type=field_type.TYPE_ENUM, type_name=own + "Colour", label=1)
    outer.field.add(name="inner", number=13, type=field_type.TYPE_MESSAGE, type_name=own + "Inner", label=1)
    outer.field.add(name="inners", number=14, type=field_type.TYPE_MESSAGE, type_name=own + "Inner", label=3)
    outer.field.add(name="words", number=15, type=field_type.TYPE_STRING, label=3)
    outer.field.add(name="uids", number=300, type=field_type.TYPE_UINT64, label=3)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("smackbox_message_test.Outer"))


GOOGLE = google_type()


def bits(size: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1) if signed else st.integers(0, 2**size - 1)


inners = st.builds(Inner, st.text(), st.lists(bits(64, signed=True), max_size=3))
outers = st.builds(
    Outer,
    text=st.none() | st.text(),
    raw=st.none() | st.binary(),
    flag=st.none() | st.booleans(),
    real=st.none() | st.floats(allow_nan=False),
    int32=st.none() | bits(32, signed=True),
    int64=st.none() | bits(64, signed=True),
    uint32=st.none() | bits(32, signed=False),
    uint64=st.none() | bits(64, signed=False),
    sint32=st.none() | bits(32, signed=True),
    fixed32=st.none() | bits(32, signed=False),
    sfixed64=st.none() | bits(64, signed=True),
    colour=st.none() | st.sampled_from(Colour),
    inner=st.none() | inners,
    inners=st.lists(inners, max_size=2),
    words=st.lists(st.text(), max_size=2),
    uids=st.lists(bits(64, signed=False), max_size=3),
)


@settings(deadline=None)
@given(outers)
def test_the_bytes_are_those_of_googles_runtime(message: Outer) -> None:
    theirs = GOOGLE()
    for name in Outer.__struct_fields__:
        value = getattr(message, name)
        if name == "inner" and value is not None:
            theirs.inner.name = value.name
            theirs.inner.numbers.extend(value.numbers)
        elif name == "inners":
            for one in value:
                theirs.inners.add(name=one.name, numbers=one.numbers)
        elif isinstance(value, list):
            getattr(theirs, name).extend(value)
        elif value is not None:
            setattr(theirs, name, value)
    assert encode(message) == theirs.SerializeToString(deterministic=True)
    assert decode(Outer, theirs.SerializeToString()) == message


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        message = decode(Outer, data)
    except WireError:
        return
    assert decode(Outer, encode(message)) == message


@given(outers)
def test_a_message_cut_anywhere_is_a_shorter_message_or_an_error(message: Outer) -> None:
    data = encode(message)
    for end in range(len(data)):
        try:
            decode(Outer, data[:end])
        except WireError:
            continue


def test_unknown_fields_and_enum_values_are_skipped() -> None:
    class Newer(msgspec.Struct):
        words: Annotated[list[str], Proto(15)]
        colour: Annotated[int, Proto(12, "int32")]
        extra: Annotated[str, Proto(99)]

    assert decode(Outer, encode(Newer(["a"], 77, "new"))) == Outer(words=["a"])


def test_a_missing_required_field_is_an_error_that_names_it() -> None:
    with pytest.raises(WireError, match="Inner.*name"):
        decode(Inner, b"")


def test_packed_numbers_are_read_where_they_are_written_one_by_one_and_the_other_way() -> None:
    assert decode(Inner, b"\x0a\x01a\x80\x01\x02\x80\x01\x03") == Inner("a", [1, -2])
    assert decode(Outer, b"\xe2\x12\x02\x01\x02") == Outer(uids=[1, 2])


def test_nesting_has_a_limit() -> None:
    message = Nested()
    for _ in range(NESTING_LIMIT + 1):
        message = Nested(message)
    with pytest.raises(WireError, match="nested"):
        decode(Nested, encode(message))


@pytest.mark.parametrize(("field", "value"), [("int32", 2**31), ("uint32", -1), ("uint64", 2**64), ("fixed32", -1)])
def test_a_number_out_of_range_is_an_error(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        encode(Outer(**{field: value}))


def test_an_int_without_its_kind_and_a_field_without_its_number_are_errors() -> None:
    class NoKind(msgspec.Struct):
        number: Annotated[int, Proto(1)]

    class NoNumber(msgspec.Struct):
        number: int

    for broken in (NoKind(1), NoNumber(1)):
        with pytest.raises(TypeError):
            encode(broken)
