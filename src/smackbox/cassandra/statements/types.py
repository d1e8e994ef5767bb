"""CREATE, ALTER and DROP TYPE."""

from __future__ import annotations

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import Result, SchemaChange, Void
from smackbox.cassandra.state.schema import Keyspace, TypeRecord
from smackbox.cassandra.state.type_names import resolve
from smackbox.cassandra.statements.names import check_writable
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import COUNTER, CqlType, UserType, quoted


def create_type(statement: ast.CreateType, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    if statement.name in keyspace.types:
        if statement.if_not_exists:
            return Void()
        raise Invalid(f"A user type with name '{statement.name}' already exists")
    fields: dict[str, str] = {}
    for name, type_name in statement.fields:
        if name in fields:
            raise Invalid(f"Duplicate field name '{name}' in type '{statement.name}'")
        fields[name] = _field_type(type_name, keyspace).cql
    context.state.catalog.put_type(TypeRecord(keyspace.name, statement.name, tuple(fields.items())))
    return SchemaChange("CREATED", "TYPE", keyspace.name, statement.name)


def _field_type(type_name: ast.TypeName, keyspace: Keyspace) -> CqlType:
    kind = resolve(type_name, keyspace.types, keyspace.name)
    if kind == COUNTER:
        raise Invalid("A user type cannot contain counters")
    if kind.option == 0x30 and kind.multi_cell:
        raise Invalid("A user type cannot contain non-frozen UDTs")
    return kind


def alter_type(statement: ast.AlterType, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    user_type = keyspace.types.get(statement.name)
    if user_type is None:
        if statement.if_exists:
            return Void()
        raise Invalid(f"Type {keyspace.name}.{statement.name} doesn't exist")
    shown = f"{keyspace.name}.{user_type.name}"
    fields = [(name, part.cql) for name, part in zip(user_type.field_names, user_type.parts, strict=True)]
    if statement.action == "alter":
        raise Invalid("Altering field types is no longer supported")
    if statement.action == "add":
        name, type_name = statement.fields[0]
        is_there = name in user_type.field_names
        kind = _field_type(type_name, keyspace)
        tables = _keyed_by(user_type, keyspace)
        if tables:
            raise Invalid(
                f"Cannot add new field {name} of type {kind.cql} to user type {shown} as the type "
                f"is being used in partition key by the following tables: {', '.join(tables)}"
            )
        if is_there and statement.if_field:
            return Void()
        if is_there:
            raise Invalid(f"Cannot add field {name} to type {shown}: a field with name {name} already exists")
        if kind.references(user_type.name):
            raise Invalid(
                f"Cannot add new field {name} of type {kind.cql} to user type {shown} as it "
                "would create a circular reference"
            )
        fields.append((name, kind.cql))
    for old, new in statement.renames:
        names = [name for name, _ in fields]
        if old not in names:
            if statement.if_field:
                continue
            raise Invalid(f"Unkown field {old} in user type {shown}")
        if new in names:
            raise Invalid(f"Duplicate field name {new} in type {shown}")
        fields[names.index(old)] = (new, fields[names.index(old)][1])
    context.state.catalog.put_type(TypeRecord(keyspace.name, user_type.name, tuple(fields)))
    return SchemaChange("UPDATED", "TYPE", keyspace.name, user_type.name)


def _keyed_by(user_type: UserType, keyspace: Keyspace) -> list[str]:
    """The tables whose partition key contains the type."""
    return [
        f"{keyspace.name}.{table.name}"
        for table in keyspace.tables.values()
        if any(column.type == user_type or column.type.references(user_type.name) for column in table.partition_key)
    ]


def drop_type(statement: ast.DropType, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    if statement.name not in keyspace.types:
        if statement.if_exists:
            return Void()
        raise Invalid(f"Type '{keyspace.name}.{statement.name}' doesn't exist")
    shown = f"{keyspace.name}.{quoted(statement.name)}"
    users = [
        user_type.name
        for user_type in keyspace.types.values()
        if user_type.name != statement.name and any(part.references(statement.name) for part in user_type.parts)
    ]
    if users:
        raise Invalid(f"Cannot drop user type '{shown}' as it is still used by user types {', '.join(users)}")
    tables = [
        table.name
        for table in keyspace.tables.values()
        if any(column.type.references(statement.name) for column in table.columns)
    ]
    if tables:
        raise Invalid(f"Cannot drop user type '{shown}' as it is still used by tables {', '.join(tables)}")
    context.state.catalog.drop_type(keyspace, statement.name)
    return SchemaChange("DROPPED", "TYPE", keyspace.name, statement.name)
