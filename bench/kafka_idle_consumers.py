"""What do 1,000 idle consumers in 100 groups on 1,000 partitions cost, and does an unrelated producer notice?

Each consumer is a bare client with two connections: it joins its group, heartbeats every 3 s, and keeps a long poll of
500 ms open on its share of the partitions, as librdkafka does. Meanwhile one librdkafka producer sends single records.
Prints the broker's memory and CPU, and the producer's p50 and p99.

    python -m bench.kafka_idle_consumers [--consumers 1000] [--groups 100] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bench.kafka_vs_real import our_kafka
from smackbox.kafka.handlers.apis import APIS
from smackbox.kafka.wire.messages.heartbeat import HeartbeatRequest
from smackbox.kafka.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from smackbox.kafka.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from smackbox.kafka.wire.schema import Message, read, write

HEARTBEAT_S = 3.0
LONG_POLL_MS = 500
VERSIONS = {11: 5, 12: 3, 14: 3}


class Connection:
    """One socket: requests answered in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, bootstrap: str) -> Connection:
        host, _, port = bootstrap.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def exchange(self, key: int, version: int, body: bytes | bytearray) -> bytes:
        async with self._turn:
            head = struct.pack(">hhih", key, version, 1, 4) + b"idle"
            self._writer.write(struct.pack(">i", len(head) + len(body)) + head + body)
            (length,) = struct.unpack(">i", await self._reader.readexactly(4))
            return (await self._reader.readexactly(length))[4:]

    async def ask(self, key: int, message: Message) -> Any:
        body = bytearray()
        write(message, VERSIONS[key], body)
        answer = await self.exchange(key, VERSIONS[key], body)
        return read(APIS[key].response_type, VERSIONS[key], answer)[0]

    def close(self) -> None:
        self._writer.close()


class IdleConsumer:
    """Joins, heartbeats and long-polls; nothing ever comes."""

    def __init__(self, bootstrap: str, group: str, topic: str, partitions: list[int]) -> None:
        self._bootstrap, self._group, self._topic, self._partitions = bootstrap, group, topic, partitions
        self.joined = False

    async def run(self) -> None:
        coordinator = await Connection.open(self._bootstrap)
        fetcher = await Connection.open(self._bootstrap)
        polling = asyncio.create_task(self._poll(fetcher))
        try:
            await self._be_member(coordinator)
        finally:
            polling.cancel()
            coordinator.close()
            fetcher.close()

    async def _be_member(self, coordinator: Connection) -> None:
        member_id = ""
        while True:
            protocols = [JoinGroupRequestProtocol("range", b"\0\0\0\0\0\0")]
            joined = await coordinator.ask(
                11, JoinGroupRequest(self._group, 45_000, 60_000, member_id, None, "consumer", protocols)
            )
            member_id = joined.member_id
            if joined.error_code:
                continue
            given = [SyncGroupRequestAssignment(member.member_id, b"") for member in joined.members]
            synced = await coordinator.ask(
                14, SyncGroupRequest(self._group, joined.generation_id, member_id, assignments=given)
            )
            if synced.error_code:
                continue
            code = 0
            while not code:
                self.joined = True
                await asyncio.sleep(HEARTBEAT_S)
                beat = HeartbeatRequest(self._group, joined.generation_id, member_id)
                code = (await coordinator.ask(12, beat)).error_code
            self.joined = False

    async def _poll(self, fetcher: Connection) -> None:
        name = self._topic.encode()
        body = struct.pack(">iiiib", -1, LONG_POLL_MS, 1, 1 << 20, 0) + struct.pack(">ih", 1, len(name)) + name
        body += struct.pack(">i", len(self._partitions))
        body += b"".join(struct.pack(">iqi", index, 0, 1 << 20) for index in self._partitions)
        while True:
            await fetcher.exchange(1, 4, body)


async def crowd(bootstrap: str, consumers: int, groups: int, partitions: int, ready: asyncio.Event) -> None:
    share = max(partitions // consumers, 1)
    idle = []
    for i in range(consumers):
        mine = [(i * share + k) % partitions for k in range(share)]
        idle.append(IdleConsumer(bootstrap, f"idle-{i % groups}", "idle", mine))
    tasks = [asyncio.create_task(consumer.run()) for consumer in idle]
    while not all(consumer.joined for consumer in idle):
        await asyncio.sleep(0.1)
    ready.set()
    await asyncio.gather(*tasks)


def flush_times(bootstrap: str, seconds: float) -> list[float]:
    client = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 0, "log_level": 2})
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        client.produce("unrelated", b"x" * 100)
        client.flush()
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(0.01)
    return sorted(times)


async def produce_elsewhere(bootstrap: str, seconds: float) -> list[float]:
    """The producer has a process of its own, so that it does not wait for the crowd's interpreter."""
    command = [sys.executable, "-m", "bench.kafka_idle_consumers", "--produce", bootstrap, "--seconds", str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    times: list[float] = json.loads(output)
    return times


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--consumers", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--produce", metavar="BOOTSTRAP", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.produce:
        print(json.dumps(flush_times(options.produce, options.seconds)))
        return
    with tempfile.TemporaryDirectory(prefix="smackbox-bench-") as scratch, our_kafka(Path(scratch) / "kafka") as server:
        admin = AdminClient({"bootstrap.servers": server.bootstrap})
        topics = [NewTopic("idle", options.partitions, 1), NewTopic("unrelated", 1, 1)]
        for made in admin.create_topics(topics).values():
            made.result(60)
        ready = asyncio.Event()
        started = time.monotonic()
        task = asyncio.create_task(
            crowd(server.bootstrap, options.consumers, options.groups, options.partitions, ready)
        )
        await ready.wait()
        elapsed = time.monotonic() - started
        print(f"{options.consumers} consumers in {options.groups} groups are there after {elapsed:.1f} s")
        before, at = server.cpu_s(), time.monotonic()
        times = await produce_elsewhere(server.bootstrap, options.seconds)
        cores = (server.cpu_s() - before) / (time.monotonic() - at)
        print(f"broker: {server.memory_mb():.0f} MB, {cores:.2f} cores; {psutil.Process(server.pid).num_fds()} files")
        print(f"unrelated produce: p50 {times[len(times) // 2]:.2f} ms, p99 {times[int(len(times) * 0.99)]:.2f} ms")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
