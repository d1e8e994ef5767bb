"""How many reads and writes a second does the ZooKeeper room serve, beside a real ZooKeeper in the same run?"""

from __future__ import annotations

import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.engines import real_zookeeper
from smackbox.runtime.status import memory_mb

ROUNDS = 5
REQUESTS = 20_000
IN_FLIGHT = 64
DATA = b"x" * 100
OPEN = struct.pack(">ii", 1, 31) + struct.pack(">i", 5) + b"world" + struct.pack(">i", 6) + b"anyone"


class Client:
    """A pipelining client that costs little: requests are prepared, replies are only counted."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.socket.sendall(frame(struct.pack(">iqiq", 0, 0, 30_000, 0) + struct.pack(">i", 16) + bytes(16) + b"\0"))
        self.replies(1)

    def replies(self, count: int) -> None:
        while count:
            self.buffer += self.socket.recv(1 << 18)
            while len(self.buffer) >= 4:
                (length,) = struct.unpack_from(">i", self.buffer)
                if len(self.buffer) < 4 + length:
                    break
                self.buffer = self.buffer[4 + length :]
                count -= 1

    def rate(self, requests: list[bytes]) -> float:
        started = time.perf_counter()
        for start in range(0, len(requests), IN_FLIGHT):
            chunk = requests[start : start + IN_FLIGHT]
            self.socket.sendall(b"".join(chunk))
            self.replies(len(chunk))
        return len(requests) / (time.perf_counter() - started)


def frame(packet: bytes) -> bytes:
    return struct.pack(">i", len(packet)) + packet


def text(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


def request(xid: int, kind: int, record: bytes) -> bytes:
    return frame(struct.pack(">ii", xid, kind) + record)


def measure(address: str) -> dict[str, float]:
    """Requests a second, `IN_FLIGHT` at a time on one connection; and one at a time."""
    client = Client(address)
    path = b"/bench-%d" % time.time_ns()
    client.rate([request(1, 1, text(path) + text(DATA) + OPEN + struct.pack(">i", 0))])
    read = request(2, 4, text(path) + b"\0")
    write = request(3, 5, text(path) + text(DATA) + struct.pack(">i", -1))
    creates = [
        request(4, 1, text(b"%s/%d" % (path, number)) + text(DATA) + OPEN + struct.pack(">i", 0))
        for number in range(REQUESTS)
    ]
    rates = {"reads": [read] * REQUESTS, "writes": [write] * REQUESTS, "creates": creates}
    result = {name: client.rate(requests) for name, requests in rates.items()}
    started = time.perf_counter()
    for _ in range(500):
        client.rate([write])
    result["write, one at a time, ms"] = (time.perf_counter() - started) * 2
    client.socket.close()
    return result


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "smackbox", "zookeeper", "serve", "--port", "0", "--dir", f"{scratch}/ours"]
        ours = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert ours.stdout is not None
        ready = ours.stdout.readline().split()
        try:
            if reason := real_zookeeper.missing():
                print(f"no real ZooKeeper to compare with: {reason}")
                report([measure(ready[2]) for _ in range(ROUNDS)], None)
                return
            with real_zookeeper.RealZooKeeper(Path(scratch) / "real") as real:
                pairs = [(measure(ready[2]), measure(real.address)) for _ in range(ROUNDS)]
                report([pair[0] for pair in pairs], [pair[1] for pair in pairs])
                print(f"ready: ours {int(ready[4]) / 1000:.2f} s, real {real.start_s:.2f} s")
                print(f"memory after the load: ours {memory_mb(ours.pid):.0f} MB, real {memory_mb(real.pid):.0f} MB")
        finally:
            ours.terminate()
            ours.communicate()


def report(ours: list[dict[str, float]], real: list[dict[str, float]] | None) -> None:
    for name in ours[0]:
        median = statistics.median(one[name] for one in ours)
        spread = f"{min(one[name] for one in ours):,.2f} to {max(one[name] for one in ours):,.2f}"
        beside = ""
        if real is not None:
            other = statistics.median(one[name] for one in real)
            beside = f", real {other:,.2f}, ratio {median / other:.2f}"
        print(f"{name}: {median:,.2f} ({spread}){beside}")


if __name__ == "__main__":
    main()
