"""Finds missing or damaged parts of a back-up before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from smackbox.backup.manifest import Manifest, SavedFile
from smackbox.backup.repository import Repository
from smackbox.base.errors import StorageError, UserError

WORKERS = 4
NAMED_FILES = 5
"""So many files are named in one message; the rest is counted."""


class Fault(NamedTuple):
    """A file of a back-up that cannot be restored, and why."""

    path: str
    why: str


def faults(repository: Repository, manifest: Manifest, files: Iterable[SavedFile], *, read: bool) -> list[Fault]:
    """The files that cannot be restored. With `read`, every object is read and compared with its name as well."""
    kept = list(files)
    present = repository.stored()
    broken = {
        name: "the object %s is %s" % (name[:16], "missing" if name not in present else "cut or changed")  # noqa: UP031
        for file in kept
        for name in file.objects
        if present.get(name) != manifest.objects.get(name)
    }
    if read:
        broken |= dict(_unreadable(repository, {name for file in kept for name in file.objects} - broken.keys()))
    return [Fault(file.path, broken[name]) for file in kept if (name := _first(file.objects, broken)) is not None]


def refuse_faults(repository: Repository, manifest: Manifest, found: list[Fault]) -> None:
    """Raises `UserError` that names missing files, if there are any."""
    if not found:
        return
    named = "; ".join(f"{fault.path} ({fault.why})" for fault in found[:NAMED_FILES])
    more = f"; and {len(found) - NAMED_FILES} more files" if len(found) > NAMED_FILES else ""
    raise UserError(f"the back-up {manifest.id} in {repository.url} is not whole: {named}{more}")


def _first(names: Iterable[str], broken: dict[str, str]) -> str | None:
    return next((name for name in names if name in broken), None)


def _unreadable(repository: Repository, names: set[str]) -> Iterator[tuple[str, str]]:
    def why(name: str) -> str:
        try:
            repository.get(name)
        except StorageError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        ordered = sorted(names)
        for name, reason in zip(ordered, pool.map(why, ordered), strict=True):
            if reason:
                yield name, reason
