"""The manifest of a back-up: its files, the objects of each file, and their sizes.

A manifest is written after all of its objects, so a back-up exists only once it has one. Its id is the time
at which it was begun, in UTC: ids sort by time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from smackbox.base.errors import StorageError, UserError

FORMAT = 1
ID_FORMAT = "%Y%m%dT%H%M%S"
_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z", re.ASCII)


class SavedFile(msgspec.Struct, frozen=True):
    """A file: its path in the box, its bytes, and its objects in order.

    `mtime_ns` and `inode` are those of the file on the disk when it was saved: a later back-up of the same box takes a
    file whose size and both are the same for unchanged.
    """

    path: str
    size: int
    objects: tuple[str, ...]
    mtime_ns: int = 0
    inode: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One back-up. Times are milliseconds since 1970; `objects` gives each object's bytes as it is stored."""

    id: str
    box: str
    taken_ms: int
    files: tuple[SavedFile, ...]
    objects: dict[str, int]
    format: int = FORMAT
    facts: dict[str, str] = {}

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self.files)

    @property
    def stored(self) -> int:
        """Bytes of the objects, as they are stored."""
        return sum(self.objects.values())

    @property
    def parts(self) -> dict[str, list[SavedFile]]:
        """The files by the first part of their paths: `kafka`, `cassandra`, `streams`, …"""
        found: dict[str, list[SavedFile]] = {}
        for file in self.files:
            found.setdefault(file.path.partition("/")[0], []).append(file)
        return found

    def select(self, parts: tuple[str, ...]) -> Iterator[SavedFile]:
        """The files of these parts, all where none is named. Raises `UserError` for a part that it has not."""
        there = self.parts
        for part in parts:
            if part not in there:
                raise UserError(f"the back-up {self.id} has no {part}; it has {', '.join(there) or 'nothing'}")
        for file in self.files:
            if not parts or file.path.partition("/")[0] in parts:
                yield file


class Listed(NamedTuple):
    """A back-up that a repository has: its id, and the moment of the id in seconds since 1970."""

    id: str
    taken_s: float


def id_of(taken_ms: int) -> str:
    """The id of a back-up begun at that time."""
    moment = datetime.fromtimestamp(taken_ms // 1000, UTC)
    return f"{moment:{ID_FORMAT}}.{taken_ms % 1000:03d}Z"


def listed(id_: str) -> Listed | None:
    """The back-up of an id; None for a name that is no id."""
    if not _ID.fullmatch(id_):
        return None
    try:
        moment = datetime.strptime(id_[:15], ID_FORMAT).replace(tzinfo=UTC)
        return Listed(id_, moment.timestamp() + int(id_[16:19]) / 1000)
    except ValueError:
        return None


def encode(manifest: Manifest) -> bytes:
    """As JSON."""
    return msgspec.json.encode(manifest)


def decode(data: bytes, name: str) -> Manifest:
    """Raises `StorageError` for an invalid manifest, or one of a later version."""
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version != FORMAT:
            raise StorageError(f"the back-up {name} has format {version}, this smackbox reads {FORMAT}: update it")
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise StorageError(f"the manifest of the back-up {name} is damaged: {error}") from error


class _Version(msgspec.Struct):
    format: int
