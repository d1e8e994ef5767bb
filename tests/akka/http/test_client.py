"""The client: pools, limits, retries and bodies streamed both ways, against the server here and against raw sockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from smackbox.akka import ActorSystem
from smackbox.akka.http import (
    ClientRequest,
    ClientSettings,
    HttpClient,
    Route,
    StreamedResponse,
    TooManyRequestsError,
    as_,
    complete,
    encode_response,
    entity,
    extract_request,
    get,
    path,
    post,
    respond_with_headers,
)
from smackbox.akka.stream import Sink, Source
from smackbox.net.http import HttpRequest
from smackbox.net.http_client import HttpClientError
from tests.akka.http.server import TIMEOUT_S, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[bool]]


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await main()

    asyncio.run(limited())


@asynccontextmanager
async def against(route: Route, **settings: Any) -> AsyncIterator[tuple[HttpClient, str]]:
    async with serving(route) as server:
        host, port = server.address
        async with HttpClient(server.system, ClientSettings(**settings), None) as client:
            yield client, f"http://{host}:{port}"


@dataclass
class RawServer:
    """Answers each request's head by `handle`, which says whether the connection stays."""

    handle: Handler
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head)
                if not await self.handle(head, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def raw(handle: Handler, **settings: Any) -> AsyncIterator[tuple[HttpClient, RawServer]]:
    server = RawServer(handle)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    server.url = f"http://{host}:{port}/"
    try:
        async with ActorSystem("client") as system, HttpClient(system, ClientSettings(**settings), None) as client:
            yield client, server
    finally:
        listening.close()


async def ok(_: bytes, writer: asyncio.StreamWriter) -> bool:
    writer.write(OK)
    return True


async def silence(_: bytes, writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(TIMEOUT_S)
    return False


def test_an_answer_comes_whole_whatever_its_status() -> None:
    @(path("orders") & post & entity(as_(bytes)))
    def route(body: bytes) -> Route:
        return respond_with_headers({"X-Kind": "order"})(complete(body[::-1], status=422))

    async def main() -> None:
        async with against(route) as (client, url):
            response = await client.single_request(ClientRequest(f"{url}/orders", "POST", {"X-A": "b"}, b"abc"))
            assert (response.status, response.headers["x-kind"]) == (422, "order")
            assert await response.to_strict() == b"cba"

    run(main)


def test_fields_of_one_name_are_joined() -> None:
    async def two(_: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 204 No Content\r\nVary: a\r\nVary: b\r\n\r\n")
        return True

    async def main() -> None:
        async with raw(two) as (client, server):
            response = await client.single_request(ClientRequest(server.url))
            assert (response.headers["vary"], await response.to_strict()) == ("a, b", b"")

    run(main)


@pytest.mark.parametrize("as_source", [True, False])
def test_a_body_is_sent_as_a_stream(as_source: bool) -> None:
    chunks = [b"one", b"", b" two", b" three"]

    async def elements() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    @(extract_request)
    def route(request: HttpRequest) -> Route:
        return complete({"body": request.body.decode(), "framing": request.headers.get("transfer-encoding")})

    async def main() -> None:
        async with against(route) as (client, url):
            body = Source.from_iterable(chunks) if as_source else elements()
            response = await client.single_request(ClientRequest(url, "POST", body=body))
            assert await response.to_strict() == b'{"body":"one two three","framing":"chunked"}'

    run(main)


def test_a_body_that_fails_while_it_is_sent_fails_the_request_alone() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("the disk is gone")

    async def main() -> None:
        async with against(complete("yes")) as (client, url):
            with pytest.raises(HttpClientError, match="the disk is gone|does not answer"):
                await client.single_request(ClientRequest(url, "POST", body=broken()))
            assert await (await client.single_request(ClientRequest(url))).to_strict() == b"yes"

    run(main)


def test_an_answer_is_read_as_a_stream_and_may_be_left() -> None:
    async def main() -> None:
        closed = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 65536
            finally:
                closed.set()

        async with against(complete(StreamedResponse(endless()))) as (client, url):
            response = await client.single_request(ClientRequest(url))
            taken = await response.source().take(3).run_with(Sink.seq(), client._system)
            assert len(taken) == 3
            await closed.wait()  # the server sees that nobody reads

    run(main)


def test_an_answer_of_one_server_is_passed_on_by_another_as_it_is() -> None:
    text = "passed on. " * 5000

    async def main() -> None:
        async with against(encode_response(complete(text))) as (client, url):

            async def proxy() -> Route:
                response = await client.single_request(ClientRequest(url, headers={"Accept-Encoding": "gzip"}))
                coding = {"Content-Encoding": response.headers["content-encoding"]}
                return complete(StreamedResponse(response.source(), "text/plain", headers=coding))

            async with serving(get(proxy)) as front:
                answer = await front.get("/")
        assert gzip.decompress(answer.body).decode() == text

    run(main)


def test_a_connection_is_kept_and_used_again() -> None:
    async def main() -> None:
        async with raw(ok) as (client, server):
            for _ in range(5):
                assert await (await client.single_request(ClientRequest(server.url))).to_strict() == b"ok"
            await (await client.single_request(ClientRequest(server.url))).discard()
            assert (len(server.requests), server.connections) == (6, 1)

    run(main)


def test_a_host_has_so_many_connections_and_no_more() -> None:
    async def main() -> None:
        running, most = 0, 0

        async def slow(_: bytes, writer: asyncio.StreamWriter) -> bool:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            writer.write(OK)
            return True

        async with raw(slow, connections=3) as (client, server):

            async def ask() -> bytes:
                return await (await client.single_request(ClientRequest(server.url))).to_strict()

            assert await asyncio.gather(*(ask() for _ in range(20))) == [b"ok"] * 20
            assert most == 3
            assert server.connections == 3

    run(main)


def test_one_request_more_than_allowed_fails_at_once_and_harms_no_other() -> None:
    async def main() -> None:
        go_on = asyncio.Event()

        async def held(_: bytes, writer: asyncio.StreamWriter) -> bool:
            await go_on.wait()
            writer.write(OK)
            return True

        async with raw(held, open_requests=2) as (client, server), raw(ok) as (_, other):
            asked = [asyncio.ensure_future(client.single_request(ClientRequest(server.url))) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(
                TooManyRequestsError, match="has 2 requests under way: wait for their answers, or raise"
            ):
                await client.single_request(ClientRequest(server.url))
            # another host has its own
            assert await (await client.single_request(ClientRequest(other.url))).to_strict() == b"ok"
            go_on.set()
            assert [await (await task).to_strict() for task in asked] == [b"ok", b"ok"]
            assert await (await client.single_request(ClientRequest(server.url))).to_strict() == b"ok"

    run(main)


@pytest.mark.parametrize(("method", "attempts"), [("GET", 3), ("PUT", 3), ("POST", 1), ("PATCH", 1)])
def test_only_what_may_be_sent_twice_is_tried_again(method: str, attempts: int) -> None:
    async def main() -> None:
        failures = 2

        async def failing(_: bytes, writer: asyncio.StreamWriter) -> bool:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                return False
            writer.write(OK)
            return True

        async with raw(failing, backoff_s=0.001) as (client, server):
            request = ClientRequest(server.url, method)
            if attempts == 1:
                with pytest.raises(HttpClientError, match="does not answer"):
                    await client.single_request(request)
            else:
                assert await (await client.single_request(request)).to_strict() == b"ok"
            assert len(server.requests) == attempts

    run(main)


def test_a_stream_is_not_sent_twice() -> None:
    async def cut(_: bytes, __: asyncio.StreamWriter) -> bool:
        return False

    async def main() -> None:
        async with raw(cut, backoff_s=0.001) as (client, server):
            with pytest.raises(HttpClientError):
                await client.single_request(ClientRequest(server.url, "PUT", body=Source.single(b"x")))
            assert len(server.requests) == 1

    run(main)


def test_a_server_that_is_not_there_is_named() -> None:
    async def main() -> None:
        async with raw(ok) as (client, server):
            pass
        async with (
            ActorSystem("client") as system,
            HttpClient(system, ClientSettings(retries=1, backoff_s=0.001), None) as client,
        ):
            with pytest.raises(HttpClientError, match=f"{server.url} does not answer"):
                await client.single_request(ClientRequest(server.url))

    run(main)


def test_an_answer_that_does_not_come_is_given_up_in_time() -> None:
    async def main() -> None:
        async with raw(silence, answer_timeout_s=0.05, open_requests=1) as (client, server):
            for _ in range(2):  # what was given up counts no more
                with pytest.raises(HttpClientError, match=r"did not answer within 0\.05 s"):
                    await client.single_request(ClientRequest(server.url))

    run(main)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"Content-Length: 9\r\n\r\nbegun", "was cut off"),
        (b"Content-Length: 99\r\n\r\n" + b"x" * 99, "longer than 50 bytes"),
    ],
)
def test_a_body_cut_off_or_too_long_is_an_error(sent: bytes, message: str) -> None:
    async def some(_: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\n" + sent)
        return False

    async def main() -> None:
        async with raw(some) as (client, server):
            response = await client.single_request(ClientRequest(server.url))
            with pytest.raises(HttpClientError, match=message):
                await response.to_strict(limit=50)

    run(main)


def test_a_body_that_falls_silent_is_given_up() -> None:
    async def stalls(_: bytes, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")
        await asyncio.sleep(TIMEOUT_S)
        return False

    async def main() -> None:
        async with raw(stalls, idle_timeout_s=0.05) as (client, server):
            response = await client.single_request(ClientRequest(server.url))
            with pytest.raises(HttpClientError, match=r"sent nothing for 0\.05 s"):
                await response.to_strict()
        async with raw(stalls) as (client, server):
            response = await client.single_request(ClientRequest(server.url))
            with pytest.raises(HttpClientError, match=r"did not end within 0\.05 s"):
                await response.to_strict(timeout_s=0.05)

    run(main)


def test_a_response_that_nobody_reads_gives_its_connection_back(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with raw(ok, connections=1, open_requests=1, subscription_timeout_s=0.05) as (client, server):
            left = await client.single_request(ClientRequest(server.url))
            while client._open:
                await asyncio.sleep(0.01)
            assert await (await client.single_request(ClientRequest(server.url))).to_strict() == b"ok"
            with pytest.raises(HttpClientError, match="read or closed already"):
                await left.to_strict()

    with caplog.at_level(logging.WARNING, "smackbox.akka"):
        run(main)
    assert "read it, or call discard()" in caplog.text


def test_a_body_is_read_once() -> None:
    async def main() -> None:
        async with raw(ok) as (client, server):
            response = await client.single_request(ClientRequest(server.url))
            await response.to_strict()
            with pytest.raises(HttpClientError, match="read or closed already"):
                await response.to_strict()
            response.close()

    run(main)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ClientRequest("shop.example/orders"), "is not the URL of a resource"),
        (ClientRequest("ftp://127.0.0.1/a"), "speaks http and https"),
        (ClientRequest("http://127.0.0.1:99999/"), "is not the URL of a resource|cannot be asked"),
        (ClientRequest("http://127.0.0.1:9/", headers={"A": "b\r\nC: d"}), "cannot be asked"),
    ],
)
def test_what_cannot_be_asked_is_an_error_that_names_it(request_: ClientRequest, message: str) -> None:
    async def main() -> None:
        async with ActorSystem("client") as system, HttpClient(system, ClientSettings(), None) as client:
            with pytest.raises(HttpClientError, match=message):
                await client.single_request(request_)
            assert not client._open

    run(main)


def test_a_flow_keeps_the_order_and_gives_failures_as_values() -> None:
    async def by_path(head: bytes, writer: asyncio.StreamWriter) -> bool:
        number = int(head.split(b"/")[1].split(b" ")[0])
        await asyncio.sleep(0.02 if number % 3 == 0 else 0)
        if number == 5:
            return False
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        return True

    async def main() -> None:
        async with raw(by_path) as (client, server):
            requests = Source.from_iterable(
                [(ClientRequest(f"{server.url}{number}", "POST"), number) for number in range(10)]
            )

            async def read(element: Any) -> tuple[int, str]:
                response, number = element
                if isinstance(response, HttpClientError):
                    return number, "failed"
                return number, (await response.to_strict()).decode()

            results = await requests.via(client.flow()).map_async(1, read).run_with(Sink.seq(), client._system)
            assert results == [(number, "failed" if number == 5 else str(number)) for number in range(10)]

    run(main)


def test_a_client_ends_with_its_system() -> None:
    async def main() -> None:
        async with ActorSystem("client") as system:
            client = HttpClient(system, ClientSettings(), None)
        assert client._session.closed
        with pytest.raises(HttpClientError):
            await client.single_request(ClientRequest("http://127.0.0.1:9/"))

    run(main)


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="connections is at least 1, not 0"):
        ClientSettings(connections=0)
