"""The records of a topic that retention took, read again from the files of its archive.

A line of a file has a value and no offset, so an archive can be cut only where one of its batches ends: at the offsets
that its checkpoint names. All files that begin before them are read, and the topic from there on.

The files come by the hour of their records, and in an hour by partition, so that partitions are in step.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from smackbox.base.archive_name import HOUR_MS, ArchiveName, NamedFile
from smackbox.base.errors import StorageError
from smackbox.spark.streaming.archive_files import unpack
from smackbox.spark.streaming.errors import AwayError, DataLossError
from smackbox.spark.streaming.inputs.input import OwnRecord
from smackbox.store.objects import MissingObjectError, open_objects

PlaceInFiles = tuple[int, int]
"""The number of a file, and of a line in it."""

_BASE64 = msgspec.json.Decoder(dict[str, str])


def archived_files(to: str, topic: str, ends: Mapping[int, int], from_ms: int | None) -> list[NamedFile]:
    """The archive's files of records before `ends` (by partition), with `from_ms` those of that hour and later.

    Raises `DataLossError` where the archive does not reach back to there, or has files of two histories of the topic,
    and `StorageError`.
    """
    names = ArchiveName(to)
    files: list[NamedFile] = []
    early: dict[int, int] = {}
    for info in open_objects(names.place).list():
        file = names.parse(info.key)
        if file is None or file.topic not in {None, topic} or file.first >= ends.get(file.partition, 0):
            continue
        if file.beside:
            raise DataLossError(
                f"the archive {to} has files of two histories of {topic} ({file.key}): the topic was restored from a "
                "back-up, and offsets mean other records since then. Move those of the former one away first"
            )
        early[file.partition] = min(file.first, early.get(file.partition, file.first))
        if from_ms is not None and file.hour_ms is not None and file.hour_ms + HOUR_MS <= from_ms:
            early[file.partition] = 0  # it reaches back further than is asked for
            continue
        files.append(file)
    for partition, end in ends.items():
        if end > 0 and early.get(partition, end) > 0:
            raise DataLossError(
                f"partition {partition} of {topic}: the archive {to} begins at offset {early.get(partition, end)}, and "
                "what was before is neither there nor in the topic"
            )
    return sorted(files, key=lambda file: (file.hour_ms or 0, file.first if file.hour_ms is None else 0,
                                           file.partition, file.first))  # fmt: skip


class ArchiveReader:
    """Reads `keys` of the archive one after another, a line a record."""

    def __init__(self, to: str, topic: str, keys: Sequence[str]) -> None:
        self._names = ArchiveName(to)
        self._objects = open_objects(self._names.place)
        self._topic = topic
        self._keys = keys
        self._open: tuple[int, list[bytes]] = (-1, [])

    def is_end(self, place: PlaceInFiles) -> bool:
        """Whether nothing comes at a place or behind it."""
        return place[0] >= len(self._keys)

    def left(self, place: PlaceInFiles) -> int:
        """How many files are still to be read."""
        return max(0, len(self._keys) - place[0])

    def take(self, place: PlaceInFiles, rows: int) -> tuple[list[OwnRecord], PlaceInFiles]:
        """About `rows` records from a place on, and the place after them. Raises `AwayError`, `DataLossError`."""
        records: list[OwnRecord] = []
        file, line = place
        while len(records) < rows and file < len(self._keys):
            lines = self._lines(file)
            part = lines[line : line + rows - len(records)]
            records += self._records(file, line, part)
            line += len(part)
            if line >= len(lines):
                file, line = file + 1, 0
        return records, (file, line)

    def read(self, first: PlaceInFiles, after: PlaceInFiles) -> list[OwnRecord]:
        """The records from one place up to another."""
        records: list[OwnRecord] = []
        for file in range(first[0], min(after[0] + 1, len(self._keys))):
            begin = first[1] if file == first[0] else 0
            end = after[1] if file == after[0] else None
            records += self._records(file, begin, self._lines(file)[begin:end])
        return records

    def _records(self, file: int, line: int, lines: Sequence[bytes]) -> list[OwnRecord]:
        key = self._keys[file]
        named = self._names.parse(key)
        assert named is not None, "the files were found by their names"
        return [
            OwnRecord(_value(data), self._topic, named.partition, f"{key}:{number}")
            for number, data in enumerate(lines, start=line + 1)
        ]

    def _lines(self, file: int) -> list[bytes]:
        if self._open[0] != file:
            key = self._keys[file]
            try:
                content = unpack(self._objects.get(key), key)
            except MissingObjectError as error:
                raise DataLossError(f"the file {key} of the archive is gone: begin the replay again") from error
            except StorageError as error:
                raise AwayError(str(error)) from error
            self._open = (file, content.split(b"\n")[:-1] if content.endswith(b"\n") else content.split(b"\n"))
        return self._open[1]


def _value(line: bytes) -> bytes:
    """The record's value: what spanned lines and was no JSON is in base64."""
    if line.startswith(b'{"base64":'):
        try:
            found: Any = _BASE64.decode(line)
            if found.keys() == {"base64"}:
                return base64.b64decode(found["base64"], validate=True)
        except (msgspec.DecodeError, ValueError):
            pass
    return line
