"""CREATE INDEX and DROP INDEX."""

from __future__ import annotations

import re

from msgspec.structs import replace

from smackbox.cassandra.analysis.duration_rules import holder_of_durations
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.execution.results import Result, SchemaChange, Void
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, Column, IndexRecord
from smackbox.cassandra.state.index_target import IndexTarget, is_vector_index
from smackbox.cassandra.state.keys import SECTION_STATIC, partition_of, split_partition_key, successor
from smackbox.cassandra.state.rows import Row, merge
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.statements.names import check_writable
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import ConfigFault, Invalid, SyntaxFault
from smackbox.cassandra.wire.types import CqlType, ListType, MapType, SetType, VectorType, quoted

# these names in any case, the class's full name exactly
_SAI = frozenset({"sai", "storageattachedindex"})
_SAI_CLASS = "org.apache.cassandra.index.sai.StorageAttachedIndex"
_SASI_CLASS = "org.apache.cassandra.index.sasi.SASIIndex"
_LEGACY = "legacy_local_table"
_NOT_IN_NAMES = re.compile(r"\W", re.ASCII)
_ANALYSIS = frozenset({"ascii", "case_sensitive", "normalize"})
_CUSTOM_PARAMETERS = {
    "maximum_node_connections": "Maximum node connections",
    "construction_beam_width": "Construction beam width",
}
EXPERIMENTAL = (
    "SAI ANN indexes on vector columns are experimental and are not recommended for production use.\n"
    "They don't yet support SELECT queries with:\n"
    " * Consistency level higher than ONE/LOCAL_ONE.\n"
    " * Paging.\n"
    " * No LIMIT clauses.\n"
    " * PER PARTITION LIMIT clauses.\n"
    " * GROUP BY clauses.\n"
    " * Aggregation functions.\n"
    " * Filters on columns without a SAI index."
)
_OF_VECTORS = frozenset({"construction_beam_width", "maximum_node_connections", "optimize_for", "similarity_function"})


