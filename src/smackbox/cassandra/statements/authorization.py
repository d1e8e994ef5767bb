"""Which permissions a statement requires, by its type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smackbox.cassandra.execution.access import ALL_TABLES, Access
from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.wire.cql import ast

_TABLES: dict[type, tuple[str, str]] = {
    ast.CreateTable: ("CREATE", ALL_TABLES),
    ast.AlterTable: ("ALTER", "name"),
    ast.DropTable: ("DROP", "name"),
    ast.CreateIndex: ("ALTER", "table"),
    ast.Truncate: ("MODIFY", "table"),
    ast.CreateType: ("CREATE", ALL_TABLES),
    ast.AlterType: ("ALTER", ALL_TABLES),
    ast.DropType: ("DROP", ALL_TABLES),
}
_KEYSPACES: dict[type, str] = {ast.AlterKeyspace: "ALTER", ast.DropKeyspace: "DROP"}


def access_of(statement: ast.Statement, session_keyspace: str | None, catalog: Catalog) -> tuple[Access, ...]:
    """The required permissions; none for a statement that lacks its keyspace, as it will be rejected anyway."""
    return tuple(_access_of(statement, session_keyspace, catalog))


def _access_of(statement: Any, session_keyspace: str | None, catalog: Catalog) -> Iterator[Access]:
    kind = type(statement)
    if kind is ast.Batch:
        for inner in statement.statements:
            yield from _access_of(inner, session_keyspace, catalog)
        return
    if kind is ast.CreateKeyspace:
        yield Access("CREATE")
        return
    if kind in _KEYSPACES:
        yield Access(_KEYSPACES[kind], statement.name)
        return
    keyspace = getattr(statement, "keyspace", None) or session_keyspace
    if keyspace is None:
        return
    if kind is ast.Select:
        yield Access("SELECT", keyspace, _base_table(catalog, keyspace, statement.table))
    elif isinstance(statement, ast.Insert | ast.Update | ast.Delete):
        yield Access("MODIFY", keyspace, statement.table)
        if _is_conditional(statement):
            yield Access("SELECT", keyspace, statement.table)
    elif kind is ast.CreateView:
        yield Access("ALTER", keyspace, statement.select.table)
    elif kind in {ast.AlterView, ast.DropView}:
        yield Access("ALTER", keyspace, _base_table(catalog, keyspace, statement.name))
    elif kind is ast.DropIndex:
        yield Access("ALTER", keyspace, statement.name, of_index=True)
    elif kind in _TABLES:
        permission, where = _TABLES[kind]
        yield Access(permission, keyspace, ALL_TABLES if where == ALL_TABLES else getattr(statement, where))


def _is_conditional(statement: ast.Modification) -> bool:
    if isinstance(statement, ast.Insert):
        return statement.if_not_exists
    return statement.if_exists or bool(statement.conditions)


def _base_table(catalog: Catalog, keyspace: str, name: str) -> str:
    """The base table of a view: its permissions apply to the view."""
    owner = catalog.keyspaces.get(keyspace)
    table = owner.tables.get(name) if owner is not None else None
    return table.base_table if table is not None and table.base_table is not None else name
