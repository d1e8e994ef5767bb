"""Decompression and compression of the records of a batch that the broker must read or rewrite.

Snappy bodies use the Java client's framing (xerial: magic, versions, length-prefixed blocks) or are one raw block. The
libraries are loaded with the first batch that needs them. Decompression stops at `DECOMPRESSED_LIMIT`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from smackbox.base.errors import ProtocolError

NO_COMPRESSION, GZIP, SNAPPY, LZ4, ZSTD = range(5)
NAMES = {0: "uncompressed", GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
DECOMPRESSED_LIMIT = 256 * 1024 * 1024
PIECE_BYTES = 2 * 1024 * 1024
"""How much is decompressed at a time. Libraries allocate the full output size, and a batch is seldom larger."""

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_SIZE = 16
_INT32 = struct.Struct(">i")


def decompress(codec: int, body: bytes) -> bytes:
    """The records of a batch. Raises `ProtocolError` when the bytes do not decompress."""
    try:
        if codec == GZIP:
            return _gunzip(body)
        if codec == LZ4:
            return _unlz4(body)
        if codec == SNAPPY:
            return _unsnappy(body)
        if codec == ZSTD:
            return _unzstd(body)
    except (zlib.error, RuntimeError, ValueError, struct.error) as error:
        raise ProtocolError(f"the {NAMES[codec]} records do not decompress: {error}") from error
    raise ProtocolError(f"unknown compression {codec}")


def compress(codec: int, body: bytes, level: int | None = None) -> bytes:
    """Compress the records of a batch, with `level` if the codec has levels."""
    if codec == GZIP:
        packer = zlib.compressobj(-1 if level is None else level, wbits=31)
        return packer.compress(body) + packer.flush()
    if codec == LZ4:
        import lz4.frame

        return bytes(
            lz4.frame.compress(
                body,
                compression_level=level or 0,
                block_size=lz4.frame.BLOCKSIZE_MAX64KB,
                block_linked=False,  # Java's clients reject blocks that depend on the one before
                store_size=False,
            )
        )
    if codec == SNAPPY:
        import cramjam

        return bytes(cramjam.snappy.compress_raw(body))
    if codec == ZSTD:
        import zstandard

        return bytes(zstandard.ZstdCompressor(level=3 if level is None else level).compress(body))
    raise ProtocolError(f"unknown compression {codec}")


def _gunzip(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    unpacked = unpacker.decompress(body, DECOMPRESSED_LIMIT)
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {DECOMPRESSED_LIMIT} bytes")
    return unpacked


def _joined(pieces: Iterable[bytes]) -> bytes:
    taken: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > DECOMPRESSED_LIMIT:
            raise ValueError(f"more than {DECOMPRESSED_LIMIT} bytes")
        taken.append(piece)
    return taken[0] if len(taken) == 1 else b"".join(taken)


def _unlz4(body: bytes) -> bytes:
    return _joined(_lz4_pieces(body))


def _lz4_pieces(body: bytes) -> Iterator[bytes]:
    import lz4.frame

    unpacker = lz4.frame.LZ4FrameDecompressor()
    piece = unpacker.decompress(body, PIECE_BYTES)
    yield piece
    while piece and not unpacker.eof:
        piece = unpacker.decompress(b"", PIECE_BYTES)
        yield piece
    if not unpacker.eof:
        raise ValueError("cut short")


def _unsnappy(body: bytes) -> bytes:
    if not body.startswith(_XERIAL_MAGIC):
        return _unsnappy_block(body)
    blocks = []
    position = _XERIAL_HEADER_SIZE
    while position < len(body):
        (length,) = _INT32.unpack_from(body, position)
        position += _INT32.size
        blocks.append(_unsnappy_block(body[position : position + length]))
        position += length
    return b"".join(blocks)


def _unsnappy_block(block: bytes) -> bytes:
    import cramjam

    try:
        if cramjam.snappy.decompress_raw_len(block) > DECOMPRESSED_LIMIT:
            raise ValueError(f"more than {DECOMPRESSED_LIMIT} bytes")
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from error


def _unzstd(body: bytes) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            return _joined(iter(lambda: reader.read(PIECE_BYTES), b""))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
