"""Journal and snapshots in Cassandra, shared with JVMs that use pekko-persistence-cassandra 1.1.

    cassandra = await CassandraPersistence.open(session)                  # of `cassandra-driver`
    persistence = Persistence(system, cassandra.journal, cassandra.snapshots)

It leaves the session open. At the system's end `await cassandra.settle()` waits for what is under way; the coordinated
shutdown does so where `cassandra.add_to(system)` was called.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from smackbox.akka.actor.shutdown import BEFORE_ACTOR_SYSTEM_TERMINATE
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.persistence.cassandra_journal import CassandraJournal
from smackbox.akka.persistence.cassandra_session import CassandraStatements
from smackbox.akka.persistence.cassandra_settings import CassandraSettings
from smackbox.akka.persistence.cassandra_snapshots import CassandraSnapshots

if TYPE_CHECKING:
    from cassandra.cluster import Session


class CassandraPersistence:
    """Made by `open`."""

    def __init__(
        self, statements: CassandraStatements, settings: CassandraSettings, wall_us: Callable[[], int]
    ) -> None:
        self.journal = CassandraJournal(statements, settings, wall_us, secrets.randbits(62))
        self.snapshots = CassandraSnapshots(statements)

    @classmethod
    async def open(
        cls,
        session: Session,
        settings: CassandraSettings | None = None,
        *,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> CassandraPersistence:
        """Make what is missing of keyspaces and tables, and prepare. Raises `StorageError`."""
        settings = settings or CassandraSettings()
        return cls(await CassandraStatements.prepare(session, settings), settings, wall_us)

    def add_to(self, system: ActorSystem) -> None:
        """Let the coordinated shutdown of `system` wait for writes that are under way."""
        system.shutdown.add_task(BEFORE_ACTOR_SYSTEM_TERMINATE, "persistence", self.settle)

    async def settle(self) -> None:
        """Wait for the writes that are under way."""
        await self.journal.settle()
