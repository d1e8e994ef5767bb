"""The HTTP server and client on each other: bodies, streams, limits, and what a slow or leaving client does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from smackbox.base.errors import StartError
from smackbox.net.http import Handler, HttpRequest, HttpResponse, HttpStream, basic_authorization, basic_credentials
from smackbox.net.http_client import HttpClient, HttpClientError
from smackbox.net.http_server import HttpServer


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: int) -> AsyncIterator[tuple[HttpServer, HttpClient]]:
    server = HttpServer("test", handler, **options)  # type: ignore[arg-type]
    await server.start()
    client = HttpClient()
    try:
        yield server, client
    finally:
        await client.close()
        await server.stop()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse.json(
        {
            "method": request.method,
            "path": request.path,
            "target": request.target,
            "query": request.query,
            "body": request.body.decode(),
            "x": request.headers.get("x-test"),
        },
        201,
    )


def test_a_request_arrives_whole_and_its_answer_too() -> None:
    async def work() -> None:
        async with serving(echo) as (server, client):
            answer = await client.request(
                "PUT", f"{server.url}/a%20b/slave(1)?c=1&c=2&d=", body=b"hello", headers={"X-Test": "yes"}
            )
            assert answer.status == 201
            assert answer.content_type == "application/json"
            assert answer.body == (
                b'{"method":"PUT","path":"/a b/slave(1)","target":"/a%20b/slave(1)?c=1&c=2&d=",'
                b'"query":{"c":["1","2"],"d":[""]},"body":"hello","x":"yes"}'
            )

    run(work)


def test_handlers_may_take_their_time_and_fail_alone() -> None:
    async def slow() -> HttpResponse:
        await asyncio.sleep(0)
        return HttpResponse.text("slow")

    def handler(request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if request.path == "/bug":
            raise ValueError("a bug")
        return slow()

    async def work() -> None:
        async with serving(handler) as (server, client):
            assert (await client.request("GET", server.url + "/bug")).status == 500
            assert (await client.request("GET", server.url + "/")).body == b"slow"

    run(work)


def test_a_body_over_the_limit_is_refused() -> None:
    async def work() -> None:
        async with serving(echo, body_limit=10) as (server, client):
            assert (await client.request("POST", server.url, body=b"x" * 11)).status == 413
            assert (await client.request("POST", server.url, body=b"x" * 10)).status == 201

    run(work)


def test_connections_over_the_limit_are_refused() -> None:
    async def work() -> None:
        async with (
            serving(lambda _: HttpStream(), connections_limit=1) as (server, client),
            client.stream("GET", server.url) as first,
            client.stream("GET", server.url) as second,
        ):
            assert (first.status, second.status) == (200, 503)

    run(work)


def test_a_stream_brings_what_is_sent_and_ends_when_it_is_closed() -> None:
    async def work() -> None:
        stream = HttpStream(content_type="text/event-stream", headers={"Mesos-Stream-Id": "1"})
        async with (
            serving(lambda _: stream) as (server, client),
            client.stream("GET", server.url) as answer,
        ):
            assert answer.headers["mesos-stream-id"] == "1"
            assert answer.headers["transfer-encoding"] == "chunked"
            chunks = answer.chunks(10)
            stream.send(b"one")
            assert await anext(chunks) == b"one"
            stream.send(b"two")
            stream.close()
            assert await anext(chunks) == b"two"
            assert [chunk async for chunk in chunks] == []

    run(work)


def test_a_stream_learns_that_its_client_went_away() -> None:
    async def work() -> None:
        gone = asyncio.Event()
        stream = HttpStream()
        stream.on_closed = gone.set
        async with serving(lambda _: stream) as (server, client):
            async with client.stream("GET", server.url) as answer:
                assert answer.status == 200
            await gone.wait()
            assert stream.closed

    run(work)


def test_a_client_that_does_not_read_its_stream_is_cut_off() -> None:
    async def work() -> None:
        gone = asyncio.Event()
        stream = HttpStream(buffer_limit=100_000)
        stream.on_closed = gone.set
        async with serving(lambda _: stream) as (server, client), client.stream("GET", server.url) as answer:
            while not gone.is_set():
                stream.send(b"x" * 10_000)
                await asyncio.sleep(0)
            assert stream.cut_off and stream.take() == b""
            with pytest.raises(HttpClientError):
                await answer.read()

    run(work)


def test_nobody_there_and_silence_are_errors() -> None:
    async def work() -> None:
        async with serving(lambda _: HttpStream()) as (server, client):
            with pytest.raises(HttpClientError, match="nothing arrived|did not end|did not answer"):
                await client.request("GET", server.url, timeout_s=0.01)
            await server.stop()
            with pytest.raises(HttpClientError, match="does not answer"):
                await client.request("GET", server.url)

    run(work)


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    async def work() -> None:
        async with serving(echo) as (server, _):
            with pytest.raises(StartError, match=f"cannot listen on 127.0.0.1:{server.port}"):
                await HttpServer("other", echo, port=server.port).start()

    run(work)


def test_basic_authentication_both_ways() -> None:
    assert basic_credentials(basic_authorization("me", "a:b")) == ("me", "a:b")
    assert [basic_credentials(text) for text in (None, "Bearer x", "Basic !", "Basic eA==")] == [None] * 4
