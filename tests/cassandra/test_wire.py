"""The wire: segments and their checksums, variable-length integers, tokens, order keys, text to tokens."""

from __future__ import annotations

import contextlib
import functools
import uuid
import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.base.errors import ProtocolError
from smackbox.cassandra.wire import types
from smackbox.cassandra.wire.compression import compress, decompress
from smackbox.cassandra.wire.cql.parser import parse
from smackbox.cassandra.wire.errors import CqlError, Invalid, OperationFailure, SyntaxFault
from smackbox.cassandra.wire.murmur3 import pure_murmur3, token_of
from smackbox.cassandra.wire.requests import BodyReader, read_batch, read_options
from smackbox.cassandra.wire.segments import PAYLOAD_LIMIT, UNPACK_BYTES, SegmentReader, crc24, encode_segments
from smackbox.cassandra.wire.vint import read_unsigned, read_vint, write_unsigned, write_vint


def test_a_segment_is_these_bytes() -> None:
    # five bytes of payload, self-contained: header, CRC24, payload, CRC32
    segment = encode_segments([b"hello"], compressed=False)
    assert segment[:3] == b"\x05\x00\x02"
    assert segment[3:6] == crc24(b"\x05\x00\x02").to_bytes(3, "little")
    assert segment[6:11] == b"hello"
    assert len(segment) == 15


@pytest.mark.parametrize("compressed", [False, True])
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=2000), repeat=st.integers(1, 200), cut=st.integers(1, 5000))
def test_segments_come_back_however_they_are_cut(compressed: bool, data: bytes, repeat: int, cut: int) -> None:
    frames = data * repeat
    sent = encode_segments([frames], compressed=compressed)
    reader = SegmentReader(compressed=compressed)
    received = b"".join(reader.feed(sent[offset : offset + cut]) for offset in range(0, len(sent), cut))
    assert received == frames
    if len(frames) > PAYLOAD_LIMIT:
        assert not sent[2] & 0x02


def segments_of(data: bytes) -> list[tuple[bool, bytes]]:
    """Each uncompressed segment, by the specification: whether it is self-contained, and its payload."""
    found = []
    while data:
        header = int.from_bytes(data[:3], "little")
        length = header & 0x1FFFF
        assert header >> 18 == 0
        assert crc24(data[:3]) == int.from_bytes(data[3:6], "little")
        payload = data[6 : 6 + length]
        checksum = zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca"))
        assert checksum == int.from_bytes(data[6 + length : 10 + length], "little")
        found.append((bool(header & 0x20000), payload))
        data = data[10 + length :]
    return found


NEAR_LIMIT = tuple(PAYLOAD_LIMIT + step for step in range(-12, 13))


@pytest.mark.parametrize("before", [(), (1,), (40_000,), (131_071,), (131_072,)])
@pytest.mark.parametrize("after", [(), (9,), (131_072, 1)])
def test_a_segment_that_is_not_self_contained_holds_a_part_of_one_frame(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    for size in (*NEAR_LIMIT, 2 * PAYLOAD_LIMIT, 2 * PAYLOAD_LIMIT + 1):
        frames = [bytes([number]) * length for number, length in enumerate((*before, size, *after))]
        segments = segments_of(encode_segments(frames, compressed=False))
        assert b"".join(payload for _, payload in segments) == b"".join(frames)
        left = list(frames)
        partial = b""
        for is_self_contained, payload in segments:
            if is_self_contained:
                assert not partial
                while payload:
                    assert payload.startswith(left[0])
                    payload = payload[len(left.pop(0)) :]
            else:
                assert len(left[0]) > PAYLOAD_LIMIT
                partial += payload
                assert left[0].startswith(partial)
                if partial == left[0]:
                    left.pop(0)
                    partial = b""
        assert not left


@pytest.mark.parametrize("compressed", [False, True])
def test_many_frames_fill_self_contained_segments(compressed: bool) -> None:
    frames = [bytes([number]) * 40_000 for number in range(10)]
    sent = encode_segments(frames, compressed=compressed)
    assert SegmentReader(compressed=compressed).feed(sent, len(b"".join(frames))) == b"".join(frames)
    if not compressed:
        assert [(whole, len(payload)) for whole, payload in segments_of(sent)] == [(True, 120_000)] * 3 + [
            (True, 40_000)
        ]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_flipped_bit_is_noticed_anywhere(compressed: bool) -> None:
    sent = encode_segments([b"some payload" * 3], compressed=compressed)
    for position in range(len(sent)):
        broken = bytearray(sent)
        broken[position] ^= 0x10
        with pytest.raises(ProtocolError):
            reader = SegmentReader(compressed=compressed)
            reader.feed(bytes(broken))
            reader.feed(bytes(PAYLOAD_LIMIT))  # where the length was broken, more is waited for


def test_what_few_bytes_hold_is_unpacked_a_part_at_a_time() -> None:
    data = bytes(20 * UNPACK_BYTES)
    packed = encode_segments([data], compressed=True)
    assert len(packed) < UNPACK_BYTES
    reader = SegmentReader(compressed=True)
    assert reader.feed(packed, 0) == b""
    parts = []
    while reader.is_behind:
        parts.append(reader.feed(b""))
    assert all(len(part) < UNPACK_BYTES + PAYLOAD_LIMIT for part in parts)
    assert b"".join(parts) == data


@pytest.mark.parametrize("algorithm", ["lz4", "snappy"])
def test_bodies_are_compressed_and_bounded(algorithm: str) -> None:
    body = b"abc" * 1000
    packed = compress(algorithm, body)
    assert decompress(algorithm, packed, 10_000) == body
    with pytest.raises(ProtocolError):
        decompress(algorithm, packed[:-5], 10_000)


@given(st.integers(-(2**63), 2**63 - 1))
def test_vints_round_trip(number: int) -> None:
    assert read_vint(write_vint(number), 0) == (number, len(write_vint(number)))


@given(st.integers(0, 2**64 - 1))
def test_unsigned_vints_round_trip(number: int) -> None:
    written = write_unsigned(number)
    assert read_unsigned(written, 0) == (number, len(written))
    with pytest.raises(Invalid):
        read_unsigned(written[:-1], 0)


@pytest.mark.parametrize(
    ("key", "token"),
    [(b"", 0), (b"123", -7468325962851647638), (b"\x00\xff\x10\xfa\x99" * 10, 5837342703291459765)],
)
def test_tokens_are_cassandras(key: bytes, token: int) -> None:
    assert token_of(key) == token


@given(st.binary(max_size=70))
def test_the_compiled_and_the_plain_hash_agree(data: bytes) -> None:
    plain = pure_murmur3(data)
    assert token_of(data) == (2**63 - 1 if plain == -(2**63) else plain)


_VALUES: list[tuple[types.CqlType, st.SearchStrategy[Any]]] = [
    (types.INT, st.integers(-(2**31), 2**31 - 1)),
    (types.BIGINT, st.integers(-(2**63), 2**63 - 1)),
    (types.TINYINT, st.integers(-128, 127)),
    (types.VARINT, st.integers(-(10**30), 10**30)),
    (types.TEXT, st.text(max_size=20)),
    (types.BLOB, st.binary(max_size=20)),
    (types.DOUBLE, st.floats(allow_nan=False)),
    (types.FLOAT, st.floats(allow_nan=False, width=32)),
    (types.BOOLEAN, st.booleans()),
    (types.DATE, st.integers(0, 2**32 - 1)),
    (types.DECIMAL, st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)),
    (types.ListType(types.INT, multi_cell=False), st.lists(st.integers(-5, 5), max_size=4)),
    (types.TupleType((types.TEXT, types.INT)), st.tuples(st.text(max_size=3), st.integers(-5, 5)).map(list)),
]


