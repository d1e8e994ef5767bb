"""Decompressing and compressing the records of a batch, where the broker must look inside or rewrite them.

gzip and lz4 are always there; snappy and zstd where `python-snappy` and `zstandard` are installed (they come with the
`dev` extra). Snappy bodies are framed as the Java client frames them (xerial: magic, versions, length-prefixed blocks)
or are one raw block.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from smackbox.base.errors import ProtocolError, RequestError
from smackbox.kafka.wire.record_batch import GZIP, LZ4, SNAPPY, ZSTD

NAMES = {0: "uncompressed", GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
DECOMPRESSED_LIMIT = 256 * 1024 * 1024

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_SIZE = 16
_INT32 = struct.Struct(">i")


class CodecMissingError(RequestError):
    """The library for this compression is not installed."""


def decompress(codec: int, body: bytes) -> bytes:
    """The records of a batch. Raises `CodecMissingError`, or `ProtocolError` when the bytes do not decompress."""
    try:
        if codec == GZIP:
            return _gunzip(body)
        if codec == LZ4:
            import lz4.frame

            return bytes(lz4.frame.decompress(body))
        if codec == SNAPPY:
            return _unsnappy(body)
        if codec == ZSTD:
            return _unzstd(body)
    except (zlib.error, RuntimeError, ValueError, struct.error) as error:
        raise ProtocolError(f"the {NAMES[codec]} records do not decompress: {error}") from error
    raise ProtocolError(f"unknown compression {codec}")


def compress(codec: int, body: bytes) -> bytes:
    """The other way round."""
    if codec == GZIP:
        packer = zlib.compressobj(wbits=31)
        return packer.compress(body) + packer.flush()
    if codec == LZ4:
        import lz4.frame

        return bytes(lz4.frame.compress(body))
    if codec == SNAPPY:
        packed: bytes = _snappy().compress(body)
        return packed
    if codec == ZSTD:
        zstandard = _zstandard()
        return bytes(zstandard.ZstdCompressor().compress(body))
    raise ProtocolError(f"unknown compression {codec}")


def _gunzip(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    unpacked = unpacker.decompress(body, DECOMPRESSED_LIMIT)
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {DECOMPRESSED_LIMIT} bytes")
    return unpacked


def _unsnappy(body: bytes) -> bytes:
    snappy = _snappy()
    try:
        if not body.startswith(_XERIAL_MAGIC):
            return bytes(snappy.uncompress(body))
        blocks = []
        position = _XERIAL_HEADER_SIZE
        while position < len(body):
            (length,) = _INT32.unpack_from(body, position)
            position += _INT32.size
            blocks.append(snappy.uncompress(body[position : position + length]))
            position += length
        return b"".join(blocks)
    except snappy.UncompressError as error:
        raise ValueError(str(error)) from error


def _unzstd(body: bytes) -> bytes:
    zstandard = _zstandard()
    try:
        return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(body))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def _snappy() -> Any:
    try:
        import snappy
    except ImportError as error:
        raise CodecMissingError("snappy records can be looked into only where python-snappy is installed") from error
    return snappy


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise CodecMissingError("zstd records can be looked into only where zstandard is installed") from error
    return zstandard
