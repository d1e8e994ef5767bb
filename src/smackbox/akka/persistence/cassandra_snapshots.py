"""Snapshots in Cassandra, in the table of `cassandra_schema.py`."""

from __future__ import annotations

from smackbox.akka.persistence import cassandra_schema as schema
from smackbox.akka.persistence.cassandra_session import CassandraStatements
from smackbox.akka.persistence.snapshot_store import (
    LATEST,
    LOAD_ATTEMPTS,
    Criteria,
    SnapshotMetadata,
    SnapshotStore,
    StoredSnapshot,
)


class CassandraSnapshots(SnapshotStore):
    """Of one session; snapshots are read and written at ONE."""

    def __init__(self, statements: CassandraStatements) -> None:
        self._statements = statements

    async def load(self, persistence_id: str, criteria: Criteria) -> list[StoredSnapshot]:
        found: list[StoredSnapshot] = []
        for metadata in await self._matching(persistence_id, criteria, LOAD_ATTEMPTS):
            number = metadata.sequence_nr
            rows = await self._statements.execute(schema.READ_SNAPSHOTS, persistence_id, number, number)
            found += [
                StoredSnapshot(metadata, row.ser_id, row.ser_manifest or "", row.snapshot_data)
                for row in rows
                if row.snapshot_data is not None
            ]
        return found

    async def save(self, snapshot: StoredSnapshot) -> None:
        metadata = snapshot.metadata
        await self._statements.execute(
            schema.SAVE_SNAPSHOT,
            metadata.persistence_id,
            metadata.sequence_nr,
            metadata.timestamp_ms,
            snapshot.manifest,
            snapshot.serializer,
            snapshot.data,
        )

    async def delete(self, persistence_id: str, criteria: Criteria) -> None:
        lower, upper = max(0, criteria.min_sequence_nr), criteria.max_sequence_nr
        if criteria.min_timestamp_ms <= 0 and criteria.max_timestamp_ms == LATEST:
            await self._statements.execute(schema.DELETE_SNAPSHOTS, persistence_id, lower, upper)
            return
        for metadata in await self._matching(persistence_id, criteria, None):
            await self._statements.execute(schema.DELETE_SNAPSHOT, persistence_id, metadata.sequence_nr)

    async def _matching(self, persistence_id: str, criteria: Criteria, limit: int | None) -> list[SnapshotMetadata]:
        found: list[SnapshotMetadata] = []
        bounds = (criteria.max_sequence_nr, max(0, criteria.min_sequence_nr))
        async for rows in self._statements.pages(schema.SNAPSHOT_TIMES, persistence_id, *bounds):
            for row in rows:
                metadata = SnapshotMetadata(persistence_id, row.sequence_nr, row.timestamp)
                if criteria.matches(metadata):
                    found.append(metadata)
                    if len(found) == limit:
                        return found
        return found
