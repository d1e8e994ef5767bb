"""What does an idle consumer of 1,000 partitions cost, with whole fetches and with incremental ones (KIP-227)?

Bytes on the wire and CPU of the broker for each fetch, on ours and on a real Kafka. A fetch waits for 20 ms for records
that do not come; librdkafka knows no sessions, the Java, Go and Rust clients do.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from tests.kafka.client import RawClient

from bench.engines.real_kafka import RealKafka, missing
from smackbox.kafka.wire.messages import create_topics

PARTITIONS = 1_000
ROUNDS = 200
WAIT_MS = 20
READY_LIMIT_S = 60.0


@contextmanager
def ours(directory: Path) -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "smackbox", "kafka", "serve", "--port", "0", "--dir", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[2].removeprefix("kafka://"), process.pid
        finally:
            process.terminate()


def measure(bootstrap: str, pid: int, *, incremental: bool) -> tuple[float, float, float]:
    """Bytes asked, bytes answered and ms of the broker's CPU, for each fetch."""
    name = b"idle"
    wants = b"".join(struct.pack(">iqqi", index, 0, -1, 1 << 20) for index in range(PARTITIONS))
    whole = struct.pack(">ih", 1, len(name)) + name + struct.pack(">i", PARTITIONS) + wants + struct.pack(">i", 0)
    head = struct.pack(">iiiib", -1, WAIT_MS, 1, 1 << 20, 0)
    asked = answered = 0
    session_id, epoch = 0, 0 if incremental else -1
    with RawClient(bootstrap) as client:
        cpu = 0.0
        for number in range(ROUNDS + 20):
            if number == 20:
                asked = answered = 0
                times = psutil.Process(pid).cpu_times()
                cpu = times.user + times.system
            body = head + struct.pack(">ii", session_id, epoch) + (whole if epoch <= 0 else struct.pack(">ii", 0, 0))
            frame = client.frame(1, 7, body)
            client.socket.sendall(frame)
            _, answer = client.receive()
            asked += len(frame)
            answered += len(answer) + 8
            if incremental:
                session_id, epoch = struct.unpack_from(">i", answer, 6)[0], epoch + 1
        times = psutil.Process(pid).cpu_times()
    return asked / ROUNDS, answered / ROUNDS, (times.user + times.system - cpu) * 1000 / ROUNDS


def prepare(bootstrap: str) -> None:
    with RawClient(bootstrap) as client:
        topic = create_topics.CreatableTopic("idle", PARTITIONS, 1)
        assert client.ask(create_topics.CreateTopicsRequest([topic], 60_000), 5).topics[0].error_code == 0
        end = time.monotonic() + READY_LIMIT_S
        while any(client.fetch("idle", 0, index)[0] for index in range(PARTITIONS)):
            assert time.monotonic() < end, "the partitions are not ready"


def report(name: str, bootstrap: str, pid: int) -> None:
    prepare(bootstrap)
    for kind in ("whole", "incremental"):
        asked, answered, cpu_ms = measure(bootstrap, pid, incremental=kind == "incremental")
        print(f"{name:6}{kind:12}{asked:12,.0f} B asked{answered:12,.0f} B answered{cpu_ms:10.2f} ms CPU", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        with ours(Path(directory) / "ours") as (bootstrap, pid):
            report("ours", bootstrap, pid)
        if (why := missing()) is not None:
            print(f"no real Kafka: {why}")
            return
        with RealKafka(Path(directory) / "real") as kafka:
            report("real", kafka.bootstrap, kafka.pid)


if __name__ == "__main__":
    main()
