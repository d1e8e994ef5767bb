"""Counters that the hot paths keep as plain integers; the server converts them into Prometheus metrics when scraped."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestCount:
    """The requests of one API key: their number, and their total time."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class BrokerMetrics:
    """Totals since the broker started."""

    bytes_in: int = 0
    bytes_out: int = 0
    connections: int = 0
    connections_total: int = 0
    protocol_errors: int = 0
    by_api: dict[int, RequestCount] = field(default_factory=dict)
