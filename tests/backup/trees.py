"""A tree of files as what is to be saved, and as what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from smackbox.backup.save import SourceFile


def sources(box: Path) -> list[SourceFile]:
    return list(_sources(box))


def _sources(box: Path) -> Iterator[SourceFile]:
    for path in sorted(box.rglob("*")):
        if path.is_file():
            yield SourceFile(path.relative_to(box).as_posix(), path, path.stat().st_size)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
