"""Ranges of bytes: the cases of RFC 9110 (14) and of Pekko HTTP's own tests, on whole, streamed and static bodies."""

from __future__ import annotations

import asyncio
from email.parser import BytesParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka.http import (
    Route,
    StreamedResponse,
    complete,
    encode_response,
    extract_client_ip,
    get,
    get_from_file,
    path,
    put,
    reject,
    with_range_support,
)
from smackbox.akka.http.ranges import COALESCING, ByteRange, coalesced, parse_ranges
from smackbox.akka.stream import Source
from smackbox.net.http import HttpResponse
from tests.akka.http.server import Answer, serving

TEXT = bytes(range(256)) * 4


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    """Content ranges and bodies of a `multipart/byteranges`."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + answer.body)
    return [
        (part["content-range"], part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()
    ]  # type: ignore[misc]


def test_fields_that_are_ranges_and_that_are_not() -> None:
    assert parse_ranges("bytes=0-499") == [ByteRange(0, 499)]
    assert parse_ranges("bytes=9500-") == [ByteRange(9500, None)]
    assert parse_ranges("Bytes = -500") == [ByteRange(None, 500)]
    assert parse_ranges("bytes= 0-999, ,4500-5499, -1000") == [
        ByteRange(0, 999),
        ByteRange(4500, 5499),
        ByteRange(None, 1000),
    ]
    for field in ("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=0-1,x", "bytes=--1", "rows=0-1",
                  "bytes=1", "bytes=0-1;2-3", "bytes=+1-2", "bytes=" + "9" * 20 + "-"):  # fmt: skip
        assert parse_ranges(field) is None, field


def test_ranges_within_a_body() -> None:
    for one, within in (
        (ByteRange(0, 1), (0, 2)),
        (ByteRange(5, None), (5, 10)),
        (ByteRange(9, 9), (9, 10)),
        (ByteRange(5, 100), (5, 10)),
        (ByteRange(None, 1), (9, 10)),
        (ByteRange(None, 100), (0, 10)),
        (ByteRange(None, 0), None),
        (ByteRange(10, None), None),
        (ByteRange(10, 12), None),
    ):
        assert one.within(10) == within
    assert ByteRange(None, 5).within(0) is None


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 300)).map(lambda t: (t[0], t[0] + t[1])), min_size=1))
def test_joined_ranges_hold_all_that_was_asked_for(parts: list[tuple[int, int]]) -> None:
    joined = coalesced(parts)
    asked = {n for first, end in parts for n in range(first, end)}
    assert asked <= {n for first, end in joined for n in range(first, end)}
    for (_, end), (first, _) in pairwise(joined):
        assert first - end > COALESCING


def bodies(file: Path) -> list[tuple[str, Route]]:
    file.write_bytes(TEXT)
    pieces = [TEXT[at : at + 7] for at in range(0, len(TEXT), 7)]
    streamed = StreamedResponse(Source.from_iterable(pieces), "text/x", length=len(TEXT))
    return [
        ("whole", with_range_support(complete(TEXT))),
        ("streamed", with_range_support(complete(streamed))),
        ("file", get_from_file(file)),
    ]


def test_ranges_of_every_kind_of_body(tmp_path: Path) -> None:
    async def run() -> None:
        size = len(TEXT)
        for name, route in bodies(tmp_path / "data.bin"):
            async with serving(route) as client:
                whole = await client.get("/")
                assert (whole.status, whole.body, whole.headers["accept-ranges"]) == (200, TEXT, "bytes"), name
                assert whole.headers["content-length"] == str(size)
                for field, first, end in (
                    ("bytes=0-0", 0, 1),
                    ("bytes=3-4", 3, 5),
                    ("bytes=1000-", 1000, size),
                    ("bytes=-1", size - 1, size),
                    ("bytes=-5000", 0, size),
                    ("bytes=0-5000", 0, size),
                    ("bytes=2000-3000,5-6", 5, 7),  # what cannot be satisfied is left out
                    ("bytes=0-1,1-2,4-5", 0, 6),  # joined to one
                ):
                    answer = await client.get("/", Range=field)
                    assert (answer.status, answer.body) == (206, TEXT[first:end]), (name, field)
                    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{size}"
                    assert answer.headers["content-length"] == str(end - first)
                for field in ("bytes=1024-", "bytes=2000-3000", "bytes=-0"):
                    answer = await client.get("/", Range=field)
                    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")
                for field in ("bytes=x", "rows=0-1", "bytes=4-2"):
                    assert (await client.get("/", Range=field)).body == TEXT
                answer = await client.get("/", Range="bytes=600-610, 10-12, 11-20")
                assert (answer.status, "content-range" in answer.headers) == (206, False)
                assert parts_of(answer) == [
                    (f"bytes 10-20/{size}", TEXT[10:21]),
                    (f"bytes 600-610/{size}", TEXT[600:611]),
                ]
                answer = await client.get("/", Range="bytes=" + ",".join(f"{n}-" for n in range(17)))
                assert answer.status == 416
                head = await client.ask("HEAD", "/", headers={"Range": "bytes=0-1"})
                assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))

    asyncio.run(run())


def test_what_has_no_ranges() -> None:
    async def run() -> None:
        unsized = StreamedResponse(Source.from_iterable([b"ab", b"cd"]))
        route = with_range_support(
            path("none")(reject())
            | path("created")(get(complete("new", status=201)))
            | path("unsized")(complete(unsized))
            | put(complete("put"))
        )
        async with serving(route) as client:
            assert (await client.get("/none", Range="bytes=0-1")).status == 405
            assert (await client.get("/created", Range="bytes=0-1")).status == 201
            assert (await client.get("/unsized", Range="bytes=0-1")).body == b"abcd"
            answer = await client.ask("PUT", "/x", b"", {"Range": "bytes=0-1"})
            assert (answer.text, "accept-ranges" in answer.headers) == ("put", False)

    asyncio.run(run())


def test_a_range_of_another_version_is_the_whole(tmp_path: Path) -> None:
    async def run() -> None:
        file = tmp_path / "a.txt"
        file.write_bytes(b"0123456789")
        async with serving(get_from_file(file)) as client:
            first = await client.get("/")
            for same in (first.headers["etag"], first.headers["last-modified"]):
                assert (await client.get("/", Range="bytes=2-3", **{"If-Range": same})).body == b"23"
            for other in ('"other"', "W/" + first.headers["etag"], "Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"):
                answer = await client.get("/", Range="bytes=2-3", **{"If-Range": other})
                assert (answer.status, answer.body) == (200, b"0123456789")

    asyncio.run(run())


def test_a_range_is_not_packed() -> None:
    async def run() -> None:
        route = encode_response(with_range_support(complete("text " * 100)))
        async with serving(route) as client:
            answer = await client.get("/", Range="bytes=0-3", **{"Accept-Encoding": "gzip"})
            assert (answer.status, answer.text, "content-encoding" in answer.headers) == (206, "text", False)
            answer = await client.get("/", **{"Accept-Encoding": "gzip"})
            assert (answer.headers["content-encoding"], "accept-ranges" in answer.headers) == ("gzip", False)

    asyncio.run(run())


@pytest.mark.parametrize("length", [3, 5])
def test_a_body_of_another_length_than_announced_is_cut_off(length: int) -> None:
    async def run() -> None:
        response = StreamedResponse(Source.from_iterable([b"ab", b"cd"]), length=length)
        async with serving(complete(response) | complete(HttpResponse())) as client:
            body = (await client.raw(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")).partition(b"\r\n\r\n")[2]
            assert len(body) < length

    asyncio.run(run())


def test_addresses_of_clients() -> None:
    async def run() -> None:
        async with serving(extract_client_ip(complete)) as client:
            assert (await client.get("/")).text == "127.0.0.1"
            assert (await client.get("/", **{"X-Forwarded-For": "192.0.2.1, 10.0.0.1"})).text == "192.0.2.1"
            assert (await client.get("/", **{"X-Real-IP": "192.0.2.2"})).text == "127.0.0.1"

    asyncio.run(run())


def test_head_as_get() -> None:
    async def run() -> None:
        route = get(complete("hello"))
        async with serving(route) as client:
            assert (await client.ask("HEAD", "/")).status == 405
        async with serving(route, transparent_head=True) as client:
            answer = await client.ask("HEAD", "/")
            assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "5")

    asyncio.run(run())
