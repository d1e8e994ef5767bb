"""Compression of records: over several blocks, damaged, too large, and in a form that Java's client reads."""

from __future__ import annotations

import random

import lz4.frame
import pytest
import zstandard

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire import compression
from smackbox.kafka.wire.compression import GZIP, LZ4, PIECE_BYTES, SNAPPY, ZSTD, compress, decompress

CODECS = (GZIP, SNAPPY, LZ4, ZSTD)
BLOCKS_INDEPENDENT = 0x20


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_000])
def test_what_goes_in_comes_out(codec: int, size: int) -> None:
    body = random.Random(size).randbytes(size // 2) * 2
    assert decompress(codec, compress(codec, body)) == body


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 5_000_000])
def test_what_takes_several_pieces_comes_out_whole(codec: int, size: int) -> None:
    body = random.Random(size).randbytes(1000) * (size // 1000 + 1)
    assert decompress(codec, compress(codec, body[:size])) == body[:size]


def test_lz4_blocks_do_not_depend_on_each_other() -> None:
    """Java's client rejects others: "Dependent block stream is unsupported"."""
    assert compress(LZ4, b"x" * 200_000)[4] & BLOCKS_INDEPENDENT


def test_linked_lz4_blocks_are_read_all_the_same() -> None:
    body = bytes(range(256)) * 1_000
    assert decompress(LZ4, lz4.frame.compress(body, block_linked=True)) == body


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("damage", ["cut", "junk", "empty"])
def test_damaged_bodies_are_an_error(codec: int, damage: str) -> None:
    whole = compress(codec, bytes(range(256)) * 100)
    body = {"cut": whole[: len(whole) // 2], "junk": b"\xff" * 50, "empty": b""}[damage]
    if (codec, damage) in {(GZIP, "cut"), (GZIP, "empty"), (ZSTD, "cut"), (ZSTD, "empty")}:
        assert len(decompress(codec, body)) < 25_600, "the records in it do not add up, which their reader finds"
        return
    with pytest.raises(ProtocolError, match="do not decompress"):
        decompress(codec, body)


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_is_unpacked_beyond_the_limit(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "DECOMPRESSED_LIMIT", 100_000)
    body = compress(codec, bytes(100_001))
    with pytest.raises(ProtocolError, match="more than 100000 bytes"):
        decompress(codec, body)
    assert len(decompress(codec, compress(codec, bytes(100_000)))) == 100_000


def test_a_zstd_bomb_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "DECOMPRESSED_LIMIT", 1_000_000)
    bomb = zstandard.ZstdCompressor().compress(bytes(200_000_000))
    assert len(bomb) < 20_000
    with pytest.raises(ProtocolError, match="more than 1000000 bytes"):
        decompress(ZSTD, bomb)
