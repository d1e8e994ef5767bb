"""Bodies that are unpacked: whole, up to the limit, and nothing behind them."""

from __future__ import annotations

import gzip
import zlib

import pytest

from smackbox.net.content_encoding import DEFLATE, GZIP, unpack


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
