"""The connected clients: their limit, and who is notified of schema changes."""

from __future__ import annotations

import asyncio
from typing import Protocol

from smackbox.cassandra.execution.results import SchemaChange
from smackbox.cassandra.protocol.session import Session
from smackbox.cassandra.wire import frames, responses


class Client(Protocol):
    """A connection, as the code that handles all connections sees it."""

    session: Session
    transport: asyncio.Transport
    peer: tuple[str, int]

    def send(self, frame: bytes) -> None:
        """Send a frame that answers no request, i.e. an event."""
        ...


class Clients:
    """All connections of one server."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.connected: set[Client] = set()
        self._finished_requests = 0

    @property
    def is_full(self) -> bool:
        """Whether the limit of clients is reached."""
        return len(self.connected) >= self.limit

    def add(self, client: Client) -> None:
        """A client has connected."""
        self.connected.add(client)

    def forget(self, client: Client) -> None:
        """A client has disconnected; its requests still count."""
        if client in self.connected:
            self.connected.discard(client)
            self._finished_requests += client.session.request_count

    def request_count(self) -> int:
        """The number of requests answered since the start."""
        return self._finished_requests + sum(client.session.request_count for client in self.connected)

    def broadcast(self, change: SchemaChange) -> None:
        """Send an event to all clients that registered for it."""
        body = responses.string("SCHEMA_CHANGE") + responses.schema_change_body(
            change.change, change.target, change.keyspace, change.name
        )
        for client in self.connected:
            session = client.session
            if "SCHEMA_CHANGE" in session.events:
                client.send(frames.frame(session.version, frames.EVENT_STREAM, frames.EVENT, body))

    async def close(self, timeout_s: float) -> None:
        """Close all connections; after `timeout_s`, abort those with unsent data."""
        for client in list(self.connected):
            client.transport.close()
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.connected and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.005)
        for client in list(self.connected):
            client.transport.abort()
        await asyncio.sleep(0)
