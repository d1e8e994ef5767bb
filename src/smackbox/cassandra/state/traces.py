"""Traces of requests: the rows of `system_traces.sessions` and `.events`, newest only.

Cassandra keeps traces for a day in tables; here the last `TRACES_LIMIT` are kept in memory.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

TRACES_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """`elapsed_us` counts from the start of the request."""

    id: UUID
    activity: str
    elapsed_us: int


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of one request."""

    id: UUID
    client: str
    coordinator: str
    coordinator_port: int
    request: str
    parameters: dict[str, str]
    started_us: int
    duration_us: int
    events: tuple[TraceEvent, ...]


class Traces:
    """The newest traces."""

    def __init__(self) -> None:
        self._kept: deque[Trace] = deque(maxlen=TRACES_LIMIT)

    def add(self, trace: Trace) -> None:
        """Add a trace; the oldest is dropped when there are too many."""
        self._kept.append(trace)

    def sessions(self, _: object) -> Iterator[dict[str, Any]]:
        """The rows of `system_traces.sessions`."""
        for trace in self._kept:
            yield {
                "session_id": trace.id,
                "client": ipaddress.ip_address(trace.client),
                "command": "QUERY",
                "coordinator": ipaddress.ip_address(trace.coordinator),
                "coordinator_port": trace.coordinator_port,
                "duration": trace.duration_us,
                "parameters": sorted(trace.parameters.items()),
                "request": trace.request,
                "started_at": trace.started_us // 1_000,
            }

    def events(self, _: object) -> Iterator[dict[str, Any]]:
        """The rows of `system_traces.events`."""
        for trace in self._kept:
            for event in trace.events:
                yield {
                    "session_id": trace.id,
                    "event_id": event.id,
                    "activity": event.activity,
                    "source": ipaddress.ip_address(trace.coordinator),
                    "source_elapsed": event.elapsed_us,
                    "source_port": trace.coordinator_port,
                    "thread": "loop",
                }
