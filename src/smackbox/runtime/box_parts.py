"""A snapshot of the parts of a box, in a folder of links and small copies, for a back-up to save.

    kafka/                     a data directory: segments, journal (topics, configurations, ACLs, users), offsets
    streams/APP/STREAM/state/  each stream's checkpoint: offsets, totals, identities
    cassandra/data/            the store: keyspaces, schema, roles, rows
    zookeeper/                 snapshots and log
    platform/marathon/, platform/chronos/   apps and jobs
    platform/mesos-agent/meta/              which tasks ran
    applications/              the topic declarations of each application

A part is requested over the control socket of its running server. If the server does not run, the part is read from its
directory, which is locked meanwhile. If the server starts or ends just then, the request is retried for `PART_LIMIT_S`.

All imports of these functions are at the top of this module, because Kafka's clients wait while they run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from smackbox.backup.save import SourceFile
from smackbox.base.errors import StartError, StorageError, UserError
from smackbox.cassandra.server.snapshot import STORE, Copied, take
from smackbox.cassandra.server.tools import Done, Flush, Snapshot
from smackbox.cassandra.state.engine import SCHEMA_FAMILY
from smackbox.kafka.server.backup import Resume, Resumed, Stage, Staged, stage, topics_in
from smackbox.kafka.state.catalog import JOURNAL
from smackbox.net.control import Request, call
from smackbox.spark.streaming.control import STORE_DIR, CheckpointCopied, CopyCheckpoint, copy_closed
from smackbox.store.data_dir import DataDir
from smackbox.store.rocks import open_store

PART_LIMIT_S = 20.0
PART_PAUSE_S = 0.05
CALL_LIMIT_S = 60.0
LINK_TRIES = 20
AGENT_META = "mesos-agent/meta"
FRAMEWORKS = ("marathon", "chronos")

A = TypeVar("A", bound=msgspec.Struct)


class Held(NamedTuple):
    """Kafka's part, and a function that ends its hold and returns whether the hold lasted until then."""

    files: list[SourceFile]
    resume: Callable[[], bool]


def hold_kafka(directory: Path, staging: Path, hold_s: float) -> Held:
    """Stage the broker's data and hold its clients, or the directory of one that does not run. Raises `UserError`."""
    if not (directory / JOURNAL).exists():
        return Held([], lambda: True)
    target = staging / "kafka"
    held: DataDir | None = None

    def locked(lock: DataDir) -> Staged:
        nonlocal held
        held = lock
        return stage(directory, topics_in(directory), target)

    staged = _asked(directory, Stage(str(target), hold_s), Staged, locked, keep=True)

    def resume() -> bool:
        if held is not None:
            held.close()
            return True
        return call(directory, Resume(staged.silence), Resumed, CALL_LIMIT_S).was_held

    return Held([SourceFile(f"kafka/{file.name}", target / file.name, file.size) for file in staged.files], resume)


def flush_cassandra(directory: Path) -> None:
    """Have a running CQL server flush its memtables, so that the snapshot need not wait for that."""
    with contextlib.suppress(UserError):
        call(directory, Flush(), Done, CALL_LIMIT_S)


def copy_cassandra(directory: Path, staging: Path) -> list[SourceFile]:
    """A snapshot of the CQL server's store. Raises `UserError`."""
    if not (directory / STORE / "CURRENT").exists():
        return []
    target = staging / "cassandra"

    def locked(_: DataDir) -> Copied:
        store = open_store(directory / STORE, families=(SCHEMA_FAMILY,))
        try:
            return take(store, target)
        finally:
            store.close()

    _asked(directory, Snapshot(str(target)), Copied, locked)
    return files_below(target, "cassandra")


def copy_streams(directory: Path, staging: Path) -> list[SourceFile]:
    """The checkpoint of each stream of each application. Raises `UserError`."""
    for current in sorted(directory.rglob(f"{STORE_DIR}/CURRENT")):
        stream = current.parents[1]
        copy_checkpoint(stream, staging / "streams" / stream.relative_to(directory))
    for small in directory.rglob("*.json"):  # the partitioning of a stream's state
        target = staging / "streams" / small.relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(small, target)
    return files_below(staging / "streams", "streams")


