"""CREATE and DROP of functions, aggregates and triggers: they are not supported, and each is rejected with Cassandra's
error text.
"""

from __future__ import annotations

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import Result, Void
from smackbox.cassandra.state.catalog import is_system
from smackbox.cassandra.state.schema import Keyspace
from smackbox.cassandra.state.type_names import resolve
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import ConfigFault, Invalid

_DISABLED = "User-defined functions are disabled in cassandra.yaml - set user_defined_functions_enabled=true to enable"


def create_function(statement: ast.CreateFunction, session_keyspace: str | None, _: Context) -> Result:
    """CREATE FUNCTION. Raises `Invalid`."""
    _check_directives(statement)
    _keyspace_name(statement.keyspace, session_keyspace)
    raise Invalid(_DISABLED)


def create_aggregate(statement: ast.CreateAggregate, session_keyspace: str | None, context: Context) -> Result:
    """CREATE AGGREGATE. Raises `Invalid`, as there is no state function."""
    _check_directives(statement)
    name = _keyspace_name(statement.keyspace, session_keyspace)
    keyspace = context.state.catalog.keyspaces.get(name)
    if keyspace is None:
        raise ConfigFault(f"Keyspace {name} doesn't exist")
    kinds = [resolve(each, keyspace.types, name) for each in (*statement.arguments, statement.state_type)]
    taken = ", ".join(kind.unfrozen_name() for kind in (kinds[-1], *kinds[:-1]))
    raise Invalid(f"State function {name}.{statement.state_function}({taken}) doesn't exist")


def create_trigger(statement: ast.CreateTrigger, keyspace: Keyspace, _: Context) -> Result:
    """CREATE TRIGGER. Raises `Invalid`: triggers are Java classes."""
    if statement.table not in keyspace.tables:
        raise Invalid(f"Table '{statement.table}' doesn't exist")
    raise Invalid(f"Trigger class '{statement.trigger_class}' couldn't be loaded")


def drop_trigger(statement: ast.DropTrigger, keyspace: Keyspace, _: Context) -> Result:
    """DROP TRIGGER. Raises `Invalid`."""
    if statement.if_exists:
        return Void()
    raise Invalid(f"Trigger '{statement.name}' on '{keyspace.name}.{statement.table}' doesn't exist")


def drop_function(statement: ast.DropFunction, session_keyspace: str | None, context: Context) -> Result:
    """DROP FUNCTION. Raises `Invalid`, as there are only built-in functions."""
    name = _keyspace_name(statement.keyspace, session_keyspace)
    shown = f"{name}.{statement.name}"
    if statement.arguments is not None:
        keyspace = context.state.catalog.keyspaces.get(name)
        types = keyspace.types if keyspace is not None else {}
        kinds = [resolve(argument, types, name) for argument in statement.arguments]
        for argument, kind in zip(statement.arguments, kinds, strict=True):
            if argument.frozen:
                raise Invalid(f"Argument '{kind.cql}' cannot be frozen; remove frozen<> modifier from '{kind.cql}'")
        shown += f"({', '.join(kind.unfrozen_name() for kind in kinds)})"
    if statement.if_exists:
        return Void()
    raise Invalid(f"{statement.kind} '{shown}' doesn't exist")


def _check_directives(statement: ast.CreateFunction | ast.CreateAggregate) -> None:
    if statement.or_replace and statement.if_not_exists:
        raise Invalid("Cannot use both 'OR REPLACE' and 'IF NOT EXISTS' directives")


def _keyspace_name(given: str | None, session_keyspace: str | None) -> str:
    name = given or session_keyspace
    if name is None:
        raise Invalid("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
    if is_system(name):
        raise Invalid(f"System keyspace '{name}' is not user-modifiable")
    return name
