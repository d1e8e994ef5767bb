"""CREATE, ALTER and DROP MATERIALIZED VIEW.

Checks, their order and messages are those of Cassandra's `CreateViewStatement` and `AlterViewStatement`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from smackbox.cassandra.analysis.functions import FUNCTIONS
from smackbox.cassandra.analysis.restrictions import analyse
from smackbox.cassandra.analysis.terms import Scope
from smackbox.cassandra.analysis.view_plan import NOT_NULL
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import Result, SchemaChange, Void
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, REGULAR, STATIC, ColumnRecord
from smackbox.cassandra.state.indexes import view_target
from smackbox.cassandra.state.schema import Keyspace, Table, TableRecord
from smackbox.cassandra.state.table_options import TABLE_DEFAULTS, table_options
from smackbox.cassandra.statements.indexes import build_index
from smackbox.cassandra.statements.names import check_table_name, check_writable, new_id
from smackbox.cassandra.statements.view_changes import where_text
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.errors import AlreadyExists, Invalid
from smackbox.cassandra.wire.types import UserType

USAGE_WARNING = "Materialized views are experimental and are not recommended for production use."


def create_view(statement: ast.CreateView, keyspace: Keyspace, context: Context) -> Result:
    name = statement.name
    select = statement.select
    if not context.state.materialized_views:
        raise Invalid("Materialized views are disabled. Enable in cassandra.yaml to use.")
    check_writable(keyspace.name)
    if select.keyspace not in {None, keyspace.name}:
        raise Invalid("Cannot create a materialized view on a table in a different keyspace")
    base = keyspace.tables.get(select.table)
    if base is None or base.is_view:
        raise Invalid(f"Base table '{select.table}' doesn't exist")
    existing = keyspace.tables.get(name)
    if existing is not None and not existing.is_view:
        raise Invalid(f"Cannot create materialized view '{name}' - a table with the same name already exists")
    if existing is not None:
        if statement.if_not_exists:
            return Void()
        raise AlreadyExists(keyspace.name, name)
    if base.is_counter:
        raise Invalid("Materialized views are not supported on counter tables")
    if base.gc_grace_seconds == 0:
        raise Invalid(
            f"Cannot create materialized view '{name}' for base table '{base.name}' with gc_grace_seconds of 0, since "
            "this value is used to TTL undelivered updates. Setting gc_grace_seconds too low might cause undelivered "
            "updates to expire before being replayed."
        )
    selected = _selected(statement, base)
    _check_key(statement, base, selected)
    _check_where(statement, base, keyspace)
    options = table_options(statement.options, TABLE_DEFAULTS)
    if "default_time_to_live" in statement.options:
        raise Invalid(
            "Cannot set default_time_to_live for a materialized view. Data in a materialized view always expire at the "
            "same time than the corresponding data in the parent table."
        )
    check_table_name(keyspace.name, name)
    columns = _columns(statement, base, selected)
    catalog = context.state.catalog
    record = TableRecord(
        keyspace.name,
        name,
        new_id(statement.options, context, f"Invalid table id {statement.options.get('id')}"),
        catalog.new_number(),
        columns,
        options,
        base.record.next_column,
        base_table=base.name,
        where_clause=where_text(select.where),
        include_all_columns=not select.selectors,
    )
    view = catalog.put_table(record)
    target = view_target(base, view)
    if target is not None:
        build_index(base, target, context)
    context.warnings.append(USAGE_WARNING)
    return SchemaChange("CREATED", "TABLE", keyspace.name, name)


def _selected(statement: ast.CreateView, base: Table) -> list[str]:
    names = []
    for selector in statement.select.selectors:
        shown = show(selector.value)
        if selector.alias is not None:
            raise Invalid(f"Cannot use aliases when defining a materialized view (got {shown} AS {selector.alias})")
        if not isinstance(selector.value, ast.Column):
            raise Invalid(f"Can only select columns by name when defining a materialized view (got {shown})")
        column = base.column(selector.value.name)
        if column.name not in names:
            names.append(column.name)
    chosen = names or [column.name for column in base.columns]
    for name in chosen:
        if base.by_name[name].kind == STATIC:
            raise Invalid(f"Cannot include static column '{name}' in materialized view '{statement.name}'")
    return chosen


def _check_key(statement: ast.CreateView, base: Table, selected: Sequence[str]) -> None:
    view = statement.name
    seen: list[str] = []
    for name in (*statement.partition_key, *statement.clustering):
        column = base.by_name.get(name)
        if column is None or name not in selected:
            raise Invalid(f"Unknown column '{name}' referenced in PRIMARY KEY for materialized view '{view}'")
        if name in seen:
            raise Invalid(f"Duplicate column '{name}' in PRIMARY KEY clause for materialized view '{view}'")
        seen.append(name)
        kind = column.type
        if kind.multi_cell:
            sort = "user-defined" if isinstance(kind, UserType) else "collection"
            raise Invalid(f"Invalid non-frozen {sort} type '{kind.cql}' for PRIMARY KEY column '{name}'")
        if "duration" in kind.cql:
            raise Invalid(f"duration type is not supported for PRIMARY KEY column '{name}'")
    order = [name for name, _ in statement.clustering_order]
    if order and order != list(statement.clustering):
        raise Invalid("Clustering key columns must exactly match columns in CLUSTERING ORDER BY directive")
    keys = [column.name for column in (*base.partition_key, *base.clustering)]
    missing = [name for name in keys if name not in seen]
    if missing:
        raise Invalid(
            f"Cannot create materialized view '{view}' without primary key columns {', '.join(missing)} from base "
            f"table '{base.name}'"
        )
    added = sorted(name for name in seen if name not in keys)
    if len(added) > 1:
        raise Invalid(
            "Cannot include more than one non-primary key column in materialized view primary key "
            f"(got {', '.join(added)})"
        )


def _check_where(statement: ast.CreateView, base: Table, keyspace: Keyspace) -> None:
    where = statement.select.where
    if any(relation.token for relation in where):
        raise Invalid("Cannot use token relation when defining a materialized view")
    restricted = {base.column(name).name for relation in where for name in relation.columns}
    filters = [relation for relation in where if relation.operator != NOT_NULL]
    analyse(filters, Scope(keyspace, base, 0, FUNCTIONS), filtering=True)
    open_keys = sorted({*statement.partition_key, *statement.clustering} - restricted)
    if open_keys:
        raise Invalid(f"Primary key columns {', '.join(open_keys)} must be restricted with 'IS NOT NULL' or otherwise")
    keys = {column.name for column in (*base.partition_key, *base.clustering)}
    illegal = list(dict.fromkeys(name for relation in filters for name in relation.columns if name not in keys))
    if illegal:
        raise Invalid(
            "Non-primary key columns can only be restricted with 'IS NOT NULL' "
            f"(got: {','.join(illegal)} restricted illegally)"
        )


def _columns(statement: ast.CreateView, base: Table, selected: Sequence[str]) -> tuple[ColumnRecord, ...]:
    """Regular columns keep the numbers of their cells in the base table."""
    order = dict(statement.clustering_order)
    of_base = {column.name: column for column in base.record.columns}
    columns = [ColumnRecord(name, PARTITION_KEY, of_base[name].type) for name in statement.partition_key]
    columns += [
        ColumnRecord(name, CLUSTERING, of_base[name].type, descending=order.get(name, of_base[name].descending))
        for name in statement.clustering
    ]
    keys = {*statement.partition_key, *statement.clustering}
    columns += [
        ColumnRecord(name, REGULAR, of_base[name].type, of_base[name].number) for name in selected if name not in keys
    ]
    return tuple(columns)


def alter_view(statement: ast.AlterView, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    view = _view(statement, keyspace)
    if view is None:
        return Void()
    options = table_options(statement.options, view.record.options)
    if options["gc_grace_seconds"] == "0":
        raise Invalid(
            "Cannot alter gc_grace_seconds of a materialized view to 0, since this value is used to TTL undelivered "
            "updates. Setting gc_grace_seconds too low might cause undelivered updates to expire before being replayed."
        )
    if options["default_time_to_live"] != "0":
        raise Invalid(
            "Forbidden default_time_to_live detected for a materialized view. Data in a materialized view always "
            "expire at the same time than the corresponding data in the parent table. default_time_to_live must be "
            "set to zero, see CASSANDRA-12868 for more information"
        )
    context.state.catalog.put_table(replace(view.record, options=options))
    return SchemaChange("UPDATED", "TABLE", keyspace.name, view.name)


def drop_view(statement: ast.DropView, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    view = _view(statement, keyspace)
    if view is None:
        return Void()
    context.state.catalog.drop_table(view)
    return SchemaChange("DROPPED", "TABLE", keyspace.name, view.name)


def _view(statement: ast.AlterView | ast.DropView, keyspace: Keyspace) -> Table | None:
    """The named view; None with IF EXISTS when it does not exist."""
    view = keyspace.tables.get(statement.name)
    if view is not None and view.is_view:
        return view
    if statement.if_exists:
        return None
    raise Invalid(f"Materialized view '{keyspace.name}.{statement.name}' doesn't exist")
