"""Prepared statements of `cassandra_schema.py` on a session of `cassandra-driver`, from an asyncio loop.

The driver calls back on a thread of its own. Its errors are `StorageError` here. Events are written and read at QUORUM,
snapshots at ONE, as pekko-persistence-cassandra's profiles say; what the driver may retry or send twice is idempotent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from smackbox.akka.persistence import cassandra_schema as schema
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.journal import REPLAY_BATCH
from smackbox.base.errors import StorageError

if TYPE_CHECKING:
    from cassandra.cluster import Session

PAGE_ROWS = REPLAY_BATCH


class CassandraStatements:
    """On the running loop."""

    def __init__(self, session: Session, settings: CassandraSettings, prepared: dict[str, Any]) -> None:
        self._session = session
        self._settings = settings
        self._prepared = prepared
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def prepare(cls, session: Session, settings: CassandraSettings) -> CassandraStatements:
        """Make what is missing, and prepare all statements. Raises `StorageError`."""
        return cls(session, settings, await asyncio.to_thread(_prepared, session, settings))

    async def execute(self, text: str, *values: Any) -> list[Any]:
        """The rows of the first page. Raises `StorageError`."""
        rows, _ = await self._run(self._prepared[text], values)
        return rows

    async def pages(self, text: str, *values: Any) -> AsyncGenerator[list[Any], None]:
        """All rows, page by page, each fetched when it is wanted. Raises `StorageError`."""
        rows, future = await self._run(self._prepared[text], values)
        while True:
            if rows:
                yield rows
            if not future.has_more_pages:
                return
            rows = await self._outcome(future, future.start_fetching_next_page)

    async def batch(self, statements: Iterable[tuple[str, Sequence[Any]]]) -> None:
        """One unlogged batch, for one partition. Raises `StorageError`."""
        from cassandra import ConsistencyLevel
        from cassandra.query import BatchStatement, BatchType

        batch = BatchStatement(BatchType.UNLOGGED, consistency_level=ConsistencyLevel.QUORUM)
        for text, values in statements:
            batch.add(self._prepared[text], values)
        batch.is_idempotent = True
        await self._run(batch, None)

    async def _run(self, statement: Any, values: Any) -> tuple[list[Any], Any]:
        try:
            future = self._session.execute_async(statement, values, timeout=self._settings.request_timeout_s)
        except Exception as error:
            raise StorageError(f"Cassandra refused a request: {error}") from error
        return await self._outcome(future, None), future

    async def _outcome(self, future: Any, begin: Any) -> list[Any]:
        done: asyncio.Future[list[Any]] = self._loop.create_future()

        def settle(rows: Any, error: Any) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(list(rows or ()))
            else:
                failure = StorageError(f"Cassandra failed: {error}")
                failure.__cause__ = error
                done.set_exception(failure)

        def on_loop(rows: Any, error: Any) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(settle, rows, error)

        if begin is not None:
            future.clear_callbacks()
            begin()
        future.add_callbacks(lambda rows: on_loop(rows, None), lambda error: on_loop(None, error))
        return await done


def _prepared(session: Any, settings: CassandraSettings) -> dict[str, Any]:
    from cassandra import ConsistencyLevel

    prepared = {}
    try:
        if settings.create:
            for text in schema.ddl(settings):
                session.execute(text, timeout=4 * settings.request_timeout_s)
        for text in schema.JOURNAL_STATEMENTS + schema.SNAPSHOT_STATEMENTS:
            one = session.prepare(text.format(j=settings.keyspace, s=settings.snapshot_keyspace))
            journal = text in schema.JOURNAL_STATEMENTS
            one.consistency_level = ConsistencyLevel.QUORUM if journal else ConsistencyLevel.ONE
            one.fetch_size = PAGE_ROWS
            one.is_idempotent = True
            prepared[text] = one
    except Exception as error:
        raise StorageError(f"the journal's tables cannot be used: {error}") from error
    return prepared
