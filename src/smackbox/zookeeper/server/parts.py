"""What the connections of one server share."""

from __future__ import annotations

from dataclasses import dataclass, field

from smackbox.net.read_buffer import ReadBuffer
from smackbox.zookeeper.server.replies import Replies
from smackbox.zookeeper.settings import ZooKeeperSettings
from smackbox.zookeeper.state.database import Database


@dataclass(slots=True)
class Latency:
    """The latency of requests since the start, in milliseconds."""

    requests: int = 0
    sum_ms: float = 0.0
    min_ms: float = 0.0
    max_ms: float = 0.0

    @property
    def average_ms(self) -> float:
        """The mean time of a request, in milliseconds."""
        return self.sum_ms / max(self.requests, 1)

    def count(self, requests: int, seconds: float) -> None:
        """Count the requests handled in one pass, which took this long."""
        if not requests:
            return
        ms = seconds * 1_000
        self.min_ms = ms if not self.requests else min(self.min_ms, ms)
        self.max_ms = max(self.max_ms, ms)
        self.requests += requests
        self.sum_ms += ms


@dataclass(frozen=True, slots=True)
class Parts:
    """One server's settings, data, replies and counters. `port` is the plain-text port, which `conf` shows."""

    settings: ZooKeeperSettings
    port: int
    database: Database
    replies: Replies
    latency: Latency = field(default_factory=Latency)
    read_buffer: ReadBuffer = field(default_factory=ReadBuffer)
