"""Bodies that are unpacked: whole, up to the limit, and nothing behind them."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from smackbox.net import content_encoding
from smackbox.net.content_encoding import DEFLATE, GZIP, Unpacked, unpack


def test_gzip_stops_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    with pytest.raises(OverflowError):
        unpack(bomb, 1000, GZIP)
    assert unpack(gzip.compress(b"x" * 1000), 1000, GZIP) == b"x" * 1000
    with pytest.raises(zlib.error):
        unpack(gzip.compress(b"x") + b"trailing", 1000, GZIP)


def test_deflate_stops_at_the_limit() -> None:
    with pytest.raises(OverflowError, match="larger than 1000 bytes"):
        unpack(zlib.compress(b"\0" * 1001), 1000, DEFLATE)
    assert unpack(zlib.compress(b"x" * 1000), 1000, DEFLATE) == b"x" * 1000
    with pytest.raises(zlib.error):
        unpack(zlib.compress(b"x") + b"trailing", 1000, DEFLATE)


@pytest.mark.parametrize(("pack", "window"), [(gzip.compress, GZIP), (zlib.compress, DEFLATE)])
def test_a_stream_that_is_cut_is_an_error(pack: object, window: int) -> None:
    whole = pack(b"some content")  # type: ignore[operator]
    for length in range(len(whole)):
        with pytest.raises(zlib.error):
            unpack(whole[:length], 1000, window)


def test_the_members_of_a_gzip_stream_share_the_limit() -> None:
    members = gzip.compress(b"a" * 600) + gzip.compress(b"b" * 400)
    assert unpack(members, 1000, GZIP) == b"a" * 600 + b"b" * 400
    with pytest.raises(OverflowError):
        unpack(members, 999, GZIP)


def in_parts(data: bytes, size: int) -> bytes:
    unpacked = Unpacked(GZIP)
    out = [piece for at in range(0, len(data), size) for piece in unpacked.feed(data[at : at + size], 300)]
    unpacked.end()
    return b"".join(out)


def test_members_of_all_sizes_are_unpacked_whole_and_in_parts() -> None:
    contents = [
        bytes([size % 256]) * 3 + zlib.crc32(b"%d" % size).to_bytes(4, "big") * size for size in range(0, 900, 7)
    ]
    packed = b"".join(gzip.compress(content) for content in contents)
    assert unpack(packed, len(b"".join(contents)), GZIP) == b"".join(contents)
    for size in (1, 100, len(packed)):
        assert in_parts(packed, size) == b"".join(contents)


def test_many_tiny_members_cost_no_more_than_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    given = 0
    make = zlib.decompressobj

    class Counting:
        def __init__(self, window: int) -> None:
            self._member = make(window)

        def decompress(self, data: Any, size: int) -> bytes:
            nonlocal given
            given += len(data)
            return self._member.decompress(data, size)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._member, name)

    members = 2_000
    data = gzip.compress(b"") * members
    monkeypatch.setattr(content_encoding.zlib, "decompressobj", Counting)
    assert unpack(data, 1, GZIP) == b""
    assert in_parts(data, len(data)) == b""
    assert given <= 2 * (len(data) + members * content_encoding.FIRST_STEP_BYTES)
