"""What the endpoint's tests share: an event type, a sink that answers when told, and a plain socket as the client."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest

from smackbox.ingest.route import Route
from smackbox.ingest.server import IngestServer
from smackbox.ingest.settings import IngestSettings
from smackbox.ingest.sink import Done, Failure, Record
from smackbox.net.service import ServiceThread

TIMEOUT_S = 10.0


class Event(msgspec.Struct, frozen=True):
    id: UUID
    type: Literal["view", "click"]
    count: int = 0
    tags: list[int] = []


def event(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": str(UUID(int=number)), "type": "view", **more}


@dataclass
class HeldSink:
    """Acknowledges at once, or with `hold` only at `release`."""

    hold: bool = False
    failure: Failure | None = None
    refuse: Failure | None = None
    away: str | None = None
    records: list[Record] = field(default_factory=list)
    topics: dict[str, int] = field(default_factory=dict)
    waiting: list[Done] = field(default_factory=list)
    stopped: bool = False
    queued_bytes: int = 0

    @property
    def queued_events(self) -> int:
        return len(self.waiting)

    async def start(self, topics: dict[str, int]) -> None:
        self.topics = topics

    def offer(self, records: Sequence[Record], done: Done) -> Failure | None:
        if self.refuse is not None:
            return self.refuse
        self.records.extend(records)
        if self.hold:
            self.waiting.append(done)
        else:
            done(self.failure)
        return None

    async def release(self, index: int = 0) -> None:
        self.waiting.pop(index)(self.failure)

    async def stop(self, timeout_s: float) -> None:
        self.stopped = True


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """HTTP/1.1 by hand, so that a test can send what no library would."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)
        self._reader = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self, *, head_only: bool = False) -> Answer:
        status = self._reader.readline()
        assert status.startswith(b"HTTP/1.1 "), status
        headers = {}
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        length = 0 if head_only else int(headers.get("content-length", 0))
        return Answer(int(status.split()[1]), headers, self._reader.read(length))

    def ended(self) -> bool:
        return self._reader.read(1) == b""

    def post(self, body: bytes, path: str = "/events", **headers: str) -> Answer:
        self.send(request(body, path, **headers))
        return self.read()

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


def request(body: bytes, path: str = "/events", method: str = "POST", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


@dataclass
class Running:
    thread: ServiceThread
    sink: HeldSink
    server: IngestServer
    topic: str = "events"
    dead_letter: str = "dead"
    open_clients: list[Client] = field(default_factory=list)

    event = staticmethod(event)
    request = staticmethod(request)
    encode = staticmethod(msgspec.json.encode)

    def client(self) -> Client:
        client = Client(self.thread.url)
        self.open_clients.append(client)
        return client

    def wait_for_offers(self, count: int) -> None:
        """Returns when the sink holds `count` offers."""

        async def wait() -> None:
            import asyncio

            while len(self.sink.waiting) < count:
                await asyncio.sleep(0)

        self.thread.call(wait(), TIMEOUT_S)


@contextmanager
def running(*, dead_letter: str | None = "dead", **settings: Any) -> Iterator[Running]:
    sink = HeldSink()
    server = IngestServer(IngestSettings(**settings), [Route("/events", "events", Event, "id", dead_letter, 3)], sink)
    with ServiceThread(server) as thread:
        one = Running(thread, sink, server)
        try:
            yield one
        finally:
            for client in one.open_clients:
                client.close()


@pytest.fixture
def ingest() -> Iterator[Running]:
    with running() as one:
        yield one


@pytest.fixture
def start() -> Callable[..., Any]:
    return running


@contextmanager
def running_on_kafka(**settings: Any) -> Iterator[Running]:
    topic = f"events-{uuid.uuid4().hex}"
    dead_letter = f"{topic}.dlq"
    server = IngestServer(IngestSettings(**settings), [Route("/events", topic, Event, "id", dead_letter, 3)])
    with ServiceThread(server) as thread:
        one = Running(thread, HeldSink(), server, topic, dead_letter)
        try:
            yield one
        finally:
            for client in one.open_clients:
                client.close()


@pytest.fixture
def make_ingest() -> Callable[..., Any]:
    return running_on_kafka


@pytest.fixture
def unique_topic() -> Callable[[], str]:
    return lambda: f"topic-{uuid.uuid4().hex}"
