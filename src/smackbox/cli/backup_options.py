"""Options shared by the back-up commands: the repository and its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smackbox.backup.key import KEY_VARIABLE, read_key
from smackbox.base.errors import SettingError, StorageError, UserError

if TYPE_CHECKING:
    from smackbox.backup.repository import Repository

key_option: Callable[..., Any] = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"A file with the key that encrypts the back-ups.  [default: {KEY_VARIABLE}, else no encryption]",
)
until_option: Callable[..., Any] = click.option(
    "--until", metavar="TIMESTAMP", help="A moment, such as 2026-01-31T12:00:00Z; without an offset it is UTC."
)


def opened(place: str, key_file: Path | None, *, create: bool = False) -> Repository:
    """The repository at a folder or URL. Raises `UserError` if there is none, and `StorageError`."""
    from smackbox.backup.repository import Repository
    from smackbox.store.objects import MissingObjectError, open_objects

    objects, key = open_objects(place), read_key(key_file)
    if create:
        return Repository.create_or_open(objects, key)
    try:
        return Repository.open(objects, key)
    except MissingObjectError as error:
        raise UserError(f"there are no back-ups in {objects.url}") from error


def moment_of(text: str | None, option: str = "--until") -> float | None:
    """Seconds since 1970 of an option's ISO 8601 timestamp; None for none. Raises `SettingError`."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingError(f"{option} {text}: write it as 2026-01-31T12:00:00Z or 2026-01-31") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns a store's errors into a `UserError` of one line."""
    try:
        yield
    except StorageError as error:
        raise UserError(str(error)) from error