@pytest.mark.parametrize(("kind", "values"), _VALUES, ids=lambda value: getattr(value, "cql", ""))
def test_order_keys_have_the_order_of_the_values(kind: types.CqlType, values: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=150, deadline=None)
    @given(values, values)
    def check(left: Any, right: Any) -> None:
        left_bytes, right_bytes = kind.encode(left), kind.encode(right)
        left_key, right_key = kind.order_key(left_bytes), kind.order_key(right_bytes)
        if kind == types.TEXT:
            left, right = left.encode(), right.encode()
        if kind.cql.startswith("frozen<tuple"):
            left, right = [left[0].encode(), left[1]], [right[0].encode(), right[1]]
        if left != right:
            assert (left < right) == (left_key < right_key)
            assert not right_key.startswith(left_key)
            assert (types.invert(left_key) > types.invert(right_key)) == (left < right)
        elif kind not in {types.DOUBLE, types.FLOAT}:  # 0.0 and -0.0 are two values to Cassandra
            assert left_key == right_key
        kind.validate(left_bytes)
        again = kind.decode(left_bytes)
        assert again == kind.decode(kind.encode(again))

    check()


def test_time_uuids_are_in_the_order_of_time() -> None:
    stamps = [uuid.uuid1(node=number, clock_seq=number) for number in (0xFFFFFFFFFFFF, 1, 0x800000000000)]
    keys = [types.TIMEUUID.order_key(stamp.bytes) for stamp in stamps]
    assert keys == sorted(keys)


def test_decimals_of_one_value_have_one_key() -> None:
    keys = {types.DECIMAL.order_key(types.DECIMAL.encode(Decimal(text))) for text in ("1", "1.0", "1.00", "10e-1")}
    assert len(keys) == 1


def test_the_empty_value_comes_first() -> None:
    for kind in (types.INT, types.UUID_TYPE, types.TIMESTAMP, types.BOOLEAN):
        assert kind.order_key(b"") < kind.order_key(bytes(kind.fixed_length or 1))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="SELECTINTOVALUES*(){}[]'\"$?:,;.=<>!+-/%0123456789abc \n", max_size=60))
def test_any_text_is_a_statement_or_a_syntax_error(text: str) -> None:
    with contextlib.suppress(SyntaxFault):
        parse(text)


def test_deep_nesting_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxFault, match="nested deeper"):
        parse("SELECT " + "(" * 500 + "1" + ")" * 500 + " FROM t")
    with pytest.raises(SyntaxFault, match="nested deeper"):
        parse("CREATE TABLE t (k " + "frozen<list<" * 300 + "int" + ">>" * 300 + " PRIMARY KEY)")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([3, 4, 5]))
def test_any_body_is_options_or_an_error(body: bytes, version: int) -> None:
    for read in (read_options, read_batch):
        with contextlib.suppress(CqlError):
            read(BodyReader(body), version)


def test_every_error_has_a_code_of_its_own() -> None:
    kinds = {*CqlError.__subclasses__(), *OperationFailure.__subclasses__()} - {OperationFailure}
    found = {kind.code for kind in kinds}
    assert len(found) == len(kinds)
    assert functools.reduce(max, found) < 0x10000
