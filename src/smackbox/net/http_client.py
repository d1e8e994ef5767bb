"""An HTTP client for APIs, on aiohttp: complete answers and streams. Redirects are left to the caller."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from smackbox.base.errors import SmackError
from smackbox.net.http import HttpResponse

ANSWER_LIMIT = 64 * 1024 * 1024
CONNECTIONS_LIMIT = 64
TIMEOUT_S = 10.0
TLS_GOODBYE_S = 0.2
"""The time for aborted TLS connections to shut down before the loop may be closed (aiohttp's advice)."""


class HttpClientError(SmackError):
    """The server did not answer: connection refused or lost, unreachable, or too slow."""


class HttpAnswerStream:
    """An answer with an open-ended body. `status` and `headers` (names in lower case) are available at once."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers = _headers(response)
        self.idle_timeout_s = TIMEOUT_S
        """How long the body may be silent; it may be changed while `chunks` are read."""
        self._response = response

    async def read(self, timeout_s: float = TIMEOUT_S) -> bytes:
        """The whole body. Raises `HttpClientError` if it ends early, is too long, or takes too long."""
        body = bytearray()
        try:
            async with asyncio.timeout(timeout_s):
                async for chunk in self.chunks(timeout_s):
                    body += chunk
                    if len(body) > ANSWER_LIMIT:
                        raise HttpClientError(f"the answer is longer than {ANSWER_LIMIT} bytes")
        except TimeoutError as error:
            raise HttpClientError(f"the answer did not end within {timeout_s:.0f} s") from error
        return bytes(body)

    async def chunks(self, idle_timeout_s: float) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises `HttpClientError` when nothing arrived before the timeout, or the connection
        was lost.
        """
        self.idle_timeout_s = idle_timeout_s
        while True:
            try:
                # not wait_for: Python 3.11's drops a cancellation that arrives together with the chunk
                async with asyncio.timeout(self.idle_timeout_s):
                    chunk = await self._response.content.readany()
            except TimeoutError as error:
                raise HttpClientError(f"nothing arrived for {self.idle_timeout_s:g} s") from error
            except (aiohttp.ClientError, OSError) as error:
                raise HttpClientError(f"the answer was cut off: {error}") from error
            if not chunk:
                return
            yield chunk


class HttpClient:
    """Persistent connections to any number of servers. `unix_socket` connects to the server on that socket."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        unix_socket: Path | None = None,
    ) -> None:
        self._tls = tls
        self._headers = dict(headers or {})
        self._unix_socket = unix_socket
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> HttpResponse:
        """The answer, whatever its status. Raises `HttpClientError`."""
        async with self.stream(method, url, body=body, headers=headers, timeout_s=timeout_s) as answer:
            body_read = await answer.read(timeout_s)
            return HttpResponse(answer.status, body_read, answer.headers.get("content-type", ""), answer.headers)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> AsyncIterator[HttpAnswerStream]:
        """The answer once its head has arrived, within `timeout_s`. Raises `HttpClientError`."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._open().request(
                    method,
                    url,
                    data=body,
                    headers={**self._headers, **(headers or {})},
                    allow_redirects=False,
                    ssl=True if self._tls is None else self._tls,
                )
        except TimeoutError as error:
            raise HttpClientError(f"{url} did not answer within {timeout_s:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise HttpClientError(f"{url} does not answer: {error}") from error
        try:
            yield HttpAnswerStream(response)
        finally:
            if response.content.at_eof():
                response.release()
            else:
                _cut(response)
                response.close()

    async def close(self) -> None:
        """Close the pool's connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            if self._tls is not None:
                await asyncio.sleep(TLS_GOODBYE_S)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector: aiohttp.BaseConnector
            if self._unix_socket is not None:
                connector = aiohttp.UnixConnector(str(self._unix_socket))
            else:
                connector = aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_LIMIT)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                skip_auto_headers=("User-Agent",),
            )
        return self._session


def _cut(response: aiohttp.ClientResponse) -> None:
    """Close without TLS shutdown: it would be sent for an unfinished answer, perhaps after the loop is closed."""
    transport = None if response.connection is None else response.connection.transport
    if transport is not None and transport.get_extra_info("ssl_object") is not None:
        transport.abort()


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
