"""What is written down of a stream's replays, and the gate that keeps the stream away while one is put in.

    DIR/replays/APP/STREAM/gate            locked by whoever puts a replay in
    DIR/replays/APP/STREAM/ID/replay.json  a replay: what it reads, how far it is
    DIR/replays/APP/STREAM/ID/…            its checkpoints, its rows, and what is kept to undo it

A replay goes through `building` and `applying` to `applied`. `applying` is the commit: written once what it will change
is on the disk beside it, with the timestamp of its writes. Before it nothing of the stream or its table has changed;
from it on the change is finished by whoever comes next, the command or the stream itself, before the stream goes on.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from smackbox.base.errors import StartError, UserError
from smackbox.store.data_dir import try_lock
from smackbox.store.fs import Disk

RECORD = "replay.json"
GATE = "gate"
GATE_LIMIT_S = 5.0
POLL_S = 0.05
ID_LENGTH = 8

State = Literal["building", "applying", "applied"]


class GatedError(UserError):
    """Another process is putting a replay in."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One replay. Moments are milliseconds since 1970, `timestamp_us` is that of the writes of a change."""

    id: str
    kind: Literal["replay", "undo"]
    number: int
    from_ms: int | None
    to_ms: int | None
    source: str
    """The text of the program that makes the totals, as a checksum."""

    started_ms: int
    state: State = "building"
    timestamp_us: int = 0
    applied_ms: int = 0
    columns: tuple[str, ...] = ()
    keeps_gone: bool = False
    owns_rows: bool = True
    """Whether rows of the table are this stream's alone: then one that is gone is deleted whole."""


class Journal:
    """The replays of one stream, in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def all(self) -> list[Record]:
        """The replays, the oldest first. Raises `StartError` for a damaged record."""
        found = []
        for file in self.directory.glob(f"*/{RECORD}"):
            try:
                found.append(msgspec.json.decode(file.read_bytes(), type=Record))
            except (OSError, msgspec.DecodeError) as error:
                raise StartError(f"{file} cannot be read: {error}; remove its folder to go on without it") from error
        return sorted(found, key=lambda record: record.number)

    def under_way(self) -> Record | None:
        """The replay that is being built."""
        return next((record for record in self.all() if record.state == "building"), None)

    def unfinished(self) -> Record | None:
        """The replay that is being put in."""
        return next((record for record in self.all() if record.state == "applying"), None)

    def latest_applied(self) -> Record | None:
        """The one that can be undone."""
        return next((record for record in reversed(self.all()) if record.state == "applied"), None)

    def folder(self, record: Record) -> Path:
        """Where a replay's files are."""
        return self.directory / record.id

    def next_number(self) -> int:
        """A number after those of all replays that are there."""
        return max((record.number for record in self.all()), default=0) + 1

    def write(self, record: Record) -> None:
        """Keep what is known of a replay; it survives power loss. Raises `StorageError`."""
        disk = Disk()
        disk.make_directory(self.folder(record))
        disk.replace(self.folder(record) / RECORD, msgspec.json.format(msgspec.json.encode(record)))

    def remove(self, record: Record) -> None:
        """Forget a replay. Its record goes first: what is left without one is removed with the next."""
        (self.folder(record) / RECORD).unlink(missing_ok=True)
        shutil.rmtree(self.folder(record), ignore_errors=True)

    def sweep(self) -> None:
        """Remove folders whose replay was being begun or removed when its process was killed."""
        for folder in self.directory.iterdir() if self.directory.exists() else ():
            if folder.is_dir() and not (folder / RECORD).exists():
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Keep the stream's processes, and other replays, away meanwhile. Raises `GatedError` where another has it."""
        fd = self._open_gate()
        try:
            deadline = time.monotonic() + GATE_LIMIT_S
            while not try_lock(fd):  # those that only look hold it for a moment
                if time.monotonic() > deadline:
                    raise GatedError(f"another process is putting a replay in: {self.directory / GATE} is locked")
                time.sleep(POLL_S)
            yield
        finally:
            os.close(fd)

    def is_gated(self) -> bool:
        """Whether somebody keeps the stream away."""
        try:
            fd = os.open(self.directory / GATE, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def wait_while_gated(self, stop: threading.Event) -> bool:
        """Wait until nobody keeps the stream away, or `stop` is set; whether there was anything to wait for."""
        waited = False
        while self.is_gated() and not stop.wait(POLL_S):
            waited = True
        return waited

    def _open_gate(self) -> int:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            return os.open(self.directory / GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StartError(f"cannot use {self.directory}: {error.strerror or error}") from error


def changes_under_way(directory: Path) -> tuple[bool, list[tuple[str, State]]]:
    """Whether a replay of the box in `directory` is being put in, and the state of all of them."""
    streams = [Journal(path) for path in sorted((directory / "replays").glob("*/*"))]
    states = [(record.id, record.state) for journal in streams for record in journal.all()]
    is_busy = any(journal.is_gated() for journal in streams) or any(state == "applying" for _, state in states)
    return is_busy, states


def new_id() -> str:
    """A name for a replay."""
    return uuid.uuid4().hex[:ID_LENGTH]


def replays_dir(directory: Path, app: str, stream: str) -> Path:
    """Where the replays of a stream of the box in `directory` are."""
    return directory / "replays" / app / stream
