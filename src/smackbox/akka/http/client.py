"""The client side: requests over kept connections, a pool for each host, bodies streamed both ways; on aiohttp.

    client = Http(system).client()
    response = await client.single_request(ClientRequest("https://shop.example/orders", "POST", body=b"{}"))
    order = msgspec.json.decode(await response.to_strict(), type=Order)

As in Pekko HTTP: a host has at most so many connections, and so many requests under way or waiting; one more fails at
once. Only requests that may be sent twice are tried again. Redirects are the caller's. A response must be read or
discarded: until then it holds its connection, and after `subscription_timeout_s` the connection is closed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from yarl import URL

from smackbox.akka.actor.shutdown import BEFORE_ACTOR_SYSTEM_TERMINATE
from smackbox.akka.http.route import BAD_IN_HEADER, chunks_of
from smackbox.net.http_client import HttpClientError

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.stream.flow import Flow
    from smackbox.akka.stream.source import Source

T = TypeVar("T")

BODY_LIMIT = 8 * 1024 * 1024
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods whose requests may be sent twice (RFC 9110, 9.2.2)."""
TLS_GOODBYE_S = 0.2
"""For connections that were cut off to end as TLS wants it, before the loop may be gone (aiohttp's advice)."""

log = logging.getLogger("smackbox.akka")


