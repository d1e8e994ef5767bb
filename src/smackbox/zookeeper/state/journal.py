"""The transaction log and the snapshots on disk.

    log.<first zxid, 16 hex digits>        entries
    snapshot.<zxid, 16 hex digits>         a header, the nodes, a footer

Both are sequences of frames: crc32c (4 bytes), length (4 bytes), then a msgpack record. An incomplete frame or a
checksum mismatch ends a log: it is where a crash interrupted a write, and the log is truncated there. A snapshot
without its footer is ignored. A snapshot may be written while the tree changes: it includes at least everything up to
its zxid, and replaying the log from there restores the tree (see `txn`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import crc32c
import msgspec

from smackbox.base.errors import StorageError
from smackbox.store.fs import FileSystem
from smackbox.zookeeper.state.sessions import Sessions
from smackbox.zookeeper.state.tree import Change, Node, Tree, split
from smackbox.zookeeper.state.txn import CloseSessionTxn, CreateSessionTxn, Entry, MultiTxn
from smackbox.zookeeper.wire.records import Acl

_FRAME = struct.Struct(">II")
SNAPSHOT_SLICE_NODES = 2_000
SNAPSHOTS_KEPT = 3
FRAME_LIMIT = 64 * 1024 * 1024

_encode = msgspec.msgpack.Encoder().encode
_decode_entry = msgspec.msgpack.Decoder(Entry).decode


class _Head(msgspec.Struct, array_like=True):
    zxid: int
    sessions: list[tuple[int, int, bytes]]


class _NodeRecord(msgspec.Struct, array_like=True):
    path: str
    data: bytes | None
    acl: tuple[Acl, ...]
    czxid: int
    mzxid: int
    pzxid: int
    ctime: int
    mtime: int
    version: int
    aversion: int
    creations: int
    owner: int
    container: bool
    ttl_ms: int


class _Foot(msgspec.Struct, array_like=True):
    nodes: int


class Journal:
    """Appends entries; after `flush` they survive the process, after `sync` the machine."""

    def __init__(self, fs: FileSystem, directory: Path, first_zxid: int) -> None:
        self._fs = fs
        self._directory = directory
        self._buffer: list[bytes] = []
        self.entries = 0
        self._file = fs.open(self._path(first_zxid))

    def append(self, entry: Entry) -> None:
        """Buffer one entry; `flush` writes it."""
        self._buffer.append(_frame(_encode(entry)))
        self.entries += 1

    def flush(self) -> None:
        """Write the buffer. Raises `StorageError` when the disk rejects the write: the entries wait for the next flush,
        and must not be acknowledged before.
        """
        if not self._buffer:
            return
        self._file.append(b"".join(self._buffer))
        self._buffer.clear()

    def sync(self) -> None:
        """Sync the log to disk. Raises `StorageError`; after that the log accepts nothing more."""
        self._file.sync()

    def rotate(self, next_zxid: int) -> None:
        """Start a new log file with the transaction `next_zxid`. Raises `StorageError`, and the old one stays
        in use.
        """
        self.flush()
        self._file.sync()
        fresh = self._fs.open(self._path(next_zxid))
        self._file.close()
        self._file = fresh
        self.entries = 0

    def close(self) -> None:
        """Write and sync the buffer, and close the file. Raises `StorageError`."""
        try:
            self.flush()
            self._file.sync()
        finally:
            self._file.close()

    def _path(self, first_zxid: int) -> Path:
        return self._directory / f"log.{first_zxid:016x}"


def write_snapshot(fs: FileSystem, directory: Path, zxid: int, tree: Tree, sessions: Sessions) -> Iterator[None]:
    """Write a snapshot slice by slice, while the tree may change between slices; then delete the files that it
    supersedes.

    Raises `StorageError`: the partial snapshot is ignored, and the log still has everything.
    """
    final = directory / f"snapshot.{zxid:016x}"
    fresh = final.with_suffix(final.suffix + ".fresh")
    paths = sorted(tree.nodes)
    count = 0
    fs.remove(fresh)
    file = fs.open(fresh)
    try:
        file.append(
            _frame(
                _encode(_Head(zxid, [(session.id, session.timeout_ms, session.password) for session in sessions.all()]))
            )
        )
        for start in range(0, len(paths), SNAPSHOT_SLICE_NODES):
            nodes = [(path, tree.nodes.get(path)) for path in paths[start : start + SNAPSHOT_SLICE_NODES]]
            frames = [_frame(_encode(_record(path, node))) for path, node in nodes if node is not None]
            if frames:
                file.append(b"".join(frames))
            count += len(frames)
            yield
        file.append(_frame(_encode(_Foot(count))))
        file.sync()
    finally:
        file.close()
    fs.rename(fresh, final)
    _purge(fs, directory)


def restore(fs: FileSystem, directory: Path) -> tuple[Tree, Sessions, int, int, int]:
    """The tree and sessions on disk, the last zxid, the last time in ms, and how many bytes of an incomplete log were
    truncated.

    Sessions get their full timeout again from monotonic time 0.
    """
    tree, sessions, zxid = Tree(), Sessions(), 0
    for snapshot in sorted(directory.glob("snapshot.????????????????"), reverse=True):
        loaded = _load_snapshot(fs.read(snapshot))
        if loaded is not None:
            tree, sessions, zxid = loaded
            break
    time_ms, cut = 0, 0
    logs = sorted(directory.glob("log.*"))
    for position, log in enumerate(logs):
        following = int(logs[position + 1].suffix[1:], 16) if position + 1 < len(logs) else None
        if following is not None and following <= zxid + 1:
            continue
        data = fs.read(log)
        end_offset = 0
        for payload, end in _frames(data):
            end_offset = end
            entry = _decode_entry(payload)
            if entry.zxid > zxid:
                apply_entry(entry, tree, sessions, 0)
                zxid, time_ms = entry.zxid, max(time_ms, entry.time_ms)
        if end_offset < len(data):
            if following is not None and following > zxid + 1:
                raise StorageError(f"{log} is damaged in its middle: transactions after {zxid:#x} are missing")
            file = fs.open(log)
            file.truncate(end_offset)
            file.close()
            cut += len(data) - end_offset
    return tree, sessions, zxid, time_ms, cut


def apply_entry(entry: Entry, tree: Tree, sessions: Sessions, now_ms: int) -> list[Change]:
    """Apply one entry, for the first time or in a replay. `now_ms` is monotonic and starts the timeout of a new
    session.
    """
    match entry.txn:
        case CreateSessionTxn(session_id, timeout_ms, password):
            sessions.add(session_id, timeout_ms, password, now_ms)
            return []
        case CloseSessionTxn(session_id, paths):
            sessions.remove(session_id)
            return tree.close_session(session_id, paths, entry.zxid)
        case MultiTxn(parts):
            return [change for part in parts for change in tree.apply(part, entry.zxid, entry.time_ms)]
        case part:
            return tree.apply(part, entry.zxid, entry.time_ms)


def _load_snapshot(data: bytes) -> tuple[Tree, Sessions, int] | None:
    frames = [payload for payload, _ in _frames(data)]
    if len(frames) < 2:
        return None
    try:
        head = msgspec.msgpack.decode(frames[0], type=_Head)
        foot = msgspec.msgpack.decode(frames[-1], type=_Foot)
        records = [msgspec.msgpack.decode(frame, type=_NodeRecord) for frame in frames[1:-1]]
    except msgspec.DecodeError:
        return None
    if foot.nodes != len(records):
        return None
    tree, sessions = Tree(), Sessions()
    for record in records:
        node = Node(record.data, record.acl, record.czxid, record.ctime)
        node.mzxid, node.pzxid, node.mtime = record.mzxid, record.pzxid, record.mtime
        node.version, node.aversion, node.creations = record.version, record.aversion, record.creations
        node.owner, node.container, node.ttl_ms = record.owner, record.container, record.ttl_ms
        there = tree.nodes.get(record.path)
        if there is not None:
            node.children = there.children
        tree.nodes[record.path] = node
        if record.path != "/":
            parent, name = split(record.path)
            tree.nodes[parent].children.add(name)
        if node.owner:
            tree.ephemerals.setdefault(node.owner, set()).add(record.path)
    for session_id, timeout_ms, password in head.sessions:
        sessions.add(session_id, timeout_ms, password, 0)
    return tree, sessions, head.zxid


def _record(path: str, node: Node) -> _NodeRecord:
    return _NodeRecord(
        path, node.data, node.acl, node.czxid, node.mzxid, node.pzxid, node.ctime,
        node.mtime, node.version, node.aversion, node.creations, node.owner, node.container, node.ttl_ms,
    )  # fmt: skip


def _purge(fs: FileSystem, directory: Path) -> None:
    snapshots = sorted(directory.glob("snapshot.????????????????"))
    for old in snapshots[:-SNAPSHOTS_KEPT]:
        fs.remove(old)
    oldest = int(snapshots[-SNAPSHOTS_KEPT:][0].suffix[1:], 16)
    logs = sorted(directory.glob("log.*"))
    for log, following in pairwise(logs):
        if int(following.suffix[1:], 16) <= oldest + 1:
            fs.remove(log)


def _frame(payload: bytes) -> bytes:
    return _FRAME.pack(crc32c.crc32c(payload), len(payload)) + payload


def _frames(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The payload and the end of each complete frame."""
    position = 0
    while position + _FRAME.size <= len(data):
        checksum, length = _FRAME.unpack_from(data, position)
        start = position + _FRAME.size
        payload = data[start : start + length]
        if length > FRAME_LIMIT or len(payload) < length or crc32c.crc32c(payload) != checksum:
            return
        position = start + length
        yield payload, position
