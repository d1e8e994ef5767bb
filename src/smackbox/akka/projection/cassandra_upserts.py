"""Writes what events mean into Cassandra's tables, so that handling an event again changes nothing in the end.

    totals = CassandraUpserts(session, prepared, lambda envelope: (envelope.event.id, envelope.event.total))
    Projection.grouped(id, by_tag(journal, "orders"), totals, offsets)

The statement sets values by the event's key and adds nothing to what is there: no counters, no `list + ?`. Statements
of a group are under way together; the driver stamps them in the order of the events, so that for one row the last one
wins. After a crash the events since the saved offset are written again, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from smackbox.akka.persistence.query import EventEnvelope
from smackbox.akka.stream.connectors.cassandra import executed

if TYPE_CHECKING:
    from cassandra.cluster import Session

PARALLELISM = 64
"""Statements that are under way at once."""

Bind = Callable[[EventEnvelope], Sequence[Any] | None]


class CassandraUpserts:
    """A group handler. `bind` gives the statement's values for an event, or None for no write."""

    def __init__(self, session: Session, statement: Any, bind: Bind, *, parallelism: int = PARALLELISM) -> None:
        if parallelism < 1:
            raise ValueError(f"parallelism is at least 1, not {parallelism}")
        self._session = session
        self._statement = statement
        self._bind = bind
        self._parallelism = parallelism

    async def __call__(self, envelopes: Sequence[EventEnvelope]) -> None:
        """Raises what the driver raises."""
        writes = [values for values in map(self._bind, envelopes) if values is not None]
        for start in range(0, len(writes), self._parallelism):
            part = writes[start : start + self._parallelism]
            await asyncio.gather(*(executed(self._session, self._statement, values) for values in part))