class TooManyRequestsError(HttpClientError):
    """A host has as many requests under way and waiting as the settings allow."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Limits of one client, in counts, bytes and seconds; the defaults are those of Pekko HTTP's host pools."""

    connections: int = 4
    """For each host."""
    open_requests: int = 32
    """For each host: under way and waiting for a connection."""
    retries: int = 5
    backoff_s: float = 0.1
    """Before the first retry; doubled for each further one, up to `backoff_max_s`."""
    backoff_max_s: float = 5.0
    connect_timeout_s: float = 10.0
    answer_timeout_s: float = 20.0
    """Until the head of the answer is there, retries included."""
    idle_timeout_s: float = 60.0
    """How long a body may be silent."""
    subscription_timeout_s: float = 1.0
    """How long a response may be left unread."""
    keep_alive_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        for name in ("connections", "open_requests"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """`body`: bytes, or a stream of them (a `Source` or an async iterable), which is sent in chunks."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = b""


class ClientResponse:
    """An answer whose head is there. Read its body once, by `to_strict`, `data_bytes` or `source`, or `discard` it."""

    def __init__(self, response: aiohttp.ClientResponse, settings: ClientSettings, ended: Callable[[], None]) -> None:
        self.status = response.status
        self.headers = _joined(response)
        """Names in lower case; fields of one name are joined by commas."""
        self._response = response
        self._settings = settings
        self._ended = ended
        self._is_open = True
        self._timer = asyncio.get_running_loop().call_later(settings.subscription_timeout_s, self._abandon)

    async def to_strict(self, limit: int = BODY_LIMIT, timeout_s: float = 20.0) -> bytes:
        """The whole body. Raises `HttpClientError` where it is longer than `limit`, cut off, or takes too long."""
        body = bytearray()
        chunks = self.data_bytes()
        try:
            async with asyncio.timeout(timeout_s):
                async for chunk in chunks:
                    body += chunk
                    if len(body) > limit:
                        raise HttpClientError(f"the body of {self._response.url} is longer than {limit} bytes")
        except TimeoutError as error:
            raise HttpClientError(f"the body of {self._response.url} did not end within {timeout_s:g} s") from error
        finally:
            await chunks.aclose()
        return bytes(body)

    async def data_bytes(self) -> Any:
        """The body as it comes, as slowly as it is read. Raises `HttpClientError` where it is silent or cut off."""
        self._subscribe()
        try:
            while True:
                try:
                    async with asyncio.timeout(self._settings.idle_timeout_s):
                        chunk = await self._response.content.readany()
                except TimeoutError as error:
                    silent_s = self._settings.idle_timeout_s
                    raise HttpClientError(f"{self._response.url} sent nothing for {silent_s:g} s") from error
                except (aiohttp.ClientError, OSError) as error:
                    raise HttpClientError(f"the body of {self._response.url} was cut off: {error}") from error
                if not chunk:
                    return
                yield chunk
        finally:
            self._end()

    def source(self) -> Source[bytes, None]:
        """The body as a `Source`, to be run once."""
        from smackbox.akka.stream.source import Source

        return Source.from_async_iterator(self.data_bytes)

    async def discard(self) -> None:
        """Read the body to its end for nothing, so that the connection can be used again."""
        async for _ in self.data_bytes():
            pass

    def close(self) -> None:
        """Give the body up, and the connection with it where it did not end yet."""
        self._timer.cancel()
        self._end()

    def _subscribe(self) -> None:
        self._timer.cancel()
        if not self._is_open:
            raise HttpClientError(f"the body of {self._response.url} is read or closed already")
        self._is_open = False

    def _abandon(self) -> None:
        log.warning(
            "the response of %s was not read within %g s and its connection is closed: read it, or call discard()",
            self._response.url,
            self._settings.subscription_timeout_s,
        )
        self._is_open = False
        self._end()

    def _end(self) -> None:
        self._is_open = False
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
        self._ended()


class HttpClient:
    """Requests of one actor system, from its event loop. It closes with the system, or by `close`."""

    def __init__(self, system: ActorSystem, settings: ClientSettings, tls: ssl.SSLContext | None) -> None:
        self._system = system
        self._settings = settings
        self._open: Counter[URL] = Counter()
        self._tls = tls
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=settings.connections,
                keepalive_timeout=settings.keep_alive_timeout_s,
                ssl=True if tls is None else tls,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s),
            skip_auto_headers=("User-Agent",),
            auto_decompress=False,
        )
        self._forget = system.shutdown.add_task(BEFORE_ACTOR_SYSTEM_TERMINATE, "http-client", self.close)

    async def single_request(self, request: ClientRequest) -> ClientResponse:
        """The answer, whatever its status, once its head is there.

        Raises `TooManyRequestsError` where the host has as many requests as allowed, and `HttpClientError` where it
        does not answer in time, or the request cannot be sent.
        """
        if self._session.closed:
            raise HttpClientError("the client is closed")
        origin = _origin(request.url)
        _check_headers(request)
        if self._open[origin] >= self._settings.open_requests:
            raise TooManyRequestsError(
                f"{origin} has {self._settings.open_requests} requests under way: wait for their answers, or raise "
                "open_requests"
            )
        self._open[origin] += 1
        ended = _Once(lambda: self._close_request(origin))
        try:
            async with asyncio.timeout(self._settings.answer_timeout_s):
                response = await self._with_retries(request)
        except TimeoutError as error:
            ended()
            raise HttpClientError(
                f"{request.url} did not answer within {self._settings.answer_timeout_s:g} s"
            ) from error
        except BaseException:
            ended()
            raise
        return ClientResponse(response, self._settings, ended)

    def flow(
        self, parallelism: int = 4
    ) -> Flow[tuple[ClientRequest, T], tuple[ClientResponse | HttpClientError, T], None]:
        """Requests in, each with a value of the caller's; answers or failures out in their order, with that value."""
        from smackbox.akka.stream.flow import Flow

        async def ask(element: tuple[ClientRequest, T]) -> tuple[ClientResponse | HttpClientError, T]:
            request, value = element
            try:
                return await self.single_request(request), value
            except HttpClientError as error:
                return error, value

        return Flow.of().map_async(min(parallelism, self._settings.open_requests), ask)

    async def close(self) -> None:
        """Close all connections; requests under way fail."""
        self._forget()
        if not self._session.closed:
            await self._session.close()
            if self._tls is not None:
                await asyncio.sleep(TLS_GOODBYE_S)

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _with_retries(self, request: ClientRequest) -> aiohttp.ClientResponse:
        settings = self._settings
        may_repeat = request.method in IDEMPOTENT and isinstance(request.body, bytes)
        left = settings.retries if may_repeat else 0
        pause_s = settings.backoff_s
        while True:
            try:
                return await self._send(request)
            except (aiohttp.InvalidURL, ValueError) as error:
                raise HttpClientError(f"{request.url} cannot be asked: {error}") from error
            except (aiohttp.ClientError, OSError) as error:
                if left == 0 or self._session.closed:
                    raise HttpClientError(f"{request.url} does not answer: {error}") from error
                left -= 1
                await asyncio.sleep(pause_s)
                pause_s = min(settings.backoff_max_s, pause_s * 2)

    async def _send(self, request: ClientRequest) -> aiohttp.ClientResponse:
        body = request.body
        if not isinstance(body, bytes):
            body = _sent(chunks_of(body, self._system))
        return await self._session.request(
            request.method, request.url, data=body or None, headers=request.headers, allow_redirects=False
        )

    def _close_request(self, origin: URL) -> None:
        self._open[origin] -= 1
        if not self._open[origin]:
            del self._open[origin]


class _Once:
    """Calls `function` the first time only."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function()


async def _sent(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    # an empty chunk would end a chunked body
    try:
        async for chunk in chunks:
            if chunk:
                yield chunk
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def _origin(url: str) -> URL:
    try:
        origin = URL(url).origin()
    except ValueError as error:
        raise HttpClientError(f"{url!r} is not the URL of a resource: http://host:port/path") from error
    if origin.scheme not in {"http", "https"}:
        raise HttpClientError(f"{url!r}: the client speaks http and https")
    return origin


def _check_headers(request: ClientRequest) -> None:
    for name, value in request.headers.items():
        if not name or ":" in name or BAD_IN_HEADER.search(name + value):
            raise HttpClientError(
                f"{request.url} cannot be asked: the header {name!r}: {value!r} has a line break, or no name"
            )


def _joined(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
