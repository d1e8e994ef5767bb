"""Answers packed as a client asks: the cases of RFC 9110 and of Pekko HTTP's coding directives, over a real socket."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka.http import (
    Route,
    StreamedResponse,
    complete,
    cors,
    encode_response,
    encode_response_with,
    respond_with_headers,
)
from smackbox.akka.http.encoding import choose
from smackbox.akka.stream import Source
from tests.akka.http.server import Answer, serving

TEXT = "a text that is worth packing. " * 20
ALL = ("identity", "gzip", "deflate")


def ask(route: Route, accepted: str | None = None) -> Answer:
    async def run() -> Answer:
        async with serving(route) as client:
            return await client.ask("GET", "/", headers={} if accepted is None else {"Accept-Encoding": accepted})

    return asyncio.run(run())


def plain(answer: Answer) -> str:
    coding = answer.headers.get("content-encoding")
    unpack = {None: bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}[coding]
    return unpack(answer.body).decode()


@pytest.mark.parametrize(
    ("accepted", "codings", "chosen"),
    [
        (None, ALL, "identity"),
        (None, ("gzip",), "gzip"),
        (None, ("deflate", "gzip"), "deflate"),
        ("", ALL, "identity"),
        ("", ("gzip",), None),
        ("gzip, deflate", ALL, "gzip"),
        ("gzip, deflate, br", ALL, "gzip"),
        ("GZIP", ALL, "gzip"),
        ("x-gzip", ALL, "gzip"),
        ("deflate", ALL, "deflate"),
        ("deflate;q=0.5, gzip", ("gzip", "identity"), "gzip"),
        ("deflate, gzip;q=0.5", ALL, "deflate"),
        ("deflate", ("gzip", "identity"), "identity"),
        ("identity", ("gzip",), None),
        ("gzip, identity", ("identity",), "identity"),
        ("identity;q=0", ("identity",), None),
        ("identity;q=0", ALL, None),
        ("*;q=0", ALL, None),
        ("*;q=0, gzip", ALL, "gzip"),
        ("*", ("gzip",), "gzip"),
        ("br;q=1, *;q=0.1", ("gzip",), "gzip"),
        ("gzip;q=0", ("gzip", "identity"), "identity"),
        ("gzip;q=nonsense", ("gzip", "identity"), "identity"),
        ("gzip ; q=0.3 , deflate ; q=0.2", ALL, "gzip"),
    ],
)
def test_the_coding_is_the_one_that_the_client_prefers(
    accepted: str | None, codings: tuple[str, ...], chosen: str | None
) -> None:
    assert choose(accepted, codings) == chosen


@given(st.text(max_size=40))
def test_any_text_of_accept_encoding_gives_a_coding_or_none(accepted: str) -> None:
    assert choose(accepted, ALL) in {*ALL, None}


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_whole_answer_is_packed(coding: str) -> None:
    answer = ask(encode_response(complete(TEXT)), coding)
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["vary"] == "Accept-Encoding"
    assert len(answer.body) < len(TEXT) / 5
    assert plain(answer) == TEXT


def test_a_large_answer_is_packed_too() -> None:
    assert plain(ask(encode_response(complete(TEXT * 1000)), "gzip")) == TEXT * 1000


def test_failures_are_packed_as_well() -> None:
    answer = ask(encode_response_with("gzip")(complete(TEXT, status=404)), "gzip")
    assert (answer.status, answer.headers["content-encoding"], plain(answer)) == (404, "gzip", TEXT)


def test_an_answer_as_it_is_says_what_it_depends_on() -> None:
    answer = ask(encode_response(complete(TEXT)))
    assert (answer.headers.get("content-encoding"), answer.headers["vary"]) == (None, "Accept-Encoding")


@pytest.mark.parametrize(
    "inner",
    [
        complete(HTTPStatus.NO_CONTENT),
        complete(),
        complete(b"\x89PNG", content_type="image/png"),
        respond_with_headers({"Content-Encoding": "br"})(complete(b"packed", content_type="text/plain")),
    ],
    ids=["no content", "empty", "packed already", "with a coding of its own"],
)
def test_what_packing_does_not_help_is_left_alone(inner: Route) -> None:
    before, after = ask(inner), ask(encode_response(inner), "gzip")
    assert (after.status, after.body) == (before.status, before.body)
    assert after.headers.get("content-encoding") == before.headers.get("content-encoding")


def test_a_client_that_accepts_none_of_them_gets_406() -> None:
    answer = ask(encode_response_with("gzip", "deflate")(complete(TEXT)), "br")
    assert (answer.status, answer.text) == (
        406,
        "Resource representation is only available with these Content-Encodings:\ngzip\ndeflate",
    )


def test_an_alternative_takes_what_the_first_rejects() -> None:
    either = encode_response_with("gzip") | encode_response_with("identity")
    assert plain(ask(either(complete(TEXT)), "deflate")) == TEXT
    assert ask(either(complete(TEXT)), "deflate;q=0.5, gzip").headers["content-encoding"] == "gzip"


def test_a_tag_names_the_resource_not_its_bytes() -> None:
    tagged = respond_with_headers({"ETag": '"1"'})(complete(TEXT))
    assert ask(encode_response(tagged), "gzip").headers["etag"] == 'W/"1"'
    assert ask(encode_response(tagged)).headers["etag"] == '"1"'


def test_cors_and_encoding_both_say_what_caches_must_know() -> None:
    route = cors(["https://shop.example"])(encode_response(complete(TEXT)))
    assert ask(route, "gzip").headers["vary"] == "Accept-Encoding, Origin"


def test_each_element_of_a_stream_reaches_the_client_when_it_is_there() -> None:
    async def run() -> None:
        go_on = asyncio.Event()
        closed: list[str] = []

        async def elements() -> AsyncIterator[bytes]:
            try:
                yield b"first"
                await go_on.wait()
                yield b""
                yield b"second"
            finally:
                closed.append("closed")

        async with serving(encode_response(complete(StreamedResponse(elements(), "text/plain")))) as client:
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                unpacker = zlib.decompressobj(31)
                assert unpacker.decompress(await chunk(reader)) == b"first"
                go_on.set()
                assert unpacker.decompress(await chunk(reader)) == b"second"
                unpacker.decompress(await chunk(reader))
                assert await chunk(reader) == b""
            writer.close()
        assert b"content-encoding: gzip" in head.lower()
        assert unpacker.eof
        assert closed == ["closed"]

    asyncio.run(run())


async def chunk(reader: asyncio.StreamReader) -> bytes:
    size = int((await reader.readline()).strip(), 16)
    return (await reader.readexactly(size + 2))[:-2]


@pytest.mark.parametrize("elements", [[], [b"one", b" two"]], ids=["empty", "two"])
def test_a_source_is_packed(elements: list[bytes]) -> None:
    source = Source.from_iterable(elements)
    answer = ask(encode_response(complete(StreamedResponse(source, "text/plain"))), "gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert plain(answer) == b"".join(elements).decode()


def test_a_client_that_leaves_closes_the_stream_that_is_packed() -> None:
    async def run() -> None:
        closed = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield TEXT.encode()
                    await asyncio.sleep(0)
            finally:
                closed.set()

        async with serving(encode_response(complete(StreamedResponse(endless(), "text/plain")))) as client:
            reader, writer = await asyncio.open_connection(*client.address)
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            async with asyncio.timeout(20):
                await closed.wait()

    asyncio.run(run())


def test_a_coding_that_is_not_known_is_refused_when_the_route_is_made() -> None:
    with pytest.raises(ValueError, match="codings are gzip, deflate and identity, not br"):
        encode_response_with("gzip", "br")
    with pytest.raises(ValueError, match="not none"):
        encode_response_with()
