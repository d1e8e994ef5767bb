"""Compression of whole frame bodies in protocol v3 and v4: lz4 (a block after its original size) and snappy."""

from __future__ import annotations

from smackbox.base.errors import ProtocolError


def compress(algorithm: str, body: bytes) -> bytes:
    """Compress a body with the algorithm chosen in STARTUP."""
    if algorithm == "lz4":
        import lz4.block

        return len(body).to_bytes(4, "big") + bytes(lz4.block.compress(body, store_size=False))
    import cramjam

    return bytes(cramjam.snappy.compress_raw(body))


def decompressed_size(algorithm: str, body: bytes) -> int:
    """The decompressed size stated in a compressed body. Raises `ProtocolError` when it is missing."""
    return int.from_bytes(body[:4], "big") if algorithm == "lz4" else _snappy_size(body)


def decompress(algorithm: str, body: bytes, limit: int) -> bytes:
    """Decompress a body. Raises `ProtocolError` when it is malformed or larger than `limit`."""
    size = decompressed_size(algorithm, body)
    if size > limit:
        raise ProtocolError(f"a frame decompresses to {size} bytes, more than {limit}")
    if algorithm == "lz4":
        import lz4.block

        if size == 0:
            return b""
        try:
            return bytes(lz4.block.decompress(body[4:], uncompressed_size=size))
        except lz4.block.LZ4BlockError as error:
            raise ProtocolError(f"a frame does not decompress: {error}") from error
    import cramjam

    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise ProtocolError(f"a frame does not decompress: {error}") from error


def _snappy_size(body: bytes) -> int:
    """The decompressed length at the start of a snappy block: 7 bits a byte, lowest first."""
    size = 0
    for place, byte in enumerate(body[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return size
    raise ProtocolError("a frame does not decompress: it has no length")
