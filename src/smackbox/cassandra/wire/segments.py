"""The outer framing of protocol v5: segments with checksums.

Uncompressed: `[payload length: 17 bits][self-contained: 1 bit]` in three little-endian bytes, their CRC24, the payload,
its CRC32. Compressed (LZ4 block without a size): `[compressed length: 17][uncompressed length: 17][self-contained: 1]`
in five bytes, CRC24, payload, CRC32; an uncompressed length of 0 means that the payload is not compressed.
Spec: native_protocol_v5.spec, section 2.1 and 2.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from smackbox.base.errors import ProtocolError

# the output of one `feed`, and one more segment
UNPACK_BYTES: Final = 256 * 1024
PAYLOAD_LIMIT: Final = 128 * 1024 - 1
_CRC24_INITIAL: Final = 0x875060
_CRC24_POLYNOMIAL: Final = 0x1974F0B
_CRC32_INITIAL: Final = zlib.crc32(b"\xfa\x2d\x55\xca")
_SELF_CONTAINED: Final = 1 << 17
_SELF_CONTAINED_COMPRESSED: Final = 1 << 34


def _crc24_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= _CRC24_POLYNOMIAL
        table.append(crc)
    return tuple(table)


_TABLE: Final = _crc24_table()


def crc24(header: bytes) -> int:
    """The checksum of a segment's header (native_protocol_v5.spec, section 2.2)."""
    crc = _CRC24_INITIAL
    for byte in header:
        crc = ((crc << 8) & 0xFFFFFF) ^ _TABLE[(crc >> 16) ^ byte]
    return crc


def encode_segments(frames: Sequence[bytes], *, compressed: bool) -> bytes:
    """Whole frames as segments: small frames share a self-contained segment, a larger frame is split into several.

    A segment that is not self-contained holds a part of one frame only; clients rely on that.
    """
    segments = []
    fitting: list[bytes] = []
    size = 0
    for frame in frames:
        length = len(frame)
        if fitting and size + length > PAYLOAD_LIMIT:
            segments.append(_segment(b"".join(fitting), self_contained=True, compressed=compressed))
            fitting, size = [], 0
        if length <= PAYLOAD_LIMIT:
            fitting.append(frame)
            size += length
            continue
        segments += [
            _segment(frame[offset : offset + PAYLOAD_LIMIT], self_contained=False, compressed=compressed)
            for offset in range(0, length, PAYLOAD_LIMIT)
        ]
    if fitting:
        segments.append(_segment(b"".join(fitting), self_contained=True, compressed=compressed))
    return segments[0] if len(segments) == 1 else b"".join(segments)


def _segment(payload: bytes, *, self_contained: bool, compressed: bool) -> bytes:
    if not compressed:
        header = (len(payload) | (_SELF_CONTAINED if self_contained else 0)).to_bytes(3, "little")
    else:
        import lz4.block

        packed = lz4.block.compress(payload, store_size=False)
        length = len(payload)
        if len(packed) >= length:
            packed, length = payload, 0
        payload = packed
        bits = len(payload) | (length << 17) | (_SELF_CONTAINED_COMPRESSED if self_contained else 0)
        header = bits.to_bytes(5, "little")
    checksum = zlib.crc32(payload, _CRC32_INITIAL)
    return b"%b%b%b%b" % (header, crc24(header).to_bytes(3, "little"), payload, checksum.to_bytes(4, "little"))


class SegmentReader:
    """Receives bytes as they arrive and returns the bytes of the frames inside. Raises `ProtocolError` for a wrong
    checksum.

    A few bytes may decompress to many, so this happens in parts: while `is_behind`, `feed(b"")` returns more.
    """

    __slots__ = ("_buffer", "_compressed", "_header_length", "is_behind")

    def __init__(self, *, compressed: bool) -> None:
        self._buffer = bytearray()
        self._compressed = compressed
        self._header_length = 8 if compressed else 6
        self.is_behind = False

    def feed(self, data: bytes | memoryview, limit: int = UNPACK_BYTES) -> bytes:
        """The next bytes of frames, up to `limit` or slightly more."""
        buffer = self._buffer
        buffer += data
        head = self._header_length
        offset = 0
        size = len(buffer)
        payloads = []
        unpacked = 0
        self.is_behind = False
        while size - offset >= head:
            if unpacked >= limit:
                self.is_behind = True
                break
            header = bytes(buffer[offset : offset + head - 3])
            if crc24(header) != int.from_bytes(buffer[offset + head - 3 : offset + head], "little"):
                raise ProtocolError("a segment's header has a wrong checksum")
            bits = int.from_bytes(header, "little")
            length = bits & PAYLOAD_LIMIT
            end = offset + head + length
            if size < end + 4:
                break
            payload = bytes(buffer[offset + head : end])
            if zlib.crc32(payload, _CRC32_INITIAL) != int.from_bytes(buffer[end : end + 4], "little"):
                raise ProtocolError("a segment's payload has a wrong checksum")
            if self._compressed and (original := (bits >> 17) & PAYLOAD_LIMIT):
                payload = _decompress(payload, original)
            payloads.append(payload)
            unpacked += len(payload)
            offset = end + 4
        if offset:
            del buffer[:offset]
        return payloads[0] if len(payloads) == 1 else b"".join(payloads)


def _decompress(payload: bytes, size: int) -> bytes:
    import lz4.block

    try:
        return bytes(lz4.block.decompress(payload, uncompressed_size=size))
    except lz4.block.LZ4BlockError as error:
        raise ProtocolError(f"a segment does not decompress: {error}") from error