def copy_checkpoint(stream: Path, target: Path) -> None:
    """Copy the checkpoint in the directory `stream`, whether its stream runs or not. Raises `UserError`."""
    _asked(stream, CopyCheckpoint(str(target)), CheckpointCopied, lambda _: copy_closed(stream, target))


def link_zookeeper(directory: Path, staging: Path) -> list[SourceFile]:
    """Snapshots and logs; a log keeps growing, and a torn record at its end is dropped when it is read."""
    target = staging / "zookeeper"
    for _ in range(LINK_TRIES):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        found = _snapshots_and_logs(directory)
        try:
            for path in found:
                (target / path.name).hardlink_to(path)
        except FileNotFoundError:
            continue  # a new snapshot made it obsolete meanwhile
        if _snapshots_and_logs(directory) == found:  # else one of those that belong together may be missing
            return files_below(target, "zookeeper")
    raise UserError(f"{directory} changes faster than it can be linked")


def _snapshots_and_logs(directory: Path) -> list[Path]:
    found = (*directory.glob("snapshot.*"), *directory.glob("log.*"))
    return sorted(path for path in found if not path.name.endswith(".fresh"))


def copy_frameworks(directory: Path, staging: Path) -> list[SourceFile]:
    """The records of Marathon and Chronos (apps, jobs, due times) and the agent's state of its tasks.

    The agent keeps its id and finds its tasks gone, so Marathon restarts them at once; sandboxes are left
    out. Raises `UserError`.
    """
    for name in FRAMEWORKS:
        source = directory / name / "state.sqlite"
        if not source.exists():
            continue
        target = staging / "platform" / name
        target.mkdir(parents=True)
        try:
            with (
                contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=PART_LIMIT_S)) as read,
                contextlib.closing(sqlite3.connect(target / "state.sqlite")) as written,
            ):
                read.backup(written)
        except sqlite3.Error as error:
            raise UserError(f"cannot copy {source}: {error}") from error
    copied = files_below(staging / "platform", "platform")
    if (agent := directory / AGENT_META).is_dir():
        copied += _copy_tree(agent, staging / "platform" / AGENT_META, f"platform/{AGENT_META}")
    return copied


def copy_applications(directory: Path, staging: Path) -> list[SourceFile]:
    """The topic declarations of each application at its last start."""
    target = staging / "applications"
    for path in directory.glob("*.json"):
        target.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(path, target / path.name)
    return files_below(target, "applications")


def _copy_tree(source: Path, target: Path, name: str) -> list[SourceFile]:
    """A folder of small files that are created and removed meanwhile."""
    for folder, _, names in os.walk(source):
        made = target / Path(folder).relative_to(source)
        made.mkdir(parents=True, exist_ok=True)
        for file in names:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(Path(folder, file), made / file)
    return files_below(target, name)


def files_below(folder: Path, name: str) -> list[SourceFile]:
    """Every file below a staged folder, as it is now."""
    return list(_files_below(folder, name))


def _files_below(folder: Path, name: str) -> Iterator[SourceFile]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield SourceFile(f"{name}/{path.relative_to(folder).as_posix()}", path, path.stat().st_size)


def _asked(
    directory: Path, request: Request, answer: type[A], locked: Callable[[DataDir], A], *, keep: bool = False
) -> A:
    """The server's answer, or `locked` with the directory's lock if no server runs; with `keep` it stays locked."""
    deadline = time.monotonic() + PART_LIMIT_S
    while True:
        try:
            lock = DataDir.open(directory)
        except StartError:
            try:
                return call(directory, request, answer, CALL_LIMIT_S)
            except UserError:
                if time.monotonic() > deadline:
                    raise
                _remove_target(request)
                time.sleep(PART_PAUSE_S)
                continue
        done = False
        try:
            result = locked(lock)
            done = True
        except (OSError, StorageError, StartError) as error:
            raise UserError(f"cannot copy {directory}: {error}") from error
        finally:
            if not (done and keep):
                lock.close()
        return result


def _remove_target(request: Request) -> None:
    """Remove files that a server was writing when it died."""
    target = getattr(request, "target", None)
    if target is not None:
        shutil.rmtree(target, ignore_errors=True)


def sweep(directory: Path, prefix: str) -> None:
    """Remove the staging folders of processes that are gone."""
    for path in directory.glob(f"{prefix}*"):
        pid = path.name.removeprefix(prefix).partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except ValueError:
            continue
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except PermissionError:
            continue
