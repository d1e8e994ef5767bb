"""CREATE, ALTER and DROP KEYSPACE, and USE."""

from __future__ import annotations

from smackbox.cassandra.execution.consistency import replication_factors
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import Result, SchemaChange, SetKeyspace, Void
from smackbox.cassandra.state.replication import keyspace_options
from smackbox.cassandra.state.schema import KeyspaceRecord
from smackbox.cassandra.statements.names import check_keyspace_name, check_writable
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import AlreadyExists, Invalid


def create_keyspace(statement: ast.CreateKeyspace, context: Context) -> Result:
    catalog = context.state.catalog
    check_keyspace_name(statement.name)
    replication, durable = keyspace_options(statement.options, statement.name, _own_data_center(context))
    if statement.name in catalog.keyspaces:
        if statement.if_not_exists:
            return Void()
        raise AlreadyExists(statement.name)
    catalog.put_keyspace(KeyspaceRecord(statement.name, replication, durable))
    _warn_of_factor(statement.name, replication, context)
    return SchemaChange("CREATED", "KEYSPACE", statement.name)


def alter_keyspace(statement: ast.AlterKeyspace, context: Context) -> Result:
    catalog = context.state.catalog
    check_writable(statement.name)
    keyspace = catalog.keyspaces.get(statement.name)
    if keyspace is None:
        if statement.if_exists:
            return Void()
        raise Invalid(f"Keyspace '{statement.name}' doesn't exist")
    previous = (keyspace.record.replication, keyspace.record.durable_writes)
    replication, durable = keyspace_options(statement.options, statement.name, _own_data_center(context), previous)
    before = sum(replication_factors(keyspace.record.replication).values())
    catalog.put_keyspace(KeyspaceRecord(statement.name, replication, durable))
    _warn_of_factor(statement.name, replication, context)
    if sum(replication_factors(replication).values()) > before:
        context.warnings.append(
            "When increasing replication factor you need to run a full (-full) repair to distribute the data."
        )
    return SchemaChange("UPDATED", "KEYSPACE", statement.name)


def drop_keyspace(statement: ast.DropKeyspace, context: Context) -> Result:
    check_writable(statement.name)
    catalog = context.state.catalog
    if statement.name not in catalog.keyspaces:
        if statement.if_exists:
            return Void()
        raise Invalid(f"Keyspace '{statement.name}' doesn't exist")
    catalog.drop_keyspace(statement.name)
    return SchemaChange("DROPPED", "KEYSPACE", statement.name)


def _warn_of_factor(name: str, replication: dict[str, str], context: Context) -> None:
    for where, factor in replication_factors(replication).items():
        if factor > 1:
            of = "" if where == "replication_factor" else f" for datacenter {where}"
            context.warnings.append(
                f"Your replication factor {factor} for keyspace {name} is higher than the number of nodes 1{of}"
            )


def _own_data_center(context: Context) -> str:
    return context.state.system_rows.node.data_center


def use(statement: ast.Use, context: Context) -> Result:
    """USE. Raises `Invalid` when the keyspace does not exist."""
    if statement.keyspace not in context.state.catalog.keyspaces:
        raise Invalid(f"Keyspace '{statement.keyspace}' does not exist")
    return SetKeyspace(statement.keyspace)
