"""The context of an execution: bound values, time and randomness, all passed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from smackbox.cassandra.execution.security import Security
from smackbox.cassandra.execution.vector_upkeep import Vectors
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.engine import Engine
from smackbox.cassandra.state.node import Endpoint
from smackbox.cassandra.state.system_rows import SystemRows
from smackbox.cassandra.state.traces import Traces
from smackbox.cassandra.values.timeuuids import UUID_EPOCH_TICKS, timeuuid


class Unset:
    """The protocol's "not set": a bound value that leaves its column unchanged."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
Bound = bytes | None | Unset


class ServerState:
    """The room's state, shared by all connections."""

    __slots__ = (
        "_last_tick",
        "catalog",
        "engine",
        "fail_batch_bytes",
        "masking",
        "materialized_views",
        "random_bytes",
        "security",
        "system_rows",
        "traces",
        "vectors",
        "warn_batch_bytes",
    )

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        system_rows: SystemRows,
        random_bytes: Callable[[int], bytes],
        warn_batch_bytes: int,
        fail_batch_bytes: int,
        security: Security,
        vectors: Vectors,
        *,
        materialized_views: bool = False,
        masking: bool = False,
    ) -> None:
        self.catalog = catalog
        self.engine = engine
        self.system_rows = system_rows
        self.random_bytes = random_bytes
        self.warn_batch_bytes = warn_batch_bytes
        self.fail_batch_bytes = fail_batch_bytes
        self.security = security
        self.materialized_views = materialized_views
        self.masking = masking
        self.vectors = vectors
        self.traces = Traces()
        system_rows.add("system_traces", "sessions", self.traces.sessions)
        system_rows.add("system_traces", "events", self.traces.events)
        self._last_tick = 0

    def take_ticks(self, now_us: int, count: int) -> int:
        """The first of `count` ticks of 100 ns since 1582, later than all previous ones."""
        first = max(now_us * 10 + UUID_EPOCH_TICKS, self._last_tick + 1)
        self._last_tick = first + count - 1
        return first


class Context:
    """One execution. `timestamp_us` is the client's default timestamp or the server's time; `user` is None for
    anonymous.
    """

    __slots__ = (
        "consistency",
        "endpoint",
        "now_us",
        "page_size",
        "paging_state",
        "serial_consistency",
        "state",
        "statement_time_s",
        "timestamp_us",
        "user",
        "values",
        "warnings",
    )  # fmt: skip

    def __init__(
        self,
        state: ServerState,
        endpoint: Endpoint,
        values: Sequence[Bound],
        now_us: int,
        *,
        timestamp_us: int | None = None,
        page_size: int = 0,
        paging_state: bytes | None = None,
        now_s: int | None = None,
    ) -> None:
        self.state = state
        self.endpoint = endpoint
        self.values = values
        self.now_us = now_us
        self.timestamp_us = now_us if timestamp_us is None else timestamp_us
        self.statement_time_s = now_us // 1_000_000 if now_s is None else now_s
        self.page_size = page_size
        self.paging_state = paging_state
        self.consistency = 1
        self.serial_consistency = 8
        self.user: str | None = None
        self.warnings: list[str] = []

    def random_bytes(self, count: int) -> bytes:
        """Random bytes from the server's source."""
        return self.state.random_bytes(count)

    def next_timeuuid(self) -> bytes:
        """A version 1 UUID for the current time, larger than all before it."""
        return timeuuid(self.state.take_ticks(self.now_us, 1), self.random_bytes(8))
