"""Targets of an application's streams that are neither tables nor topics: files, an HTTP endpoint, a function.

`TargetDeclarations` is a part of `App`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from smackbox.app.names import check_name
from smackbox.app.repeatable import check_statement
from smackbox.base.errors import SettingError

OutputFormat = Literal["json", "parquet"]
Compression = Literal["none", "gz", "zst"]
REQUEST_ROWS_LIMIT = 100_000


@dataclass(frozen=True, slots=True)
class FileTarget:
    """Files below `url`, one for each batch."""

    name: str
    url: str
    format: OutputFormat
    compression: Compression
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """POSTs of at most `rows` rows to `url`."""

    name: str
    url: str
    headers: tuple[tuple[str, str], ...]
    rows: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class StatementTarget:
    """`cql` for each row, its fields as `:name`."""

    name: str
    cql: str


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """`function(batch, rows)`."""

    name: str
    function: Callable[[int, list[Any]], Any]


class TargetDeclarations:
    """The methods of `App` that declare targets."""

    __slots__ = ()

    def folder(
        self,
        name: str,
        url: str,
        *,
        format: OutputFormat = "json",  # noqa: A002 - Spark's word
        compression: Compression = "none",
        options: dict[str, str] | None = None,
    ) -> FileTarget:
        """Declare a folder or bucket that gets one file per batch: JSON lines or Parquet, written once, atomically.

        `options` say where a store is, as for `files`.
        """
        check_name("folder", name)
        if format not in get_args(OutputFormat):
            raise SettingError(f"folder {name}: format is json or parquet, not {format!r}")
        if compression not in get_args(Compression):
            raise SettingError(f"folder {name}: compression is none, gz or zst, not {compression!r}")
        if any(sign in url for sign in "*?["):
            raise SettingError(f"folder {name}: {url} is a pattern; name one folder")
        return FileTarget(name, url, format, compression, tuple(sorted((options or {}).items())))

    def http(
        self,
        name: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        rows: int = 500,
        timeout_s: float = 10.0,
    ) -> HttpTarget:
        """Declare an endpoint that gets each batch as JSON arrays of at most `rows`, with an `Idempotency-Key`.

        At least once: the key and the rows are the same when a batch is repeated.
        """
        check_name("http", name)
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingError(f"http {name}: {url!r} is not the URL of an HTTP endpoint")
        if not 1 <= rows <= REQUEST_ROWS_LIMIT or timeout_s <= 0:
            raise SettingError(f"http {name}: rows must be 1 to {REQUEST_ROWS_LIMIT}, timeout_s more than 0")
        return HttpTarget(name, url, tuple((headers or {}).items()), rows, timeout_s)

    def statement(self, name: str, cql: str) -> StatementTarget:
        """Declare a CQL statement in the application's keyspace, run for each row with its fields as `:name`.

        It must have the same effect when it runs again: counters, `x = x + …`, `now()` and `IF` are refused.
        """
        check_name("statement", name)
        check_statement(cql)
        return StatementTarget(name, cql)


def as_targets(given: Any) -> tuple[Any, ...]:
    """One target, or several, as a tuple; a plain function becomes a target with its name."""
    targets = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    if not targets:
        raise SettingError("a stream needs at least one target")
    for target in targets:
        if not hasattr(target, "name") and not callable(target):
            raise SettingError(f"{target!r} is no target: give a table, a topic, a folder, or a function")
    return tuple(
        FunctionTarget(getattr(target, "__name__", "function"), target)
        if callable(target) and not hasattr(target, "name")
        else target
        for target in targets
    )
