"""The records of a batch as files of an archive: which file each is in, and the bytes of a file.

A file has records of one partition whose own times lie in one hour of UTC, one per line, in offset order. A
line is the record's value as it is. A value that spans lines is written as compact JSON; one that is not JSON either is
a line `{"base64": "…"}`. A record without a value (a tombstone) makes no line.

The same records make the same files: nothing but the batch's ranges decides.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import zstandard

from smackbox.base.archive_name import HOUR_MS
from smackbox.base.errors import StorageError

GZIP_LEVEL = 6
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999; a record of a later time is in its last hour."""

ZSTD_LEVEL = 3


@dataclass(slots=True)
class ArchiveFile:
    """`hour_ms` is the begin of its hour in milliseconds since 1970; `first` the offset of its first record."""

    partition: int
    hour_ms: int
    first: int
    lines: list[bytes]


def files_of(messages: Iterable[Any]) -> list[ArchiveFile]:
    """The files of a batch's messages, which come in the order of each partition."""
    files: dict[tuple[int, int], ArchiveFile] = {}
    for message in messages:
        value = message.value()
        if value is None:
            continue
        partition, timestamp_ms = message.partition(), min(max(0, message.timestamp()[1]), LATEST_MS)
        hour_ms = timestamp_ms - timestamp_ms % HOUR_MS
        file = files.get((partition, hour_ms))
        if file is None:
            file = files[partition, hour_ms] = ArchiveFile(partition, hour_ms, message.offset(), [])
        file.lines.append(line_of(value))
    return list(files.values())


def line_of(value: bytes) -> bytes:
    """A value as one line, without its end."""
    if b"\n" not in value and b"\r" not in value:
        return value
    try:
        return msgspec.json.format(value, indent=-1)
    except msgspec.DecodeError:
        return msgspec.json.encode({"base64": base64.b64encode(value).decode()})


def pack(lines: list[bytes], key: str) -> bytes:
    """The bytes of a file, packed as its name says."""
    content = b"".join(line + b"\n" for line in lines)
    if key.endswith(".gz"):
        return gzip.compress(content, GZIP_LEVEL, mtime=0)
    if key.endswith(".zst"):
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress(content)
    return content


def unpack(data: bytes, key: str) -> bytes:
    """The content of a file. Raises `StorageError` where it is damaged."""
    try:
        if key.endswith(".gz"):
            return gzip.decompress(data)
        if key.endswith(".zst"):
            return zstandard.ZstdDecompressor().decompress(data)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise StorageError(f"the file {key} of the archive is damaged: {error}") from error
    return data
