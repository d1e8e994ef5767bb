"""Offsets in the tables of pekko-projection-cassandra: a JVM's projection and Python's go on where the other stopped.

    offset_store            ((projection_name, partition), projection_key, offset, manifest, last_updated)
    projection_management   the same key; paused

The partition is `abs(key.hashCode() % 5)`, which spreads the instances of one projection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from smackbox.akka.persistence.cassandra_settings import NAME
from smackbox.akka.persistence.offset import Offset
from smackbox.akka.projection.offset_store import OffsetStore, offset_of, offset_text
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.akka.projection.slices import java_hash, remainder
from smackbox.akka.stream.connectors.cassandra import executed
from smackbox.base.errors import StorageError

if TYPE_CHECKING:
    from cassandra.cluster import Session

PARTITIONS = 5
KEYSPACE = "pekko_projection"

_KEY = "projection_name = ? AND partition = ? AND projection_key = ?"
_COLUMNS = "projection_name text, partition int, projection_key text"
_TABLE_KEY = "last_updated timestamp, PRIMARY KEY ((projection_name, partition), projection_key)"
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS {{0}}.offset_store ({_COLUMNS}, offset text, manifest text, {_TABLE_KEY})",
    f"CREATE TABLE IF NOT EXISTS {{0}}.projection_management ({_COLUMNS}, paused boolean, {_TABLE_KEY})",
)
_READ = f"SELECT offset, manifest FROM {{0}}.offset_store WHERE {_KEY}"  # noqa: S608 - the keyspace is checked
_SAVE = (
    "INSERT INTO {0}.offset_store (projection_name, partition, projection_key, offset, manifest, last_updated) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_CLEAR = f"DELETE FROM {{0}}.offset_store WHERE {_KEY}"  # noqa: S608
_READ_PAUSED = f"SELECT paused FROM {{0}}.projection_management WHERE {_KEY}"  # noqa: S608
_SAVE_PAUSED = (
    "INSERT INTO {0}.projection_management (projection_name, partition, projection_key, paused, last_updated) "
    "VALUES (?, ?, ?, ?, ?)"
)


class CassandraOffsets(OffsetStore):
    """Made by `open`. `now` gives the moment that is noted with an offset."""

    def __init__(self, session: Session, prepared: dict[str, Any], now: Callable[[], datetime]) -> None:
        self._session = session
        self._prepared = prepared
        self._now = now

    @classmethod
    async def open(
        cls,
        session: Session,
        keyspace: str = KEYSPACE,
        *,
        create: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> CassandraOffsets:
        """Make the tables where they are missing, and prepare. Raises `StorageError`, and `ValueError` for a name."""
        if not NAME.fullmatch(keyspace):
            raise ValueError(f"{keyspace!r} is no keyspace: small letters, digits and _, at most 48")
        return cls(session, await asyncio.to_thread(_prepare, session, keyspace, create), now)

    async def read(self, id_: ProjectionId) -> Offset | None:
        rows = await self._execute(_READ, *_key(id_))
        return offset_of(rows[0].manifest, rows[0].offset) if rows else None

    async def save(self, id_: ProjectionId, offset: Offset) -> None:
        manifest, text = offset_text(offset)
        await self._execute(_SAVE, *_key(id_), text, manifest, self._now())

    async def clear(self, id_: ProjectionId) -> None:
        await self._execute(_CLEAR, *_key(id_))

    async def read_paused(self, id_: ProjectionId) -> bool:
        rows = await self._execute(_READ_PAUSED, *_key(id_))
        return bool(rows and rows[0].paused)

    async def save_paused(self, id_: ProjectionId, paused: bool) -> None:
        await self._execute(_SAVE_PAUSED, *_key(id_), paused, self._now())

    async def _execute(self, text: str, *values: Any) -> list[Any]:
        try:
            return list(await executed(self._session, self._prepared[text], values) or ())
        except Exception as error:
            raise StorageError(f"the offset of a projection cannot be read or saved: {error}") from error


def _key(id_: ProjectionId) -> tuple[str, int, str]:
    return id_.name, remainder(java_hash(id_.key), PARTITIONS), id_.key


def _prepare(session: Any, keyspace: str, create: bool) -> dict[str, Any]:
    from cassandra import ConsistencyLevel

    prepared = {}
    try:
        if create:
            replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
            session.execute(f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}")
            for text in _TABLES:
                session.execute(text.format(keyspace))
        for text in (_READ, _SAVE, _CLEAR, _READ_PAUSED, _SAVE_PAUSED):
            one = session.prepare(text.format(keyspace))
            one.consistency_level = ConsistencyLevel.QUORUM
            one.is_idempotent = True
            prepared[text] = one
    except Exception as error:
        raise StorageError(f"the tables of offsets cannot be used: {error}") from error
    return prepared
