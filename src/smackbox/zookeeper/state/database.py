"""The database: tree, sessions, watches and log behind one transaction number.

Only `commit` changes the state. It assigns the zxid, applies the transaction, appends it to the log's buffer and adds
the watch events to `outbox`. The server writes the log, and only then sends events and replies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smackbox.base.clock import Clock
from smackbox.base.errors import StorageError
from smackbox.store.fs import Disk, FileSystem
from smackbox.zookeeper.state.journal import Journal, apply_entry, restore, write_snapshot
from smackbox.zookeeper.state.sessions import Session
from smackbox.zookeeper.state.tree import Node, split
from smackbox.zookeeper.state.txn import (
    CloseSessionTxn,
    CreateSessionTxn,
    DeleteTxn,
    Entry,
    MultiTxn,
    NodeTxn,
    Txn,
)
from smackbox.zookeeper.state.watches import Watcher, Watches
from smackbox.zookeeper.wire.codes import EventType

SNAPSHOT_EVERY_ENTRIES = 100_000


class Database:
    """The whole state of one ZooKeeper."""

    def __init__(self, directory: Path, clock: Clock, fs: FileSystem | None = None) -> None:
        """Raises `StorageError` when the log on disk has a gap."""
        self._directory = directory
        self._fs: FileSystem = fs or Disk()
        self._clock = clock
        self.tree, self.sessions, self.zxid, self._last_ms, self.cut_bytes = restore(self._fs, directory)
        for session in self.sessions.all():
            self.sessions.touch(session, clock.monotonic_ms())
        self.watches = Watches()
        self.outbox: list[tuple[Watcher, EventType, str]] = []
        self.journal = Journal(self._fs, directory, self.zxid + 1)
        self._snapshot: Iterator[None] | None = None

    def now_ms(self) -> int:
        """Monotonic wall time, so that later nodes are not older."""
        self._last_ms = max(self._last_ms, self._clock.wall_ms())
        return self._last_ms

    def monotonic_ms(self) -> int:
        """The clock for session expiry."""
        return self._clock.monotonic_ms()

    def commit(self, txn: Txn, time_ms: int | None = None) -> int:
        """Commit a transaction, at `time_ms` if given; returns its zxid."""
        entry = Entry(self.zxid + 1, self.now_ms() if time_ms is None else time_ms, txn)
        self.zxid = entry.zxid
        changes = apply_entry(entry, self.tree, self.sessions, self.monotonic_ms())
        self.journal.append(entry)
        self.outbox += self.watches.fire(changes)
        return entry.zxid

    def create_session(self, session_id: int, timeout_ms: int, password: bytes) -> Session:
        """Open a session, as a transaction."""
        self.commit(CreateSessionTxn(session_id, timeout_ms, password))
        session = self.sessions.get(session_id)
        assert session is not None
        return session

    def close_session(self, session_id: int) -> None:
        """End a session and remove its ephemeral nodes, as one transaction."""
        if self.sessions.get(session_id) is not None:
            paths = tuple(sorted(self.tree.ephemerals.get(session_id, ())))
            self.commit(CloseSessionTxn(session_id, paths))

    def expire_sessions(self) -> list[int]:
        """End the sessions whose clients have timed out; returns their ids."""
        expired = [session.id for session in self.sessions.expired(self.monotonic_ms())]
        for session_id in expired:
            self.close_session(session_id)
        return expired

    def sweep(self) -> int:
        """Delete containers that had children and have none, and nodes whose TTL has passed; returns how many."""
        now_ms = self.now_ms()
        due = [
            path
            for path, node in self.tree.nodes.items()
            if not node.children
            and ((node.container and node.creations) or (node.ttl_ms and node.mtime + node.ttl_ms < now_ms))
        ]
        for path in due:
            self.commit(DeleteTxn(path))
        return len(due)

    def snapshot_step(self) -> bool:
        """Write the next slice of a snapshot if one is due or in progress; returns whether there is more to do.

        Raises `StorageError`: the snapshot is abandoned, and retried when it is due.
        """
        if self._snapshot is None:
            if self.journal.entries < SNAPSHOT_EVERY_ENTRIES:
                return False
            self.journal.rotate(self.zxid + 1)
            self._snapshot = write_snapshot(self._fs, self._directory, self.zxid, self.tree, self.sessions)
        try:
            more = next(self._snapshot, self) is None
        except StorageError:
            self._snapshot = None
            raise
        if not more:
            self._snapshot = None
        return more

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()


class Savepoint:
    """The operations of a multi: each sees the effects of the previous ones, and all are undone unless all succeed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._zxid = database.zxid + 1
        self._time_ms = database.now_ms()
        self._before: dict[str, Node | None] = {}
        self.parts: list[NodeTxn] = []

    def apply(self, txn: NodeTxn) -> None:
        """Apply a change that `undo` can revert."""
        tree = self._database.tree
        for path in {txn.path, split(txn.path)[0]}:
            if path not in self._before:
                node = tree.nodes.get(path)
                self._before[path] = None if node is None else _copy(node)
        tree.apply(txn, self._zxid, self._time_ms)
        self.parts.append(txn)

    def undo(self) -> None:
        """Restore the previous state of the tree."""
        tree = self._database.tree
        for path, node in self._before.items():
            gone = tree.nodes.pop(path, None)
            if gone is not None and gone.owner:
                tree.ephemerals[gone.owner].discard(path)
            if node is not None:
                tree.nodes[path] = node
                if node.owner:
                    tree.ephemerals.setdefault(node.owner, set()).add(path)

    def commit(self) -> int:
        """Commit all of it as one transaction; returns its zxid."""
        self.undo()
        return self._database.commit(MultiTxn(tuple(self.parts)), self._time_ms)


def _copy(node: Node) -> Node:
    twin = Node.__new__(Node)
    for name in Node.__slots__:
        setattr(twin, name, getattr(node, name))
    twin.children = set(node.children)
    return twin
