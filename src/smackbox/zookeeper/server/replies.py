"""The order of output: the log first, then events, then the replies to the requests that caused them.

All packets of one socket read are handled in one pass. Their replies, and the events that they caused on any
connection, are held back until the log is written (and with `sync` is on the disk); then they are sent in order. So
whatever a client receives has survived a kill of this process.

When the disk rejects a write, nothing that was held back is sent. Every connection is closed, so that clients do not
know whether their last requests succeeded, and no connection is accepted until the log can be written again.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import NamedTuple

from smackbox.base.errors import StorageError
from smackbox.store.group_commit import GroupCommit
from smackbox.zookeeper.state.database import Database
from smackbox.zookeeper.wire.records import event

log = logging.getLogger(__name__)


class Client(ABC):
    """A connection as this module sees it; `session_id` is 0 before it has a session."""

    session_id: int

    @abstractmethod
    def send(self, data: bytes, packets: int) -> None:
        """Write these packets, unless the connection is closing."""

    @abstractmethod
    def close(self) -> None:
        """Send pending output, then close."""


class Held(NamedTuple):
    """Packets for one connection, which is closed after them if they are its `last`."""

    client: Client
    packets: list[bytes]
    last: bool


class Replies:
    """The pending output of all open connections. `refusing` is set while the log cannot be written."""

    def __init__(self, database: Database, *, sync: bool) -> None:
        self.clients: set[Client] = set()
        self.refusing = False
        self.sent = 0
        self._database = database
        self._sync = sync
        self._held: list[Held] = []
        self._commits: GroupCommit[list[Held]] = GroupCommit("zookeeper", self._take, self._synced, self._finished)

    def hold(self, client: Client, packets: list[bytes], *, last: bool = False) -> None:
        """Send these after the log is written; `last` closes the connection after that."""
        self._held.append(Held(client, packets, last))

    def release(self) -> None:
        """Write the log, then send the held packets."""
        database = self._database
        if self.refusing:
            return
        try:
            database.journal.flush()
        except StorageError as error:
            self._refuse(error)
            return
        events: dict[Client, list[bytes]] = {}
        for watcher, kind, path in database.outbox:
            if isinstance(watcher, Client):
                events.setdefault(watcher, []).append(event(kind, path))
        database.outbox.clear()
        self._held = [Held(client, packets, last=False) for client, packets in events.items()] + self._held
        if not self._held:
            return
        if self._sync:
            self._commits.want()
        else:
            self._send(self._take() or [])

    async def settle(self) -> None:
        """Wait until no write to the disk is in progress."""
        await self._commits.settle()

    def try_again(self) -> bool:
        """After a failure: whether the log can be written again."""
        try:
            self._database.journal.flush()
            if self._sync:
                self._database.journal.sync()
        except StorageError:
            return False
        log.warning("zookeeper's log can be written again")
        self.refusing = False
        return True

    def _refuse(self, error: StorageError) -> None:
        """The log cannot be written: send no replies until it can."""
        log.error("zookeeper closes all connections, as its log cannot be written: %s", error)
        self.refusing = True
        self._held.clear()
        self._database.outbox.clear()
        for client in list(self.clients):
            client.close()

    # --- with `sync`

    def _take(self) -> list[Held] | None:
        taken, self._held = self._held, []
        return taken or None

    async def _synced(self, _: list[Held]) -> None:
        await asyncio.to_thread(self._database.journal.sync)

    def _finished(self, batch: list[Held], error: StorageError | None) -> None:
        if error is None:
            self._send(batch)
        else:
            self._refuse(error)

    def _send(self, batch: list[Held]) -> None:
        for client, packets, last in batch:
            self.sent += len(packets)
            client.send(b"".join(packets), len(packets))
            if last:
                client.close()
