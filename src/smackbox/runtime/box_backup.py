"""A consistent back-up of a whole box, and the restore of a box from one.

The order is explained in `docs/decisions/0004-back-up.md`. In short: Kafka is staged first and its clients are held;
then each stream's checkpoint is copied, then Cassandra, then the rest; then Kafka's clients are released. So every
offset of a checkpoint is in the saved log, and every total of a checkpoint is in the saved tables. A table ahead of a
checkpoint is ahead by events that the saved log holds: the stream reads them again and writes the same totals.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from smackbox.backup.fetch import fetch
from smackbox.backup.manifest import Manifest
from smackbox.backup.repository import Repository
from smackbox.backup.save import Progress, Saved, SourceFile, nothing_shown, save
from smackbox.base.errors import UserError
from smackbox.runtime.box_parts import (
    copy_applications,
    copy_cassandra,
    copy_frameworks,
    copy_streams,
    flush_cassandra,
    hold_kafka,
    link_zookeeper,
    sweep,
)
from smackbox.runtime.supervisor import running
from smackbox.spark.replay.journal import State, changes_under_way
from smackbox.store.data_dir import DataDir
from smackbox.store.fs import Disk

STAGING_PREFIX = "backup-staging-"
BOX_ID = "box-id"
HOLD_S = 15.0
MOMENT_TRIES = 5
REPLAY_LIMIT_S = 60.0
REPLAY_POLL_S = 0.2
CLOCK_SLACK_MS = 1_000


def back_up(
    directory: Path,
    repository: Repository,
    *,
    progress: Progress = nothing_shown,
    before_saving: Callable[[], None] = lambda: None,
) -> Saved:
    """Save the box in `directory`, whether it runs or not. `before_saving` is called after the snapshot.

    Raises `UserError` if there is no box or a part does not answer, `StorageError` if the repository fails.
    """
    if not any((directory / part).is_dir() for part in ("kafka", "cassandra", "zookeeper")):
        raise UserError(f"there is no box in {directory}: `smack up` makes one, or say where it is (--dir)")
    with _staging(directory) as staging:
        files, taken_ms, held_ms = _moment(directory, staging)
        before_saving()
        facts = {"held_ms": str(held_ms)}
        return save(repository, files, box=_box_id(directory), taken_ms=taken_ms, facts=facts, progress=progress)


def back_up_server(
    part: Literal["kafka", "cassandra"],
    directory: Path,
    repository: Repository,
    *,
    progress: Progress = nothing_shown,
    before_saving: Callable[[], None] = lambda: None,
) -> Saved:
    """Save one server's data directory, whether it runs or not, as a back-up of this part alone.

    Raises `UserError` for a directory that is not such a server's, `StorageError`.
    """
    with _staging(directory, "-delete") as staging:  # a broker that starts sweeps folders of such a name
        taken_ms = time.time_ns() // 1_000_000
        if part == "kafka":
            held = hold_kafka(directory, staging, HOLD_S)
            held.resume()
            files = held.files
        else:
            files = copy_cassandra(directory, staging)
        if not files:
            raise UserError(f"{directory} is not a {part} server's data directory")
        before_saving()
        return save(repository, files, box=f"{part} {directory.resolve()}", taken_ms=taken_ms, progress=progress)


def restore(
    directory: Path,
    repository: Repository,
    manifest: Manifest,
    *,
    parts: tuple[str, ...] = (),
    progress: Progress = nothing_shown,
) -> int:
    """Write a back-up into a directory that has none of its parts; returns the number of bytes.

    Raises `UserError` while a box runs there, where it holds something already, where the back-up is not whole, and
    where this machine's clock is behind the back-up's: what streams write next would lose against what is there.
    """
    if running(directory):
        raise UserError(f"a box is running in {directory}: stop it, or restore into another directory (--dir)")
    if time.time() * 1000 + CLOCK_SLACK_MS < manifest.taken_ms:
        raise UserError(
            f"the clock of this machine is behind the back-up {manifest.id}: set it right first, for what is written "
            "with an earlier time would not replace what the back-up has"
        )
    directory.mkdir(parents=True, exist_ok=True)
    lock = DataDir.open(directory)
    try:
        return fetch(repository, manifest, directory, parts=parts, progress=progress)
    finally:
        lock.close()


def _moment(directory: Path, staging: Path) -> tuple[list[SourceFile], int, int]:
    """The files of one moment, its time in ms since 1970, and for how many ms Kafka's clients were held."""
    for attempt in range(MOMENT_TRIES):
        folder = staging / str(attempt)
        folder.mkdir()
        states = _settled(directory)
        flush_cassandra(directory / "cassandra")
        taken_ms = time.time_ns() // 1_000_000
        began = time.monotonic()
        kafka = hold_kafka(directory / "kafka", folder, HOLD_S)
        was_held = False
        try:
            files = [
                *kafka.files,
                *copy_streams(directory / "streams", folder),
                *copy_cassandra(directory / "cassandra", folder),
                *link_zookeeper(directory / "zookeeper", folder),
            ]
        finally:
            was_held = _resumed(kafka.resume)
        if was_held and changes_under_way(directory) == (False, states):
            held_ms = round((time.monotonic() - began) * 1000)
            files += copy_frameworks(directory / "platform", folder)
            files += copy_applications(directory / "applications", folder)
            return files, taken_ms, held_ms
        shutil.rmtree(folder, ignore_errors=True)
    raise UserError(
        f"Kafka went on before the rest was copied, {MOMENT_TRIES} times: it was restarted each time, or the disk took "
        f"over {HOLD_S:.0f} s"
    )


def _settled(directory: Path) -> list[tuple[str, State]]:
    """The state of streams' replays, once none is being put in: a checkpoint and its table are one then."""
    deadline = time.monotonic() + REPLAY_LIMIT_S
    while True:
        is_busy, states = changes_under_way(directory)
        if not is_busy:
            return states
        if time.monotonic() > deadline:
            raise UserError(
                "a replay of a stream is being put in: back up when `smack replay status` says that it is in"
            )
        time.sleep(REPLAY_POLL_S)


def _resumed(resume: Callable[[], bool]) -> bool:
    """Whether nothing was served until now; false if the broker has died meanwhile, even if it is back."""
    try:
        return resume()
    except UserError:
        return False


@contextmanager
def _staging(directory: Path, suffix: str = "") -> Iterator[Path]:
    if not directory.is_dir():
        raise UserError(f"there is no directory {directory}")
    sweep(directory, STAGING_PREFIX)
    staging = directory.resolve() / f"{STAGING_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}{suffix}"
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _box_id(directory: Path) -> str:
    """The box's id, created at its first back-up; a restored box gets another one."""
    path = directory / BOX_ID
    known = Disk().read(path).decode().strip()
    if not known:
        known = uuid.uuid4().hex
        Disk().replace(path, known.encode())
    return known
