"""How many single-event requests a second does the ingest endpoint answer on one core when the sink costs nothing?

    python bench/ingest_null_sink.py [--seconds 5] [--connections 32] [--pipeline 1]

The endpoint runs in a process of its own; its CPU time over the run gives requests per CPU second, which is what one
core can do even where the client (raw asyncio, one process) is slower. Three rounds, each printed, and the median.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Literal
from uuid import UUID, uuid4

import msgspec
import psutil

from smackbox.ingest.route import Route
from smackbox.ingest.server import IngestServer
from smackbox.ingest.settings import IngestSettings
from smackbox.ingest.sink import NullSink
from smackbox.net.service import ServiceThread, new_event_loop

ROUNDS = 3


class Event(msgspec.Struct, frozen=True):
    id: UUID
    ad_id: UUID
    campaign: UUID
    ts: datetime
    type: Literal["view", "click"]


def serve(pipe: Connection) -> None:
    server = IngestServer(IngestSettings(), [Route("/events", "events", Event, "campaign")], NullSink())
    with ServiceThread(server):
        pipe.send(server.url)
        pipe.recv()


class Client(asyncio.Protocol):
    """Keeps `pipeline` requests in flight on one connection and counts answers."""

    def __init__(self, request: bytes, pipeline: int) -> None:
        self.request = request
        self.pipeline = pipeline
        self.answers = 0
        self.running = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request * self.pipeline)

    def data_received(self, data: bytes) -> None:
        count = data.count(b"HTTP/1.1 202 ")
        assert count, data[:200]
        self.answers += count
        if self.running:
            self.transport.write(self.request * count)


async def load(port: int, seconds: float, connections: int, pipeline: int) -> int:
    event = msgspec.json.encode(
        {"id": uuid4(), "ad_id": uuid4(), "campaign": uuid4(), "ts": "2015-10-01T12:00:00Z", "type": "view"}
    )
    request = (
        b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(event), event)
    )
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(request, pipeline), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for client in clients:
        client.running = False
    answers = sum(client.answers for client in clients)
    for client in clients:
        client.transport.close()
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--pipeline", type=int, default=1)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    port = int(ours.recv().rpartition(":")[2])
    watched = psutil.Process(process.pid)
    rates = []
    for number in range(1, ROUNDS + 1):
        cpu = sum(watched.cpu_times()[:2])
        began = time.perf_counter()
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            answers = runner.run(load(port, options.seconds, options.connections, options.pipeline))
        wall = time.perf_counter() - began
        cpu = sum(watched.cpu_times()[:2]) - cpu
        rates.append(answers / cpu)
        rss = watched.memory_info().rss / 2**20
        print(
            f"round {number}: {answers / wall:,.0f} requests/s, server {cpu / wall:.2f} cores, "
            f"{answers / cpu:,.0f} requests per CPU second, {rss:.0f} MB"
        )
    print(f"median {statistics.median(rates):,.0f} requests per CPU second (goal: 20,000)")
    ours.send("stop")
    process.join()


if __name__ == "__main__":
    main()
