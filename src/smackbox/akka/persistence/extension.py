"""What the persistent actors of one system share: journal, stores, serializers, recovery permits.

    async with akka.ActorSystem("shop") as system:
        persistence = Persistence.open(system, Path("data"))           # RocksDB, in this process
        persistence.register("shop.Added", Added)
        cart = system.spawn(cart_behavior("42"))

It closes its stores when the system has terminated. An actor that is spawned before there is one fails.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec

from smackbox.akka.actor.record import record
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.persistence.breaker import CircuitBreaker
from smackbox.akka.persistence.errors import NoJournalError
from smackbox.akka.persistence.event_log import EventLog
from smackbox.akka.persistence.journal import Journal
from smackbox.akka.persistence.serialization import EventSerialization, Upgrade
from smackbox.akka.persistence.snapshot_store import SnapshotStore

if TYPE_CHECKING:
    from smackbox.akka.persistence.state_store import StateStore


@record
class PersistenceSettings:
    """Pekko's defaults. `recovery_event_timeout_s` is for a snapshot and for each batch of events."""

    max_concurrent_recoveries: int = 50
    recovery_event_timeout_s: float = 30.0
    stash_capacity: int = 4_096
    stash_overflow_fails: bool = False
    breaker_failures: int = 10
    breaker_call_timeout_s: float = 10.0
    breaker_reset_s: float = 30.0


class Persistence:
    """Registers itself with `system`, once. `close` is called at the system's end; `wall_ms` gives milliseconds
    since 1970.
    """

    def __init__(
        self,
        system: ActorSystem,
        journal: Journal | None = None,
        snapshots: SnapshotStore | None = None,
        states: StateStore | None = None,
        *,
        settings: PersistenceSettings | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        close: Callable[[], None] | None = None,
    ) -> None:
        if system in _of_system:
            raise ValueError(f"the system {system.name!r} has its Persistence already")
        self.system = system
        self.settings = settings or PersistenceSettings()
        self.wall_ms = wall_ms
        self.serialization = EventSerialization(system.resolve, lambda ref: str(ref.path))
        self.recoveries = asyncio.Semaphore(self.settings.max_concurrent_recoveries)
        self.writer_uuid = str(uuid.uuid4())
        self._snapshots = snapshots
        self._states = states
        self._close = close
        limits = self.settings
        breaker = CircuitBreaker(limits.breaker_failures, limits.breaker_call_timeout_s, limits.breaker_reset_s)
        self._log = None if journal is None else EventLog(journal, self.serialization, breaker, system.dispatcher.now_s)
        _of_system[system] = self
        system.on_termination(self.close)

    @classmethod
    def open(
        cls, system: ActorSystem, directory: Path, *, sync: bool = False, settings: PersistenceSettings | None = None
    ) -> Persistence:
        """Journal, snapshots and states in one RocksDB in `directory`. With `sync` a write waits for the disk.

        Raises `StartError` when the directory is in use, or is not a directory.
        """
        from smackbox.akka.persistence.rocks import RocksPersistence

        rocks = RocksPersistence(directory, sync=sync)
        return cls(system, rocks.journal, rocks.snapshots, rocks.states, settings=settings, close=rocks.close)

    @classmethod
    def of(cls, system: ActorSystem) -> Persistence:
        """Raises `NoJournalError`."""
        found = _of_system.get(system)
        if found is None:
            raise NoJournalError(
                f"the system {system.name!r} has no journal: make Persistence.open(system, directory) "
                "before its persistent actors"
            )
        return found

    def register(
        self,
        manifest: str,
        event_type: type[msgspec.Struct],
        *,
        version: int = 1,
        upgrade: Upgrade | None = None,
        alias: bool = False,
    ) -> None:
        """See `serialization.py`. Raises `ValueError`."""
        self.serialization.register(manifest, event_type, version=version, upgrade=upgrade, alias=alias)

    @property
    def log(self) -> EventLog:
        """Raises `NoJournalError`."""
        if self._log is None:
            raise NoJournalError(f"the Persistence of {self.system.name!r} has no journal")
        return self._log

    @property
    def snapshots(self) -> SnapshotStore | None:
        """None where no snapshots are kept."""
        return self._snapshots

    @property
    def states(self) -> StateStore:
        """Raises `NoJournalError`."""
        if self._states is None:
            raise NoJournalError(f"the Persistence of {self.system.name!r} has no store of durable states")
        return self._states

    def close(self) -> None:
        """Close the stores; the system does so at its end."""
        if self._close is not None:
            self._close()
            self._close = None


_of_system: WeakKeyDictionary[ActorSystem, Persistence] = WeakKeyDictionary()
