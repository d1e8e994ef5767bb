"""A standby's answers: it proxies requests to the leader."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from smackbox.net.http import HttpRequest, HttpResponse, HttpStream
from smackbox.net.http_client import HttpClient, HttpClientError

TIMEOUT_S = 10.0
STREAM_IDLE_S = 60.0
_OF_ONE_CONNECTION = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "date", "server"}


class Proxy:
    """`own` is this process's identity: a request that has already passed through it is rejected.

    `name` is used in the header names: `X-Marathon-Via`, `X-Marathon-Leader`.
    """

    def __init__(self, name: str, own: str, tls: ssl.SSLContext | None = None) -> None:
        self._own = own
        self._via = f"x-{name}-via"
        self._leader = f"X-{name.capitalize()}-Leader"
        self._client = HttpClient(tls=tls)
        self._relays: set[asyncio.Task[None]] = set()

    async def forward(self, request: HttpRequest, leader: str) -> HttpResponse | HttpStream:
        """The leader's answer; 502 if there is none, and for a request that has already passed through here."""
        if self._own in request.headers.get(self._via, "").split(", "):
            return HttpResponse.json({"message": "Detected proxying loop: nobody leads at the moment"}, 502)
        headers = {name: value for name, value in request.headers.items() if name not in _OF_ONE_CONNECTION}
        headers[self._via] = ", ".join(filter(None, [request.headers.get(self._via), self._own]))
        url = leader + request.target
        try:
            if "text/event-stream" in request.headers.get("accept", ""):
                return await self._relay(request, url, headers, leader)
            answer = await self._client.request(
                request.method, url, body=request.body or None, headers=headers, timeout_s=TIMEOUT_S
            )
        except HttpClientError as error:
            return HttpResponse.json({"message": f"the leader does not answer: {error}"}, 502)
        kept = {
            name: value
            for name, value in answer.headers.items()
            if name not in _OF_ONE_CONNECTION and name not in {"content-type", "content-encoding"}
        }
        return HttpResponse(answer.status, answer.body, answer.content_type, {**kept, self._leader: leader})

    async def close(self) -> None:
        """Abort the relayed streams, and close the connections."""
        for relay in list(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)
        await self._client.close()

    async def _relay(self, request: HttpRequest, url: str, headers: dict[str, str], leader: str) -> HttpStream:
        begun: asyncio.Future[HttpStream] = asyncio.get_running_loop().create_future()

        def end() -> None:
            task.cancel()

        async def pump() -> None:
            stream: HttpStream | None = None
            try:
                async with self._client.stream(request.method, url, headers=headers) as answer:
                    kind = answer.headers.get("content-type", "")
                    stream = HttpStream(answer.status, kind, {self._leader: leader})
                    stream.on_closed = end
                    begun.set_result(stream)
                    async for chunk in answer.chunks(STREAM_IDLE_S):
                        stream.send(chunk)
            except HttpClientError as error:
                if not begun.done():
                    begun.set_exception(error)
            finally:
                if stream is not None:
                    stream.on_closed = None
                    with contextlib.suppress(RuntimeError):
                        stream.close()

        task = asyncio.create_task(pump())
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        return await begun
