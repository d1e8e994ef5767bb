"""Framing and compression: limits, broken and cut input."""

from __future__ import annotations

import gzip
import zlib

import pytest

from smackbox.akka.stream import Compression, Flow, Framing, Source
from smackbox.akka.stream.errors import CompressionError, FramingError
from smackbox.akka.testkit.kit import ActorTestKit


def run(kit: ActorTestKit, flow: Flow[bytes, bytes, None], *data: bytes) -> list[bytes]:
    return kit.run(Source.from_iterable(data).via(flow).run_list(kit.system))


def test_delimiters_of_several_bytes(akka_testkit: ActorTestKit) -> None:
    assert run(akka_testkit, Framing.delimiter(b"::"), b"a:", b":b::", b"::") == [b"a", b"b", b""]


@pytest.mark.parametrize(
    ("flow", "data", "why"),
    [
        (Framing.delimiter(b"\n"), b"a\nb", "in the middle of a frame"),
        (Framing.delimiter(b"\n", 3), b"abcd\n", "limit is 3"),
        (Framing.delimiter(b"\n", 3), b"abcde", "limit is 3"),
        (Framing.lines(3), b"abcdefgh", "limit is 4"),
        (Framing.length_field(2), b"\x05\x00abc", "in the middle of a frame"),
        (Framing.length_field(2, limit=4), b"\x05\x00abcde", "limit is 4"),
        (Framing.length_field(1, size=lambda _, length: length), b"\x00", "shorter than its header"),
        (Framing.json_objects(), b'{"a":1} x', "between JSON objects"),
        (Framing.json_objects(), b'{"a":', "in the middle of a JSON object"),
        (Framing.json_objects(4), b'{"a":1}', "limit is 4"),
        (Framing.simple_encoder(2), b"abc", "limit is 2"),
    ],
)
def test_what_is_no_frame_fails(
    akka_testkit: ActorTestKit, flow: Flow[bytes, bytes, None], data: bytes, why: str
) -> None:
    with pytest.raises(FramingError, match=why):
        run(akka_testkit, flow, data)


def test_length_fields(akka_testkit: ActorTestKit) -> None:
    assert run(akka_testkit, Framing.length_field(2, 1), b"x\x02\x00ab", b"y\x00\x00") == [b"x\x02\x00ab", b"y\x00\x00"]
    whole = Framing.length_field(1, byte_order="big", size=lambda _, length: length)
    assert run(akka_testkit, whole, b"\x03ab\x01") == [b"\x03ab", b"\x01"]
    with pytest.raises(ValueError, match="1 to 8 bytes"):
        Framing.length_field(9)
    with pytest.raises(ValueError, match="at least one byte"):
        Framing.delimiter(b"")


def test_texts_in_json_may_hold_anything(akka_testkit: ActorTestKit) -> None:
    objects = [b'{"a":"\\\\"}', b'{"b":{"c":"}\\"{"}}']
    assert run(akka_testkit, Framing.json_objects(), b"[" + b",".join(objects) + b"]\n") == objects


def test_compression_of_others(akka_testkit: ActorTestKit) -> None:
    data = bytes(range(256)) * 1_000
    packed = gzip.compress(data)
    pieces = run(akka_testkit, Compression.gunzip(1_000), packed[:7], packed[7:])
    assert b"".join(pieces) == data and max(map(len, pieces)) <= 1_000
    assert gzip.decompress(b"".join(run(akka_testkit, Compression.gzip(), data))) == data
    assert zlib.decompress(b"".join(run(akka_testkit, Compression.deflate(), data))) == data
    assert run(akka_testkit, Compression.gunzip(), gzip.compress(b"")) == []
    assert run(akka_testkit, Compression.gunzip()) == []


@pytest.mark.parametrize("cut", [1, 5, 10, 15, 20, 25])
def test_compressed_data_that_is_cut_off_fails(akka_testkit: ActorTestKit, cut: int) -> None:
    packed = gzip.compress(b"some text of some length")
    with pytest.raises(CompressionError):
        run(akka_testkit, Compression.gunzip(), packed[:cut])
    with pytest.raises(CompressionError):
        run(akka_testkit, Compression.gunzip(), packed + b"rest")
