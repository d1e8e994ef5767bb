"""Statements on the schema, roles and sessions: which function executes each kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from smackbox.cassandra.execution.context import Context, ServerState
from smackbox.cassandra.execution.results import Result
from smackbox.cassandra.state.schema import Keyspace
from smackbox.cassandra.statements import functions, indexes, keyspaces, tables, types, views
from smackbox.cassandra.statements.describe import describe
from smackbox.cassandra.statements.roles import run_role_statement
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.role_statements import RoleStatement
from smackbox.cassandra.wire.errors import Invalid, Unauthorized

Run = Callable[[Context], Result]

# those that name a keyspace, or use the session's; they receive it
_IN_KEYSPACE: dict[type, Callable[[Any, Keyspace, Context], Result]] = {
    ast.CreateIndex: indexes.create_index,
    ast.DropIndex: indexes.drop_index,
    ast.CreateTable: tables.create_table,
    ast.AlterTable: tables.alter_table,
    ast.DropTable: tables.drop_table,
    ast.Truncate: tables.truncate,
    ast.CreateType: types.create_type,
    ast.AlterType: types.alter_type,
    ast.DropType: types.drop_type,
    ast.CreateView: views.create_view,
    ast.AlterView: views.alter_view,
    ast.DropView: views.drop_view,
    ast.CreateTrigger: functions.create_trigger,
    ast.DropTrigger: functions.drop_trigger,
}
# those that look up the keyspace themselves; they receive the session's
_IN_SESSION: dict[type, Callable[[Any, str | None, Context], Result]] = {
    ast.Describe: describe,
    ast.CreateFunction: functions.create_function,
    ast.CreateAggregate: functions.create_aggregate,
    ast.DropFunction: functions.drop_function,
}
_OF_KEYSPACES: dict[type, Callable[[Any, Context], Result]] = {
    ast.Use: keyspaces.use,
    ast.CreateKeyspace: keyspaces.create_keyspace,
    ast.AlterKeyspace: keyspaces.alter_keyspace,
    ast.DropKeyspace: keyspaces.drop_keyspace,
}


def definition(statement: Any, session_keyspace: str | None, state: ServerState) -> Run:
    """The function that executes the statement. Raises `Invalid` and `Unauthorized` for one that is not supported."""
    kind = type(statement)
    if kind in _IN_KEYSPACE:
        return partial(_run_in_keyspace, statement, session_keyspace)
    if kind in _OF_KEYSPACES:
        return partial(_OF_KEYSPACES[kind], statement)
    if isinstance(statement, RoleStatement):
        return partial(run_role_statement, statement, session_keyspace)
    if isinstance(statement, ast.Unsupported):
        if not state.security.authenticates:
            raise Unauthorized("You have to be logged in and not anonymous to perform this request")
        raise Invalid(f"{statement.what} is not supported by this server")
    return partial(_IN_SESSION[kind], statement, session_keyspace)


def no_keyspace() -> Invalid:
    """Cassandra's error for a name without a keyspace."""
    return Invalid("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")


def _run_in_keyspace(statement: Any, session_keyspace: str | None, context: Context) -> Result:
    name = statement.keyspace or session_keyspace
    if name is None:
        raise no_keyspace()
    keyspace = context.state.catalog.keyspaces.get(name)
    if keyspace is None:
        raise Invalid(f"Keyspace '{name}' doesn't exist")
    return _IN_KEYSPACE[type(statement)](statement, keyspace, context)
