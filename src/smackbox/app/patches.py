"""Patches of an application's tables: each corrects existing rows, once.

    @app.patch(events, where="type = 'view' ALLOW FILTERING")
    def no_negative_prices(row: Event) -> Event:
        return msgspec.structs.replace(row, price=max(row.price, 0))

A patch's name is its identity: the ledger in the application's keyspace records under it that the patch was run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, get_type_hints

import msgspec

from smackbox.app.repeatable import check_condition, check_table
from smackbox.base.errors import SettingError

F = TypeVar("F", bound=Callable[..., Any])


class Delete:
    """The result of a patch's function for a row to delete."""

    def __repr__(self) -> str:
        return "DELETE"


DELETE = Delete()


class _NamedTable(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def cql(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Patch:
    """`function` of each row of `table` where `where` holds, or of each event of the topic `source`.

    `rows` is the type of the rows, whose fields are the columns that are read and may change.
    """

    name: str
    table: Any
    function: Callable[[Any], Any]
    rows: type[msgspec.Struct]
    where: str | None
    source: Any


class PatchDeclarations:
    """`app.patch`."""

    __slots__ = ()

    patches: list[Patch]

    def patch(self, table: _NamedTable, *, where: str | None = None, source: Any = None) -> Callable[[F], F]:
        """Declare a patch of a table; `smack patch` runs it, once.

        The decorated function gets a row, whose type is that of its argument: a `msgspec.Struct` with the primary key
        among its fields. It returns the row as it should be, None to leave it, or `DELETE`. `where` is a condition of
        CQL. With `source=topic` it gets each event instead, and returns the row to write, several, or None.

        Raises `SettingError`, with an alternative, for a patch that cannot be repeated safely.
        """

        def declare(function: F) -> F:
            name = function.__name__
            check_table(table.name, table.cql)
            if where is not None:
                check_condition(f"patch {name}", where)
            if where is not None and source is not None:
                raise SettingError(f"patch {name}: where= chooses rows; of events the function chooses, by None")
            if source is not None and not hasattr(source, "partitions"):
                raise SettingError(f"patch {name}: source= must be a topic of the application")
            if any(patch.name == name for patch in self.patches):
                raise SettingError(f"the patch {name} is declared twice")
            self.patches.append(Patch(name, table, function, _row_type(function, table, source), where, source))
            return function

        return declare

    def find_patch(self, name: str) -> Patch:
        """The patch of that name. Raises `SettingError`."""
        for patch in self.patches:
            if patch.name == name:
                return patch
        names = ", ".join(patch.name for patch in self.patches) or "none"
        raise SettingError(f"no patch {name!r}; there is {names}")


def check_patch(patch: Patch, streams: list[Any]) -> None:
    """Raises `SettingError` for a patch of totals: the stream would overwrite the patched values."""
    for stream in streams:
        keeps_totals = stream.function is not None or (stream.flow is not None and stream.flow.keys is not None)
        if keeps_totals and patch.table in stream.targets:
            raise SettingError(
                f"patch {patch.name}: the totals of {patch.table.name} are kept by the stream {stream.name}, which "
                "writes them whole with its next batch: mend its function, then "
                f"`smack replay APP --stream {stream.name}`"
            )


def _row_type(function: Callable[..., Any], table: Any, source: Any) -> type[msgspec.Struct]:
    """The rows' type: the argument's type, for events the return type, else the table's event type."""
    name = getattr(function, "__name__", "patch")
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 1:
        raise SettingError(f"patch {name}: its function takes one argument, a row or an event")
    try:
        hints = get_type_hints(function)
    except Exception as error:
        raise SettingError(f"patch {name}: its types cannot be read: {error}") from error
    found = hints.get(parameters[0]) if source is None else getattr(table, "event", None)
    found = found if found is not None else getattr(table, "event", None)
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
        raise SettingError(
            f"patch {name}: say of which type a row is, as `def {name}(row: Row) -> Row`, where Row is a "
            "msgspec.Struct whose fields are columns"
        )
    return found
