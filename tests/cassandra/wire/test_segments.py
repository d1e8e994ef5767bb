"""Segments, byte by byte (native_protocol_v5.spec, section 2): literal bytes, and those of DataStax's driver."""

from __future__ import annotations

import io
import zlib

import pytest
from cassandra.segment import SegmentCodec, compute_crc24
from hypothesis import given
from hypothesis import strategies as st

from smackbox.base.errors import ProtocolError
from smackbox.cassandra.wire.segments import PAYLOAD_LIMIT, SegmentReader, crc24, encode_segments

HELLO = bytes.fromhex("050002 19999a 68656c6c6f 74800eb6")
PACKED = bytes.fromhex("0b00c80004 8f183a 1f6101004b506161616161 a6eef35a")  # 100 times "a"


def test_the_bytes_of_a_segment() -> None:
    assert encode_segments([b"hello"], compressed=False) == HELLO
    assert SegmentReader(compressed=False).feed(HELLO) == b"hello"


def test_the_bytes_of_a_compressed_segment() -> None:
    assert encode_segments([b"a" * 100], compressed=True) == PACKED
    assert SegmentReader(compressed=True).feed(PACKED) == b"a" * 100


def test_what_does_not_get_smaller_is_not_compressed() -> None:
    """An uncompressed length of 0 says so."""
    made = encode_segments([b"hello"], compressed=True)
    assert made[:5] == (5 | 1 << 34).to_bytes(5, "little")
    assert made[8:13] == b"hello"
    assert SegmentReader(compressed=True).feed(made) == b"hello"


@given(st.binary(min_size=3, max_size=5))
def test_the_checksum_of_a_header_is_the_drivers(header: bytes) -> None:
    assert crc24(header) == compute_crc24(int.from_bytes(header, "little"), len(header))


@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_the_driver_reads_our_segments(payload: bytes, self_contained: bool) -> None:
    frame = payload if self_contained else payload + bytes(PAYLOAD_LIMIT)
    stream = io.BytesIO(encode_segments([frame], compressed=False))
    codec, found = SegmentCodec(), b""
    while len(found) < len(frame):
        header = codec.decode_header(stream)
        assert header.is_self_contained is self_contained
        found += codec.decode(stream, header).payload
    assert found == frame
    assert stream.read() == b""


@pytest.mark.parametrize(("position", "part"), [(0, "header"), (2, "header"), (3, "header"), (6, "payload"),
                                                (10, "payload"), (11, "payload"), (14, "payload")])  # fmt: skip
def test_which_checksum_is_wrong(position: int, part: str) -> None:
    broken = bytearray(HELLO)
    broken[position] ^= 1
    with pytest.raises(ProtocolError, match=f"{part} has a wrong checksum"):
        SegmentReader(compressed=False).feed(bytes(broken) + bytes(9))


def test_frames_share_a_segment_up_to_its_limit() -> None:
    exact = encode_segments([bytes(PAYLOAD_LIMIT - 5), b"hello"], compressed=False)
    assert int.from_bytes(exact[:3], "little") == PAYLOAD_LIMIT | 1 << 17
    assert len(exact) == PAYLOAD_LIMIT + 10
    more = encode_segments([bytes(PAYLOAD_LIMIT - 4), b"hello"], compressed=False)
    assert int.from_bytes(more[:3], "little") == (PAYLOAD_LIMIT - 4) | 1 << 17
    assert more[PAYLOAD_LIMIT - 4 + 10 :] == HELLO
    assert PAYLOAD_LIMIT == 131_071


def test_a_reader_that_has_given_everything_is_not_behind() -> None:
    reader = SegmentReader(compressed=False)
    assert not reader.is_behind
    assert reader.feed(HELLO[:-1]) == b""
    assert reader.feed(HELLO[-1:] + HELLO, 5) == b"hello"
    assert reader.is_behind
    assert reader.feed(b"") == b"hello"
    assert not reader.is_behind


def test_a_payload_that_does_not_decompress() -> None:
    broken = bytearray(PACKED)
    wrong = bytes(11)
    broken[8:19] = wrong
    broken[19:] = zlib.crc32(wrong, zlib.crc32(b"\xfa\x2d\x55\xca")).to_bytes(4, "little")
    with pytest.raises(ProtocolError, match="does not decompress"):
        SegmentReader(compressed=True).feed(bytes(broken))
