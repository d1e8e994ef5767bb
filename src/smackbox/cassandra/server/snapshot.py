"""Takes a copy of a server's data as of one moment, and restores it.

The copy is a checkpoint of the store: immutable files are hard-linked, so that it takes little time and initially no
space; on another file system they are copied. A server started on it has everything that was acknowledged.

Restoring links or copies those files into the directory of a stopped server, beside its data, and then renames. After a
crash at any point, the directory has either the old data or the snapshot's.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec

from smackbox.base.errors import StartError, UserError
from smackbox.store.data_dir import DataDir
from smackbox.store.fs import Disk
from smackbox.store.rocks import RocksStore

STORE = "data"
SNAPSHOTS = "snapshots"
_RESTORED = "restored"
_REPLACED = "replaced"
_NAME = re.compile(r"[\w.-]+")
EXPIRES = "expires"
_TTL = re.compile(r"(\d{1,9})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
# like Cassandra's `cassandra.snapshot.min_allowed_ttl_seconds`
SHORTEST_TTL_S = 60


class Snapshot(NamedTuple):
    """A named snapshot. Times are seconds since 1970; `expires_s` is None if it is kept until it is cleared."""

    name: str
    taken_s: float
    bytes: int
    expires_s: int | None


class Copied(msgspec.Struct, frozen=True):
    """How much was copied or linked, in files and bytes."""

    files: int
    bytes: int


def take(store: RocksStore, target: Path) -> Copied:
    """Take a checkpoint of `store` as the data directory `target`, which must not exist or must be empty. Raises
    `OSError`.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise OSError(f"{target} is not empty")
    try:
        store.checkpoint(target / STORE)
    except Exception as error:  # rocksdict raises bare Exception for every RocksDB status
        if type(error) is not Exception:
            raise
        raise OSError(str(error)) from error
    sizes = [entry.stat().st_size for entry in os.scandir(target / STORE)]
    return Copied(len(sizes), sum(sizes))


def named(directory: Path, name: str) -> Path:
    """The directory of the snapshot of that name. Raises `UserError` for an invalid name."""
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise UserError(f"a snapshot's name consists of letters, digits, - _ and dots, not {name!r}")
    return directory / SNAPSHOTS / name


def snapshots(directory: Path) -> list[Snapshot]:
    """The named snapshots, oldest first.

    Raises `UserError` for a directory that holds neither data nor snapshots.
    """
    if not ((directory / SNAPSHOTS).is_dir() or (directory / STORE / "CURRENT").exists()):
        raise UserError(f"{directory} is not a Cassandra server's data directory")
    named_snapshots = []
    for path in (directory / SNAPSHOTS).glob(f"*/{STORE}/CURRENT"):
        size = sum(entry.stat().st_size for entry in os.scandir(path.parent))
        named_snapshots.append(Snapshot(path.parents[1].name, path.stat().st_mtime, size, _expiry_s(path.parents[1])))
    return sorted(named_snapshots, key=lambda snapshot: snapshot.taken_s)


def ttl_s(text: str) -> int:
    """Seconds of `30d`, `12h`, `90m` or `600s`. Raises `UserError` for an invalid duration, and for less than a
    minute.
    """
    parts = _TTL.fullmatch(text)
    if parts is None:
        raise UserError(f"a snapshot's time to live is a number and s, m, h or d, not {text!r}")
    seconds = int(parts.group(1)) * _SECONDS[parts.group(2)]
    if seconds < SHORTEST_TTL_S:
        raise UserError(f"a snapshot's time to live is at least {SHORTEST_TTL_S} s, not {text}")
    return seconds


def let_expire(snapshot: Path, at_s: int) -> None:
    """Mark the snapshot to expire at `at_s`: the server, or the next listing, removes it then."""
    Disk().replace(snapshot / EXPIRES, f"{at_s}\n".encode())


def clear_expired(directory: Path, now_s: float) -> list[str]:
    """Remove the expired snapshots; returns their names."""
    if not (directory / SNAPSHOTS).is_dir():
        return []
    expired = [
        snapshot.name
        for snapshot in snapshots(directory)
        if snapshot.expires_s is not None and snapshot.expires_s <= now_s
    ]
    for name in expired:
        shutil.rmtree(directory / SNAPSHOTS / name, ignore_errors=True)
    return expired


def _expiry_s(snapshot: Path) -> int | None:
    try:
        return int((snapshot / EXPIRES).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"{snapshot / EXPIRES} has no valid time: {error}") from error


def clear(directory: Path, name: str) -> int:
    """Remove the snapshot of that name, or all for ''; returns their number. Raises `UserError` if there is none."""
    if not name:
        count = len(snapshots(directory))
        shutil.rmtree(directory / SNAPSHOTS, ignore_errors=True)
        return count
    path = named(directory, name)
    if not path.is_dir():
        raise UserError(f"there is no snapshot {name} in {directory / SNAPSHOTS}")
    shutil.rmtree(path)
    return 1


def restore(directory: Path, source: Path) -> int:
    """Replace the data in `directory` with the snapshot in `source`; returns the bytes copied. Raises `UserError`."""
    if not (source / STORE / "CURRENT").exists():
        raise UserError(f"{source} is not a snapshot")
    try:
        held = DataDir.open(directory)
    except StartError as error:
        raise UserError(f"cannot restore: {error}") from error
    try:
        fresh = directory / _RESTORED
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(directory / _REPLACED, ignore_errors=True)
        fresh.mkdir()
        for entry in os.scandir(source / STORE):
            _link_or_copy(Path(entry.path), fresh / entry.name)
        if (directory / STORE).exists():
            (directory / STORE).rename(directory / _REPLACED)
        finish_restoring(directory)
        return sum(entry.stat().st_size for entry in os.scandir(directory / STORE))
    except OSError as error:
        raise UserError(f"cannot restore {source}: {error}") from error
    finally:
        held.close()


def finish_restoring(directory: Path) -> None:
    """Rename the restored data if the old data have already been renamed; remove the old data."""
    if (directory / _RESTORED).exists() and not (directory / STORE).exists():
        (directory / _RESTORED).rename(directory / STORE)
        shutil.rmtree(directory / _REPLACED, ignore_errors=True)


def _link_or_copy(source: Path, target: Path) -> None:
    if source.suffix == ".sst":
        try:
            target.hardlink_to(source)
        except OSError:
            pass  # another file system
        else:
            return
    shutil.copy2(source, target)
