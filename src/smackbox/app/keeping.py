"""Copies of an application's data: archives of topics, and back-ups of the box."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from smackbox.base.archive_name import ArchiveName
from smackbox.base.errors import SettingError

ARCHIVE_EVERY = timedelta(minutes=5)
SHORTEST_BACKUP = timedelta(minutes=1)
_KEEP = re.compile(r"\d{1,6}[smhdw]", re.ASCII)


class _NamedTopic(Protocol):
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Archive:
    """The records of `topic` as files named by the template `to`; a file covers `every` at most."""

    name: str
    topic: str
    to: str
    every: timedelta


@dataclass(frozen=True, slots=True)
class BackUp:
    """A back-up of the box each `every`; those older than `keep` are deleted, none if it is None.

    `key_file` holds the encryption key; None means no encryption.
    """

    to: str
    every: timedelta
    keep: str | None
    key_file: str | None = None


class KeepingDeclarations:
    """`app.archive` and `app.backup`."""

    __slots__ = ()

    archives: list[Archive]
    backups: list[BackUp]

    def archive(self, source: _NamedTopic, *, to: str, every: timedelta = ARCHIVE_EVERY) -> Archive:
        """Declare that every record of a topic is archived once, in files of a folder or bucket.

        `to` names the files, such as `s3://bucket/{year}/{month}/{day}/{hour}-{partition}-{offset}.json.gz`. A line of
        a file is a record's value. A file is put when `every` has passed since the last one, or when it is large.
        """
        ArchiveName(to)
        if every <= timedelta(0):
            raise SettingError("an archive's every= must be positive")
        name = "archive_" + re.sub(r"[^a-z0-9_]", "_", source.name.lower())
        if any(archive.name == name for archive in self.archives):
            raise SettingError(f"the archive of {source.name} is declared twice")
        archive = Archive(name, source.name, to, every)
        self.archives.append(archive)
        return archive

    def backup(self, *, to: str, every: timedelta, keep: str | None = None, key_file: str | None = None) -> BackUp:
        """Declare that the box is backed up to a folder or a bucket, as `smack backup` does; a Chronos job.

        `keep`, such as `7d`, is the maximum age of a back-up before it is deleted. `key_file` is a file with the
        encryption key.
        """
        if every < SHORTEST_BACKUP:
            raise SettingError(f"a back-up's every= must be {SHORTEST_BACKUP} at least")
        if keep is not None and not _KEEP.fullmatch(keep):
            raise SettingError(f"a back-up's keep= is a number and s, m, h, d or w, such as 7d, not {keep!r}")
        if any(backup.to == to for backup in self.backups):
            raise SettingError(f"the back-up to {to} is declared twice")
        backup = BackUp(to, every, keep, key_file)
        self.backups.append(backup)
        return backup

    def find_archive(self, name: str) -> Archive:
        """The archive of that name. Raises `SettingError`."""
        for archive in self.archives:
            if archive.name == name:
                return archive
        names = ", ".join(archive.name for archive in self.archives) or "none"
        raise SettingError(f"no archive {name!r}; there is {names}")
