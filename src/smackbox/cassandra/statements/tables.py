"""CREATE, ALTER and DROP TABLE, and TRUNCATE."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from smackbox.cassandra.analysis.column_masks import DISABLED, attach
from smackbox.cassandra.analysis.duration_rules import holds_duration
from smackbox.cassandra.analysis.functions import FUNCTIONS
from smackbox.cassandra.analysis.terms import Scope
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import Result, SchemaChange, Void
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, REGULAR, STATIC, ColumnRecord
from smackbox.cassandra.state.schema import DroppedColumn, Keyspace, Table, TableRecord
from smackbox.cassandra.state.table_options import TABLE_DEFAULTS, table_options
from smackbox.cassandra.state.type_names import resolve
from smackbox.cassandra.statements.names import check_table_name, check_writable, new_id
from smackbox.cassandra.statements.view_changes import changed_views
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import AlreadyExists, ConfigFault, Invalid
from smackbox.cassandra.wire.types import COUNTER, CqlType, UserType

COLUMN_LIMIT = 2000


def create_table(statement: ast.CreateTable, keyspace: Keyspace, context: Context) -> Result:
    catalog = context.state.catalog
    check_writable(keyspace.name)
    if any(column.mask is not None for column in statement.columns) and not context.state.masking:
        raise Invalid(DISABLED)
    check_table_name(keyspace.name, statement.name)
    if statement.name in keyspace.tables:
        if statement.if_not_exists:
            return Void()
        raise AlreadyExists(keyspace.name, statement.name)
    if statement.compact_storage:
        raise Invalid("COMPACT STORAGE tables are not allowed starting with version 4.0")
    options = table_options(statement.options, TABLE_DEFAULTS)
    types = _column_types(statement, keyspace)
    _check_key(statement, types)
    columns = _column_records(statement, types)
    masks = {column.name: column.mask for column in statement.columns if column.mask is not None}
    if masks:
        empty = Table(TableRecord(keyspace.name, statement.name, UUID(int=0), 0, columns, options, 0), types)
        scope = Scope(keyspace, empty, 0, FUNCTIONS)
        columns = tuple(
            replace(column, mask=attach(masks.get(column.name), column.name, types[column.name], scope))
            for column in columns
        )
    counters = [name for name, kind in types.items() if kind == COUNTER]
    keys = {*statement.partition_key, *statement.clustering}
    if counters:
        plain = [name for name in types if name not in keys and name not in counters]
        if plain:
            raise Invalid("Cannot mix counter and non counter columns in the same table")
        if options["default_time_to_live"] != "0":
            raise Invalid("Cannot set default_time_to_live on a table with counters")
    record = TableRecord(
        keyspace.name,
        statement.name,
        new_id(statement.options, context, "Invalid table id"),
        catalog.new_number(),
        columns,
        options,
        sum(1 for column in columns if column.number >= 0),
    )
    catalog.put_table(record)
    return SchemaChange("CREATED", "TABLE", keyspace.name, statement.name)


def _column_types(statement: ast.CreateTable, keyspace: Keyspace) -> dict[str, CqlType]:
    types: dict[str, CqlType] = {}
    for column in statement.columns:
        if column.name in types:
            raise Invalid(f"Duplicate column '{column.name}' declaration for table '{statement.name}'")
        kind = types[column.name] = resolve(column.type, keyspace.types, keyspace.name)
        check_nesting(kind)
    if len(types) > COLUMN_LIMIT:
        raise Invalid(f"a table has {COLUMN_LIMIT} columns at most")
    return types


def _check_key(statement: ast.CreateTable, types: dict[str, CqlType]) -> None:
    if not statement.partition_key:
        raise Invalid(f"No PRIMARY KEY specifed for table '{statement.name}' (exactly one required)")
    if statement.primary_keys > 1:
        raise Invalid(f"Multiple PRIMARY KEY specified for table '{statement.name}' (exactly one required)")
    statics = {column.name for column in statement.columns if column.static}
    seen = set()
    for name in (*statement.partition_key, *statement.clustering):
        kind = types.get(name)
        if kind is None:
            raise Invalid(f"Unknown column '{name}' referenced in PRIMARY KEY for table '{statement.name}'")
        if name in seen:
            raise Invalid(f"Duplicate column '{name}' in PRIMARY KEY clause for table '{statement.name}'")
        seen.add(name)
        if name in statics:
            raise Invalid(f"Static column '{name}' cannot be part of the PRIMARY KEY")
        if kind == COUNTER:
            raise Invalid(f"counter type is not supported for PRIMARY KEY column '{name}'")
        if kind.multi_cell:
            sort = "user-defined type" if kind.option == 0x30 else "collection type"
            shown = f'"{kind.keyspace}.{kind.name}"' if isinstance(kind, UserType) else kind.cql
            raise Invalid(f"Invalid non-frozen {sort} {shown} for PRIMARY KEY column '{name}'")
        if holds_duration(kind):
            raise Invalid(f"duration type is not supported for PRIMARY KEY column '{name}'")
    if statics and not statement.clustering:
        raise Invalid(
            "Static columns are only useful (and thus allowed) if the table has at least one clustering column"
        )
    order = [name for name, _ in statement.clustering_order]
    for name in order:
        if name not in statement.clustering:
            raise Invalid(
                "Only clustering key columns can be defined in CLUSTERING ORDER directive: "
                f"[{name}] are not clustering columns"
            )
    for place, name in enumerate(order):
        if name in order[:place]:
            raise Invalid(f"Duplicate column '{name}' in CLUSTERING ORDER BY clause for table '{statement.name}'")
        expected = statement.clustering[place]
        if name != expected and expected not in order:
            raise Invalid(f"Missing CLUSTERING ORDER for column {expected}")
        if name != expected:
            raise Invalid(
                "The order of columns in the CLUSTERING ORDER directive must match that of the clustering columns "
                f"({expected} must appear before {name})"
            )


def _column_records(statement: ast.CreateTable, types: dict[str, CqlType]) -> tuple[ColumnRecord, ...]:
    """Key columns first; the others are numbered in the order of `SELECT *`, statics first."""
    descending = dict(statement.clustering_order)
    records = [ColumnRecord(name, PARTITION_KEY, types[name].cql) for name in statement.partition_key]
    records += [
        ColumnRecord(name, CLUSTERING, types[name].cql, descending=descending.get(name, False))
        for name in statement.clustering
    ]
    keys = {*statement.partition_key, *statement.clustering}
    rest = [column for column in statement.columns if column.name not in keys]
    rest.sort(key=lambda column: (not column.static, column.name.encode()))
    records += [
        ColumnRecord(column.name, STATIC if column.static else REGULAR, types[column.name].cql, number)
        for number, column in enumerate(rest)
    ]
    return tuple(records)


def _existing(statement: ast.AlterTable | ast.DropTable, keyspace: Keyspace) -> Table | None:
    """The named table; None with IF EXISTS when it does not exist. Raises `Invalid`."""
    check_writable(keyspace.name)
    table = keyspace.tables.get(statement.name)
    if table is None and not statement.if_exists:
        raise Invalid(f"Table '{keyspace.name}.{statement.name}' doesn't exist")
    return table


def alter_table(statement: ast.AlterTable, keyspace: Keyspace, context: Context) -> Result:
    catalog = context.state.catalog
    table = _existing(statement, keyspace)
    if table is None:
        return Void()
    if table.is_view:
        raise Invalid("Cannot use ALTER TABLE on a materialized view; use ALTER MATERIALIZED VIEW instead")
    change = {
        "add": _add_columns, "drop": _drop_columns, "rename": _rename_columns, "with": _change_options,
        "mask": _change_mask,
    }  # fmt: skip
    if statement.action == "alter":
        raise Invalid("Altering column types is no longer supported")
    if statement.action == "drop compact storage":
        raise Invalid("DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.")
    record = change[statement.action](statement, table, keyspace, context)
    views = changed_views(table, record, keyspace, dict(statement.renames))
    engine = context.state.engine
    engine.begin()
    for changed in (record, *views):
        catalog.put_table(changed)
    engine.commit()
    engine.flush()
    return SchemaChange("UPDATED", "TABLE", keyspace.name, table.name)


def _add_columns(statement: ast.AlterTable, table: Table, keyspace: Keyspace, _: Context) -> TableRecord:
    record = table.record
    columns = list(record.columns)
    number = record.next_column
    for definition in statement.columns:
        if any(column.name == definition.name for column in columns):
            if statement.if_column:
                continue
            raise Invalid(f"Column with name '{definition.name}' already exists")
        kind = resolve(definition.type, keyspace.types, keyspace.name)
        if table.is_counter and kind != COUNTER:
            raise ConfigFault(
                f"{keyspace.name}.{table.name}: "
                f'Cannot have a non counter column ("{definition.name}") in a counter table'
            )
        if not table.is_counter and kind == COUNTER:
            raise ConfigFault(
                f"{keyspace.name}.{table.name}: "
                f'Cannot have a counter column ("{definition.name}") in a non counter table'
            )
        if definition.static and not table.clustering:
            raise Invalid(
                "Static columns are only useful (and thus allowed) if the table has at least one clustering column"
            )
        check_nesting(kind)
        _check_dropped(table, definition, kind)
        if len(columns) >= COLUMN_LIMIT:
            raise Invalid(f"a table has {COLUMN_LIMIT} columns at most")
        own = next((former.number for former in record.dropped if former.name == definition.name), -1)
        column_kind = STATIC if definition.static else REGULAR
        mask = attach(definition.mask, definition.name, kind, Scope(keyspace, table, 0, FUNCTIONS))
        columns.append(ColumnRecord(definition.name, column_kind, kind.cql, own if own >= 0 else number, mask=mask))
        number += own < 0
    return replace(record, columns=tuple(columns), next_column=number)


def _check_dropped(table: Table, definition: ast.ColumnDefinition, kind: CqlType) -> None:
    """A dropped column can only be added again with its own type."""
    for dropped in table.record.dropped:
        if dropped.name != definition.name:
            continue
        if kind == COUNTER:
            raise Invalid(f"Cannot re-add previously dropped counter column {dropped.name}")
        if dropped.type != kind.cql:
            raise Invalid(
                f"Cannot re-add previously dropped column '{dropped.name}' of type {kind.cql}, incompatible with "
                f"previous type {dropped.type}"
            )
        if (dropped.kind == STATIC) != definition.static:
            now, before = ("static", "regular") if definition.static else ("regular", "static")
            raise Invalid(
                f"Cannot re-add previously dropped column '{dropped.name}' of kind {now.upper()}, incompatible with "
                f"previous kind {before.upper()}"
            )


def _drop_columns(statement: ast.AlterTable, table: Table, _: Keyspace, context: Context) -> TableRecord:
    columns = list(table.record.columns)
    dropped = list(table.record.dropped)
    for name in statement.names:
        record = next((column for column in columns if column.name == name), None)
        if record is None:
            if statement.if_column:
                continue
            raise Invalid(f"Column {name} was not found in table '{table.keyspace}.{table.name}'")
        if record.kind in {PARTITION_KEY, CLUSTERING}:
            raise Invalid(f"Cannot drop PRIMARY KEY column {name}")
        dependants = [target.record.name for target in table.index_targets if target.column.name == name]
        if dependants:
            raise Invalid(
                f"Cannot drop column {name} because it has dependent secondary indexes ({', '.join(dependants)})"
            )
        if table.views:
            raise Invalid(f"Cannot drop column {name} on base table {table.name} with materialized views")
        columns.remove(record)
        dropped = [column for column in dropped if column.name != name]
        time_us = context.now_us if statement.timestamp is None else statement.timestamp
        multi_cell = table.column(name).type.multi_cell
        dropped.append(DroppedColumn(name, record.kind, record.type, time_us, record.number, multi_cell))
    return replace(table.record, columns=tuple(columns), dropped=tuple(dropped))


def _rename_columns(statement: ast.AlterTable, table: Table, _keyspace: Keyspace, _: Context) -> TableRecord:
    columns = list(table.record.columns)
    for old, new in statement.renames:
        record = next((column for column in columns if column.name == old), None)
        if record is None:
            if statement.if_column:
                continue
            raise Invalid(f"Column {old} was not found in table {table.keyspace}.{table.name}")
        if record.kind not in {PARTITION_KEY, CLUSTERING}:
            raise Invalid(f"Cannot rename non PRIMARY KEY column {old}")
        if any(column.name == new for column in columns):
            raise Invalid(
                f"Cannot rename column {old} to {new} in table '{table.keyspace}.{table.name}'; another column with "
                "that name already exists"
            )
        columns[columns.index(record)] = replace(record, name=new)
    return replace(table.record, columns=tuple(columns))


def _change_mask(statement: ast.AlterTable, table: Table, keyspace: Keyspace, context: Context) -> TableRecord:
    if statement.mask is not None and not context.state.masking:
        raise Invalid(DISABLED)
    (name,) = statement.names
    column = table.by_name.get(name)
    if column is None:
        if statement.if_column:
            return table.record
        raise Invalid(f"Column with name '{name}' doesn't exist on table '{table.name}'")
    mask = attach(statement.mask, name, column.type, Scope(keyspace, table, 0, FUNCTIONS))
    columns = tuple(replace(record, mask=mask) if record.name == name else record for record in table.record.columns)
    return replace(table.record, columns=columns)


def _change_options(statement: ast.AlterTable, table: Table, _keyspace: Keyspace, _: Context) -> TableRecord:
    if "id" in statement.options:
        raise ConfigFault("Cannot alter table id.")
    options = table_options(statement.options, table.record.options)
    if table.is_counter and options["default_time_to_live"] != "0":
        raise Invalid("Cannot set default_time_to_live on a table with counters")
    if table.views and options["gc_grace_seconds"] == "0":
        raise Invalid(
            "Cannot alter gc_grace_seconds of the base table of a materialized view to 0, since this value is used to "
            "TTL undelivered updates. Setting gc_grace_seconds too low might cause undelivered updates to expire "
            "before being replayed."
        )
    return replace(table.record, options=options)


def drop_table(statement: ast.DropTable, keyspace: Keyspace, context: Context) -> Result:
    table = _existing(statement, keyspace)
    if table is None:
        return Void()
    if table.is_view:
        raise Invalid("Cannot use DROP TABLE on a materialized view. Please use DROP MATERIALIZED VIEW instead.")
    if table.views:
        # Cassandra names the keyspace of each view, not the view
        keyspaces = ", ".join([keyspace.name] * len(table.views))
        raise Invalid(f"Cannot drop a table when materialized views still depend on it ({keyspaces})")
    context.state.catalog.drop_table(table)
    return SchemaChange("DROPPED", "TABLE", keyspace.name, table.name)


def truncate(statement: ast.Truncate, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    table = context.state.catalog.table(keyspace.name, statement.table)
    if table.is_view:
        raise Invalid("Cannot TRUNCATE materialized view directly; must truncate base table instead")
    engine = context.state.engine
    engine.drop_rows(table.number)
    for index in table.indexes:
        engine.drop_rows(index.number)
    for view in keyspace.views_of(table.name):
        engine.drop_rows(view.number)
    engine.flush()
    return Void()


def check_nesting(kind: CqlType) -> None:
    """Raises `Invalid` for a non-frozen user type with a non-frozen collection as a field."""
    if isinstance(kind, UserType) and kind.multi_cell and any(part.multi_cell for part in kind.parts):
        raise Invalid("Non-frozen UDTs with nested non-frozen collections are not supported")