def create_index(statement: ast.CreateIndex, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    custom, given = _implementation(statement)
    table = keyspace.tables.get(statement.table)
    if table is None:
        raise Invalid(f"Table '{statement.table}' doesn't exist")
    if statement.name is not None and keyspace.index(statement.name) is not None:
        if statement.if_not_exists:
            return Void()
        raise Invalid(f"Index '{statement.name}' already exists")
    if table.is_counter:
        raise Invalid("Secondary indexes on counter tables aren't supported")
    if table.is_view:
        raise Invalid("Secondary indexes on materialized views aren't supported")
    _check_one_target(statement, custom)
    name, part = statement.targets[0]
    column = table.column(name)
    part = _checked_part(table, column, part)
    target = f"{part}({quoted(name)})" if part else quoted(name)
    options = {"target": target} if custom is None else {"class_name": custom, "target": target}
    options.update(given)
    chosen = statement.name or _free_name(keyspace, _NOT_IN_NAMES.sub("", f"{table.name}_{name}_idx"))
    kind = "COMPOSITES" if custom is None else "CUSTOM"
    for other in table.indexes:
        if (other.kind, other.options) == (kind, options):
            if statement.if_not_exists:
                return Void()
            raise Invalid(f"Index {chosen} is a duplicate of existing index {other.name}")
    if not re.fullmatch(r"\w+", chosen, re.ASCII):
        raise ConfigFault(f"Illegal index name {chosen}")
    if custom is not None:
        if custom.lower() not in _SAI and custom != _SAI_CLASS:
            raise ConfigFault(f"Unable to find custom indexer class '{custom}'")
        if any(other.kind == kind and other.options["target"] == target for other in table.indexes):
            raise Invalid(f"Cannot create more than one storage-attached index on the same column: {name}")
        _check_analysis(column, part, given)
        _check_vector_options(column, given)
        _check_type(column, part, given)
    record = IndexRecord(chosen, kind, dict(sorted(options.items())), context.state.catalog.new_number())
    built = context.state.catalog.put_table(replace(table.record, indexes=(*table.indexes, record)))
    build_index(built, next(index for index in built.index_targets if index.record.name == chosen), context)
    if any(is_vector_index(index) for index in built.index_targets):
        context.warnings.append(EXPERIMENTAL)
    return SchemaChange("UPDATED", "TABLE", keyspace.name, table.name)


def _implementation(statement: ast.CreateIndex) -> tuple[str | None, dict[str, str]]:
    """The class of a custom index, None for the built-in kind; and its options.

    Raises Cassandra's errors for mistakes that do not depend on the table.
    """
    unknown = next((name for name in statement.options if name != "options"), None)
    if unknown is not None:
        raise SyntaxFault(f"Unknown property '{unknown}'")
    custom = statement.custom_class
    if custom is None and statement.custom:
        custom = _LEGACY
    elif custom is not None and custom.lower() == _LEGACY and not statement.custom:
        custom = None
    given_options = statement.options.get("options", {})
    if custom is None and "options" in statement.options:
        raise Invalid("Cannot specify options for a non-CUSTOM index")
    if not isinstance(given_options, dict):
        raise SyntaxFault("Invalid value for property 'options'. It should be a map.")
    for name in ("class_name", "target"):
        if name in given_options:
            raise Invalid(f"Cannot specify {name} as a CUSTOM option")
    if custom == _SASI_CLASS:
        raise Invalid("SASI indexes are disabled. Enable in cassandra.yaml to use.")
    return custom, given_options


def _check_one_target(statement: ast.CreateIndex, custom: str | None) -> None:
    names = [name for name, _ in statement.targets]
    if len(names) == 1:
        return
    if custom is None:
        raise Invalid(
            "Only CUSTOM indexes support multiple columns"
            if names
            else "Only CUSTOM indexes can be created without specifying a target column"
        )
    raise Invalid(
        f"A storage-attached index cannot be created over multiple columns: {', '.join(names)}"
        if names
        else "Failed to retrieve target column for: "
    )


def _check_type(column: Column, part: str, options: dict[str, str]) -> None:
    """Raises Cassandra's errors for a column whose type a storage-attached index does not support (golden:
    sai_types).
    """
    kind = column.type
    if isinstance(kind, VectorType):
        if kind.element.cql != "float":
            raise Invalid("SAI ANN indexes are only allowed on vector columns with float elements")
        if kind.dimension == 1 and options.get("similarity_function", "cosine").lower() == "cosine":
            raise Invalid("Cosine similarity is not supported for single-dimension vectors")
        return
    if any(each.cql == "blob" for each in _held(kind, part)):
        raise Invalid("Unsupported type: blob")


def _check_vector_options(column: Column, options: dict[str, str]) -> None:
    """Raises Cassandra's errors, which do not name the index."""
    vector_options = _OF_VECTORS & options.keys()
    if vector_options and not isinstance(column.type, VectorType):
        raise Invalid(f"CQL type {column.type.cql} cannot have vector options")
    for name, shown in _CUSTOM_PARAMETERS.items():
        if name in vector_options:
            raise Invalid(f"{shown} cannot be set without enabling SAI_VECTOR_ALLOW_CUSTOM_PARAMETERS")
    if "similarity_function" in vector_options:
        measure = options["similarity_function"].upper()
        if measure not in {"EUCLIDEAN", "DOT_PRODUCT", "COSINE"}:
            raise Invalid(
                f"Similarity function {measure} was not recognized for index null. "
                "Valid values are: EUCLIDEAN, DOT_PRODUCT, COSINE"
            )
    if "optimize_for" in vector_options and (goal := options["optimize_for"].upper()) not in {"LATENCY", "RECALL"}:
        raise Invalid(f"optimize_for '{goal}' was not recognized for index null. Valid values are: LATENCY, RECALL")


def _held(kind: CqlType, part: str) -> tuple[CqlType, ...]:
    """The types of the values that an index has entries for in a column."""
    if isinstance(kind, MapType) and kind.multi_cell:
        return {"keys": (kind.key,), "values": (kind.value,)}.get(part, (kind.key, kind.value))
    if isinstance(kind, ListType | SetType) and kind.multi_cell:
        return (kind.element,)
    return (kind,)


def _check_analysis(column: Column, part: str, options: dict[str, str]) -> None:
    """Raises Cassandra's errors for options that a storage-attached index of that column cannot have."""
    unknown = [name for name in options if name not in _ANALYSIS and name not in _OF_VECTORS]
    if unknown:
        raise ConfigFault(f"Properties specified [{', '.join(unknown)}] are not understood by StorageAttachedIndex")
    analysis = {name: value for name, value in options.items() if name in _ANALYSIS}
    if not analysis:
        return
    if column.kind in {PARTITION_KEY, CLUSTERING}:
        shown = ", ".join(f"'{name}': '{value}'" for name, value in analysis.items())
        raise Invalid(f"Analysis options are not supported on primary key columns, but found {{{shown}}}")
    held = _held(column.type, part)
    if len(held) > 1:
        java = ",".join(each.java for each in held)
        raise Invalid(f"CQL type 'org.apache.cassandra.db.marshal.CompositeType({java})' cannot be analyzed.")
    if held[0].cql not in {"text", "ascii"}:
        raise Invalid(f"CQL type {held[0].cql} cannot be analyzed.")


def _checked_part(table: Table, column: Column, part: str) -> str:
    kind = column.type
    collection = isinstance(kind, ListType | SetType | MapType)
    if column.kind == PARTITION_KEY and len(table.partition_key) == 1:
        raise Invalid(f"Cannot create secondary index on the only partition key column {column.name}")
    holder = holder_of_durations(kind, "duration columns")
    if holder is not None:
        raise Invalid(f"Secondary indexes are not supported on {holder}")
    if collection and not kind.multi_cell and part != "full":
        raise Invalid(
            f"Cannot create {part or 'values'}() index on frozen column {column.name}. Frozen collections are "
            f"immutable and must be fully indexed by using the 'full({column.name})' modifier"
        )
    if part == "full" and (not collection or kind.multi_cell):
        raise Invalid("full() indexes can only be created on frozen collections")
    if part in {"keys", "values", "entries"} and not collection:
        raise Invalid(
            f"Cannot create {part}() index on {column.name}. Non-collection columns only support simple indexes"
        )
    if part in {"keys", "entries"} and not isinstance(kind, MapType):
        raise Invalid(f"Cannot create index on {part} of column {column.name} with non-map type")
    if kind.option == 0x30 and kind.multi_cell:
        raise Invalid(f"Cannot create index on non-frozen UDT column {column.name}")
    return part or ("values" if collection else "")


def _free_name(keyspace: Keyspace, base: str) -> str:
    name = base
    number = 0
    while keyspace.index(name) is not None:
        number += 1
        name = f"{base}_{number}"
    return name


def build_index(table: Table, target: IndexTarget, context: Context) -> None:
    """Add entries for the existing rows."""
    engine = context.state.engine
    reader = RowReader(table)
    now_s = context.statement_time_s
    for row_key, item in engine.scan(table, table.prefix, successor(table.prefix)):
        owner = partition_of(row_key)
        parts = split_partition_key(owner[14:], len(table.partition_key))
        if row_key[len(owner)] == SECTION_STATIC:
            row = item if isinstance(item, Row) else merge(table, ((row_key + bytes(12), item),))
            values: list[bytes | None] | None = [*parts, *[None] * (len(table.columns) - len(parts))]
            for column, value in zip(table.statics, reader.statics(row, now_s), strict=True):
                assert values is not None
                values[column.ordinal] = value
        else:
            values = reader.values(parts, item, (), now_s)
        value = values[target.column.ordinal] if values is not None else None
        if value is not None:
            for key in target.order_keys(value):
                engine.enter(target.entry(key, row_key))
    engine.flush()


def drop_index(statement: ast.DropIndex, keyspace: Keyspace, context: Context) -> Result:
    check_writable(keyspace.name)
    indexed = keyspace.index(statement.name)
    if indexed is None:
        if statement.if_exists:
            return Void()
        raise Invalid(f"Index '{keyspace.name}.{statement.name}' doesn't exist'")
    table, index = indexed
    left = tuple(other for other in table.indexes if other.name != index.name)
    context.state.catalog.put_table(replace(table.record, indexes=left))
    context.state.engine.drop_rows(index.number)
    context.state.engine.flush()
    return SchemaChange("UPDATED", "TABLE", keyspace.name, table.name)
