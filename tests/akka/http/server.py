"""A server in a block, and plain clients of it."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from smackbox.akka import ActorSystem
from smackbox.akka.http import Http, Route, ServerSettings

TIMEOUT_S = 20


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass(frozen=True)
class Client:
    """Python's own HTTP client, on a thread; `raw` is a socket."""

    address: tuple[str, int]
    system: ActorSystem

    async def ask(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        return await asyncio.to_thread(self._ask, method, target, body, headers or {})

    async def get(self, target: str, **headers: str) -> Answer:
        return await self.ask("GET", target, headers=headers)

    async def raw(self, data: bytes) -> bytes:
        """What comes back for `data` until the server closes."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(data)
            async with asyncio.timeout(TIMEOUT_S):
                return await reader.read()
        finally:
            writer.close()

    def _ask(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(*self.address, timeout=TIMEOUT_S)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()


@asynccontextmanager
async def serving(route: Route, **settings: Any) -> AsyncIterator[Client]:
    async with ActorSystem("http") as system:
        server = Http(system).new_server_at("127.0.0.1", 0, settings=ServerSettings(**settings))
        async with await server.bind(route) as binding:
            yield Client(binding.local_address, system)
