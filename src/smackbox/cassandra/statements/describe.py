"""DESCRIBE: schema elements, and the statements that re-create them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from smackbox.cassandra.execution.column_masks import shown_mask
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import ColumnSpec, Rows, rows_of
from smackbox.cassandra.state.catalog import is_system
from smackbox.cassandra.state.columns import STATIC, Column, IndexRecord
from smackbox.cassandra.state.schema import DroppedColumn, Keyspace, Table
from smackbox.cassandra.state.system_rows import STORAGE_PORT
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.ast import OptionValue
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import TEXT, ListType, MapType, UserType, quoted

# keyspace, sort, name, statement
Entry = tuple[str, str, str, str]

# in the order of DESCRIBE TABLE; a value replaces what system_schema shows as null
_OPTIONS: tuple[tuple[str, str | None], ...] = (
    ("additional_write_policy", None),
    ("allow_auto_snapshot", "true"),
    ("bloom_filter_fp_chance", None),
    ("caching", None),
    ("cdc", "false"),
    ("comment", None),
    ("compaction", None),
    ("compression", None),
    ("memtable", "default"),
    ("crc_check_chance", None),
    ("default_time_to_live", None),
    ("extensions", None),
    ("gc_grace_seconds", None),
    ("incremental_backups", "true"),
    ("max_index_interval", None),
    ("memtable_flush_period_in_ms", None),
    ("min_index_interval", None),
    ("read_repair", None),
    ("speculative_retry", None),
)
_TEXT_OPTIONS = frozenset({"additional_write_policy", "comment", "memtable", "read_repair", "speculative_retry"})


def describe(statement: ast.Describe, session_keyspace: str | None, context: Context) -> Rows:
    """Describe schema elements. Raises `Invalid` when the requested element does not exist."""
    catalog = context.state.catalog
    keyspaces = dict(sorted(catalog.keyspaces.items()))
    sort = statement.what
    if sort == "cluster":
        return _cluster(context)
    if sort == "keyspaces":
        return _rows([(name, "keyspace", name, "") for name in keyspaces], statements=False)
    if sort in {"tables", "types", "functions", "aggregates"}:
        chosen = [keyspaces[session_keyspace]] if session_keyspace in keyspaces else list(keyspaces.values())
        return _rows([entry for keyspace in chosen for entry in _listed(keyspace, sort)], statements=False)
    if sort == "schema":
        entries = [
            entry
            for keyspace in keyspaces.values()
            if statement.full or not is_system(keyspace.name)
            for entry in describe_keyspace(keyspace, internals=statement.internals)
        ]
        return _rows(entries)
    if sort == "keyspace" or (sort == "" and statement.keyspace is None and statement.name in keyspaces):
        name = statement.name or session_keyspace
        if name is None:
            raise Invalid("No keyspace specified and no current keyspace")
        named_keyspace = keyspaces.get(name)
        if named_keyspace is None:
            raise Invalid(f"'{name}' not found in keyspaces")
        return _rows(list(describe_keyspace(named_keyspace, internals=statement.internals)))
    keyspace_name = statement.keyspace or session_keyspace
    if keyspace_name is None:
        raise Invalid("No keyspace specified and no current keyspace")
    keyspace = keyspaces.get(keyspace_name)
    if keyspace is None:
        raise Invalid(f"'{keyspace_name}' not found in keyspaces")
    assert statement.name is not None
    return _rows(_element(keyspace, sort, statement.name, internals=statement.internals))


def describe_keyspace(keyspace: Keyspace, *, internals: bool) -> Iterator[Entry]:
    """The keyspace and everything in it, each element before those that depend on it."""
    yield keyspace.name, "keyspace", keyspace.name, keyspace_statement(keyspace)
    for user_type in _by_dependency(keyspace):
        yield keyspace.name, "type", user_type.name, type_statement(user_type)
    tables = sorted((table for table in keyspace.tables.values() if not table.is_view), key=lambda table: table.name)
    for table in tables:
        yield keyspace.name, "table", table.name, table_statement(table, internals=internals)
        yield from _indexes(table)
        for name in sorted(table.views):
            view = keyspace.tables[name]
            yield keyspace.name, "materialized_view", name, view_statement(view, internals=internals)


def _element(keyspace: Keyspace, sort: str, name: str, *, internals: bool) -> list[Entry]:
    table = keyspace.tables.get(name)
    if sort in {"", "table"} and table is not None and not table.is_view:
        entries = [(keyspace.name, "table", name, table_statement(table, internals=internals)), *_indexes(table)]
        for view_name in sorted(table.views):
            view = keyspace.tables[view_name]
            entries.append((keyspace.name, "materialized_view", view_name, view_statement(view, internals=internals)))
        return entries
    if sort in {"", "materialized view"} and table is not None and table.is_view:
        return [(keyspace.name, "materialized_view", name, view_statement(table, internals=internals))]
    if sort in {"", "index"} and (indexed := keyspace.index(name)) is not None:
        return [(keyspace.name, "index", name, index_statement(*indexed))]
    if sort == "type" and name in keyspace.types:
        return [(keyspace.name, "type", name, type_statement(keyspace.types[name]))]
    titles = {
        "table": "Table",
        "materialized view": "Materialized view",
        "index": "Index",
        "type": "User defined type",
        "function": "User defined function",
        "aggregate": "User defined aggregate",
    }
    if sort == "index":
        raise Invalid(f"Table for existing index '{name}' not found in '{keyspace.name}'")
    title = titles.get(sort)
    where = f"keyspace '{keyspace.name}'" if sort in {"", "table"} else f"'{keyspace.name}'"
    raise Invalid(f"{title} '{name}' not found in {where}" if title else f"'{name}' not found in {where}")


def _indexes(table: Table) -> Iterator[Entry]:
    for index in sorted(table.indexes, key=lambda index: index.name):
        yield table.keyspace, "index", index.name, index_statement(table, index)


def _listed(keyspace: Keyspace, sort: str) -> Iterator[Entry]:
    if sort == "tables":
        for name in sorted(keyspace.tables, key=str.lower):
            if not keyspace.tables[name].is_view:
                yield keyspace.name, "table", name, ""
    elif sort == "types":
        for name in sorted(keyspace.types, key=str.lower):
            yield keyspace.name, "type", name, ""


def _by_dependency(keyspace: Keyspace) -> list[UserType]:
    ordered: list[UserType] = []
    waiting = [keyspace.types[name] for name in sorted(keyspace.types)]
    while waiting:
        names = {user_type.name for user_type in waiting}
        ready = [
            user_type
            for user_type in waiting
            if not any(part.references(name) for part in user_type.parts for name in names - {user_type.name})
        ]
        assert ready, "user types cannot refer to each other in a circle"
        ordered += ready
        waiting = [user_type for user_type in waiting if user_type not in ready]
    return ordered


# ---- statements -----------------------------------------------------------------------------------------------------


def keyspace_statement(keyspace: Keyspace) -> str:
    """CREATE KEYSPACE, in the format of DESCRIBE."""
    replication = {
        option: value.removeprefix("org.apache.cassandra.locator.") if option == "class" else value
        for option, value in keyspace.record.replication.items()
    }
    durable = "true" if keyspace.record.durable_writes else "false"
    statement = (
        f"CREATE KEYSPACE {quoted(keyspace.name)} WITH replication = {_map(replication)}"
        f"  AND durable_writes = {durable};"
    )
    if keyspace.virtual:
        return (
            f"/*\nWarning: Keyspace {keyspace.name} is a virtual keyspace and cannot be recreated with CQL.\n"
            f"Structure, for reference:*/\n// VIRTUAL KEYSPACE {keyspace.name};"
        )
    return statement


def type_statement(user_type: UserType) -> str:
    """CREATE TYPE, in the format of DESCRIBE."""
    fields = ",\n".join(
        f"    {quoted(name)} {part.cql}" for name, part in zip(user_type.field_names, user_type.parts, strict=True)
    )
    return f"CREATE TYPE {quoted(user_type.keyspace)}.{quoted(user_type.name)} (\n{fields}\n);"


def table_statement(table: Table, *, internals: bool) -> str:
    """CREATE TABLE, in the format of DESCRIBE; with `internals` also its id and dropped columns."""
    name = f"{quoted(table.keyspace)}.{quoted(table.name)}"
    dropped = table.record.dropped if internals else ()
    lines = [f"    {line}" for line in _column_lines(table, dropped)]
    single = _has_single_key(table)
    if not single:
        lines.append(f"    PRIMARY KEY {primary_key(table)}")
    virtual = table.virtual and table.keyspace in {"system_views", "system_virtual_schema"}
    if virtual:
        body = f"VIRTUAL TABLE {name} (\n" + ",\n".join(lines) + "\n)"
        comment = table.options["comment"]
        return (
            f"/*\nWarning: Table {table.keyspace}.{table.name} is a virtual table and cannot be recreated with CQL.\n"
            f"Structure, for reference:\n{body} WITH comment = {_text(str(comment))};\n*/"
        )
    statement = f"CREATE TABLE {name} (\n" + ",\n".join(lines) + "\n) WITH " + _properties(table, internals=internals)
    return ";\n".join([statement, *(f"ALTER TABLE {name} {change}" for change in _changes(table, dropped))]) + ";"


def _has_single_key(table: Table) -> bool:
    return len(table.partition_key) == 1 and not table.clustering


def _column_lines(table: Table, dropped: Sequence[DroppedColumn]) -> Iterator[str]:
    """Columns with their types, followed by the dropped columns."""
    single = _has_single_key(table)
    former = {column.name: column for column in dropped}
    for column in _in_storage_order(table):
        if column.name in former:
            continue
        line = f"{quoted(column.name)} {column.type.cql}"
        if column.kind == STATIC:
            line += " static"
        if column.mask is not None:
            line += f" {shown_mask(column.mask, column.type)}"
        yield line + (" PRIMARY KEY" if single and column.kind == "partition_key" else "")
    for _, gone in sorted(former.items()):
        yield f"{quoted(gone.name)} {gone.type}" + (" static" if gone.kind == STATIC else "")


def _changes(table: Table, dropped: Sequence[DroppedColumn]) -> Iterator[str]:
    """The statements that drop these columns from the table again."""
    for column in dropped:
        yield f"DROP {quoted(column.name)} USING TIMESTAMP {column.dropped_time_us}"
        again = table.by_name.get(column.name)
        if again is not None:
            yield f"ADD {quoted(again.name)} {again.type.cql}" + (" static" if again.kind == STATIC else "")


def view_statement(view: Table, *, internals: bool) -> str:
    """CREATE MATERIALIZED VIEW, in the format of DESCRIBE."""
    name = f"{quoted(view.keyspace)}.{quoted(view.name)}"
    columns = (
        "*" if view.record.include_all_columns else ", ".join(quoted(column.name) for column in _in_storage_order(view))
    )
    return (  # text to show, never executed
        f"CREATE MATERIALIZED VIEW {name} AS\n    SELECT {columns}\n"  # noqa: S608
        f"    FROM {quoted(view.keyspace)}.{quoted(view.base_table or '')}\n"
        f"    WHERE {view.record.where_clause}\n    PRIMARY KEY {primary_key(view)}\n WITH "
        + _properties(view, internals=internals)
        + ";"
    )


def index_statement(table: Table, index: IndexRecord) -> str:
    """CREATE INDEX, in the format of DESCRIBE."""
    on = f"{quoted(table.keyspace)}.{quoted(table.name)}"
    target = index.options["target"]
    if index.kind != "CUSTOM":
        return f"CREATE INDEX {quoted(index.name)} ON {on} ({target});"
    statement = f"CREATE CUSTOM INDEX {quoted(index.name)} ON {on} ({target}) USING '{index.options['class_name']}'"
    rest = {name: value for name, value in index.options.items() if name not in {"target", "class_name"}}
    return statement + (f" WITH OPTIONS = {_map(rest)}" if rest else "") + ";"


def primary_key(table: Table) -> str:
    """The PRIMARY KEY clause."""
    partition = ", ".join(quoted(column.name) for column in table.partition_key)
    if len(table.partition_key) > 1:
        partition = f"({partition})"
    return "(" + ", ".join([partition, *(quoted(column.name) for column in table.clustering)]) + ")"


def _in_storage_order(table: Table) -> Iterator[Column]:
    """Among statics and regulars, single-cell columns come before multi-cell ones."""
    yield from table.partition_key
    yield from table.clustering
    for columns in (table.statics, table.regulars):
        yield from (column for column in columns if not column.type.multi_cell)
        yield from (column for column in columns if column.type.multi_cell)


def _properties(table: Table, *, internals: bool) -> str:
    parts = [f"ID = {table.id}"] if internals else []
    if table.clustering:
        order = ", ".join(
            f"{quoted(column.name)} {'DESC' if column.descending else 'ASC'}" for column in table.clustering
        )
        parts.append(f"CLUSTERING ORDER BY ({order})")
    for name, default in _OPTIONS:
        if table.is_view and name == "default_time_to_live":
            continue
        value = table.options.get(name, default)
        assert value is not None, f"the option {name} has a default"
        parts.append(f"{name} = {_option(name, value)}")
    return "\n    AND ".join(parts)


def _option(name: str, value: OptionValue) -> str:
    if isinstance(value, dict):
        return _map(value)
    return _text(value) if name in _TEXT_OPTIONS else value


def _map(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{_text(key)}: {_text(value)}" for key, value in values.items()) + "}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# ---- results --------------------------------------------------------------------------------------------------------


def _rows(entries: list[Entry], *, statements: bool = True) -> Rows:
    names = ["keyspace_name", "type", "name", "create_statement"][: 4 if statements else 3]
    columns = [ColumnSpec("system", "describe", name, TEXT) for name in names]
    shown = ((quoted(entry[0]), entry[1], quoted(entry[2]), entry[3]) for entry in entries)
    return rows_of(columns, [[value.encode() for value in values[: len(names)]] for values in shown])


def _cluster(context: Context) -> Rows:
    node = context.state.system_rows.node
    owner = ListType(TEXT, multi_cell=False)
    ranges = MapType(TEXT, owner, multi_cell=False)
    columns = [ColumnSpec("system", "describe", name, TEXT) for name in ("cluster", "partitioner", "snitch")]
    columns.append(ColumnSpec("system", "describe", "range_ownership", ranges))
    endpoint = f"/{context.endpoint.address}:{STORAGE_PORT}"
    values: list[bytes | None] = [node.cluster_name.encode(), b"Murmur3Partitioner", b"DynamicEndpointSnitch"]
    values.append(ranges.encode([(token, [endpoint]) for token in node.tokens()]))
    return rows_of(columns, [values])
