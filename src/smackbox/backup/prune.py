"""Deletes old back-ups, and the objects that no back-up needs any more.

The latest back-up of each box is kept, however old. Manifests are deleted first, then objects: a killed prune leaves
objects that the next one deletes, and never a back-up that lacks objects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from smackbox.backup.manifest import Listed
from smackbox.backup.repository import BACKUPS, OBJECTS, Repository
from smackbox.base.errors import SettingError

_AGE = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed: back-ups by their ids, and objects with their bytes as stored."""

    forgotten: tuple[str, ...]
    objects: int
    bytes: int


def age_s(text: str) -> int:
    """Seconds of `30m`, `12h`, `7d`, `4w`. Raises `SettingError` for another form."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise SettingError(f"an age is a number and s, m, h, d or w, such as 7d, not {text!r}")
    return int(match.group(1)) * _SECONDS[match.group(2)]


def prune(repository: Repository, keep_s: int, now_s: float) -> Pruned:
    """Delete the back-ups begun more than `keep_s` ago, except each box's latest, and the objects that only they used.

    Raises `UserError` while a back-up is being made, `StorageError` if a manifest cannot be read: nothing is deleted
    then, as it might be needed.
    """
    with repository.locked("prune", against="save", now_s=now_s) as check_lock:
        known = repository.backups()
        old: list[Listed] = []
        needed: set[str] = set()
        boxes: set[str] = set()
        for one in reversed(known):
            manifest = repository.read(one.id)
            if manifest.box in boxes and now_s - one.taken_s > keep_s:
                old.insert(0, one)
            else:
                boxes.add(manifest.box)
                needed.update(manifest.objects)
        for one in old:
            repository.forget(one.id)
        stored = repository.stored()
        unneeded = {name: size for name, size in stored.items() if name not in needed}
        check_lock()
        for name in unneeded:
            repository.drop(name)
        for folder in (BACKUPS, OBJECTS):
            repository.objects.sweep(folder)
    return Pruned(tuple(one.id for one in old), len(unneeded), sum(unneeded.values()))
