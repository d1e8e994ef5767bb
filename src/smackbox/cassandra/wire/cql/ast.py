"""The syntax tree of CQL statements: names are not resolved, literals not typed."""

from __future__ import annotations

from msgspec import Struct

from smackbox.cassandra.wire.cql.role_statements import RoleStatement

# ---- types and expressions ------------------------------------------------------------------------------------------


class TypeName(Struct, frozen=True):
    """`name<parameters>`; a vector's dimension is `dimension`; `java` marks the name of a Java class."""

    name: str
    parameters: tuple[TypeName, ...] = ()
    frozen: bool = False
    keyspace: str | None = None
    dimension: int = 0
    quoted: bool = False
    java: bool = False


class Literal(Struct, frozen=True):
    """`kind` is one of string, integer, float, boolean, uuid, hex, duration, null."""

    kind: str
    text: str


class Bind(Struct, frozen=True):
    """A `?` or `:name`; `index` counts from 0 in the statement."""

    index: int
    name: str | None = None


class Column(Struct, frozen=True):
    """A column by its name."""

    name: str


class Call(Struct, frozen=True):
    """A function; `count(*)` has `star`."""

    name: str
    arguments: tuple[Expression, ...]
    keyspace: str | None = None
    star: bool = False


class Cast(Struct, frozen=True):
    """`CAST(value AS type)` in a selection."""

    value: Expression
    type: TypeName


class TypeHint(Struct, frozen=True):
    """`(type) value`."""

    type: TypeName
    value: Expression


class Binary(Struct, frozen=True):
    """An operator between two expressions."""

    operator: str
    left: Expression
    right: Expression


class Negate(Struct, frozen=True):
    """A minus before an expression."""

    value: Expression


class FieldOf(Struct, frozen=True):
    """`value.name` of a user type."""

    value: Expression
    name: str


class ElementOf(Struct, frozen=True):
    """`value[index]` of a collection."""

    value: Expression
    index: Expression


class SliceOf(Struct, frozen=True):
    """`value[low..high]` of a set or map."""

    value: Expression
    low: Expression | None
    high: Expression | None


class ListLiteral(Struct, frozen=True):
    """`[a, b]`: a list or a vector."""

    items: tuple[Expression, ...]


class SetLiteral(Struct, frozen=True):
    """`{a, b}`; empty braces are a set or a map, by the receiver's type."""

    items: tuple[Expression, ...]


class MapLiteral(Struct, frozen=True):
    """`{a: b}`."""

    items: tuple[tuple[Expression, Expression], ...]


class TupleLiteral(Struct, frozen=True):
    """`(a, b)`."""

    items: tuple[Expression, ...]


class UserTypeLiteral(Struct, frozen=True):
    """`{field: a}`."""

    fields: tuple[tuple[str, Expression], ...]


Expression = (
    Literal | Bind | Column | Call | Cast | TypeHint | Binary | Negate | FieldOf | ElementOf | SliceOf
    | ListLiteral | SetLiteral | MapLiteral | TupleLiteral | UserTypeLiteral
)  # fmt: skip


class Relation(Struct, frozen=True):
    """`columns operator value` in WHERE; `token`: token(columns); `element`: column[element]; IN: a tuple of values."""

    columns: tuple[str, ...]
    operator: str
    value: Expression | tuple[Expression, ...] | None
    multi: bool = False
    token: bool = False
    element: Expression | None = None


class Condition(Struct, frozen=True):
    """`target operator value` after IF."""

    column: str
    operator: str
    value: Expression | tuple[Expression, ...]
    element: Expression | None = None
    field: str | None = None


# ---- reads and writes -----------------------------------------------------------------------------------------------


class Selector(Struct, frozen=True):
    """A selected expression, and its alias."""

    value: Expression
    alias: str | None = None


class Ordering(Struct, frozen=True):
    """A part of ORDER BY; `ann_of` is the query vector."""

    column: str
    descending: bool = False
    ann_of: Expression | None = None


class Select(Struct, frozen=True):
    """SELECT; empty `selectors` mean `*`."""

    keyspace: str | None
    table: str
    selectors: tuple[Selector, ...] = ()
    distinct: bool = False
    json: bool = False
    where: tuple[Relation, ...] = ()
    group_by: tuple[Expression, ...] = ()
    order_by: tuple[Ordering, ...] = ()
    per_partition_limit: Expression | None = None
    limit: Expression | None = None
    allow_filtering: bool = False


class Using(Struct, frozen=True):
    """USING TIMESTAMP and TTL."""

    timestamp: Expression | None = None
    ttl: Expression | None = None


class Insert(Struct, frozen=True):
    """INSERT. With `json`, columns and values are empty; with `default_unset`, columns missing in the document stay
    unchanged.
    """

    keyspace: str | None
    table: str
    columns: tuple[str, ...]
    values: tuple[Expression, ...]
    using: Using
    if_not_exists: bool = False
    json: Expression | None = None
    default_unset: bool = False


class Assignment(Struct, frozen=True):
    """`kind` is set, add (v = v + x), subtract (v = v - x), prepend (v = x + v), element (v[k] = x), field (v.f
    = x).
    """

    column: str
    kind: str
    value: Expression
    element: Expression | None = None
    field: str | None = None


class Update(Struct, frozen=True):
    """UPDATE."""

    keyspace: str | None
    table: str
    using: Using
    assignments: tuple[Assignment, ...]
    where: tuple[Relation, ...]
    conditions: tuple[Condition, ...] = ()
    if_exists: bool = False


class Deletion(Struct, frozen=True):
    """A column, `column[element]` or `column.field` to delete."""

    column: str
    element: Expression | None = None
    field: str | None = None


class Delete(Struct, frozen=True):
    """DELETE."""

    keyspace: str | None
    table: str
    targets: tuple[Deletion, ...]
    using: Using
    where: tuple[Relation, ...]
    conditions: tuple[Condition, ...] = ()
    if_exists: bool = False


class Batch(Struct, frozen=True):
    """`kind` is logged, unlogged, counter."""

    kind: str
    using: Using
    statements: tuple[Insert | Update | Delete, ...]


class Truncate(Struct, frozen=True):
    """TRUNCATE."""

    keyspace: str | None
    table: str


class Use(Struct, frozen=True):
    """USE."""

    keyspace: str


# ---- definitions ----------------------------------------------------------------------------------------------------

OptionValue = str | dict[str, str]


class CreateKeyspace(Struct, frozen=True):
    """CREATE KEYSPACE."""

    name: str
    options: dict[str, OptionValue]
    if_not_exists: bool = False


class AlterKeyspace(Struct, frozen=True):
    """ALTER KEYSPACE."""

    name: str
    options: dict[str, OptionValue]
    if_exists: bool = False


class DropKeyspace(Struct, frozen=True):
    """DROP KEYSPACE."""

    name: str
    if_exists: bool = False


class Mask(Struct, frozen=True):
    """A masking function without its first argument, which is the column."""

    keyspace: str | None
    name: str
    arguments: tuple[Expression, ...] = ()


class ColumnDefinition(Struct, frozen=True):
    """A column of CREATE TABLE or ALTER TABLE ADD."""

    name: str
    type: TypeName
    static: bool = False
    mask: Mask | None = None


class CreateTable(Struct, frozen=True):
    """CREATE TABLE."""

    keyspace: str | None
    name: str
    columns: tuple[ColumnDefinition, ...]
    partition_key: tuple[str, ...]
    clustering: tuple[str, ...]
    clustering_order: tuple[tuple[str, bool], ...]
    options: dict[str, OptionValue]
    if_not_exists: bool = False
    compact_storage: bool = False
    primary_keys: int = 1


class AlterTable(Struct, frozen=True):
    """`action` is add, drop, rename, with, alter (a column's type), mask (of the column named; None drops it)."""

    keyspace: str | None
    name: str
    action: str
    columns: tuple[ColumnDefinition, ...] = ()
    names: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    options: dict[str, OptionValue] = {}
    if_exists: bool = False
    if_column: bool = False
    timestamp: int | None = None
    mask: Mask | None = None


class DropTable(Struct, frozen=True):
    """DROP TABLE."""

    keyspace: str | None
    name: str
    if_exists: bool = False


class CreateIndex(Struct, frozen=True):
    """CREATE INDEX; `targets` are (column, '' or keys, values, entries, full)."""

    name: str | None
    keyspace: str | None
    table: str
    targets: tuple[tuple[str, str], ...]
    custom_class: str | None = None
    options: dict[str, OptionValue] = {}
    if_not_exists: bool = False
    custom: bool = False


class DropIndex(Struct, frozen=True):
    """DROP INDEX."""

    keyspace: str | None
    name: str
    if_exists: bool = False


class CreateType(Struct, frozen=True):
    """CREATE TYPE."""

    keyspace: str | None
    name: str
    fields: tuple[tuple[str, TypeName], ...]
    if_not_exists: bool = False


class AlterType(Struct, frozen=True):
    """ALTER TYPE; `action` is add or rename."""

    keyspace: str | None
    name: str
    action: str
    fields: tuple[tuple[str, TypeName], ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    if_exists: bool = False
    if_field: bool = False


class DropType(Struct, frozen=True):
    """DROP TYPE."""

    keyspace: str | None
    name: str
    if_exists: bool = False


class CreateView(Struct, frozen=True):
    """CREATE MATERIALIZED VIEW."""

    keyspace: str | None
    name: str
    select: Select
    partition_key: tuple[str, ...]
    clustering: tuple[str, ...]
    clustering_order: tuple[tuple[str, bool], ...]
    options: dict[str, OptionValue]
    if_not_exists: bool = False


class AlterView(Struct, frozen=True):
    """ALTER MATERIALIZED VIEW."""

    keyspace: str | None
    name: str
    options: dict[str, OptionValue]
    if_exists: bool = False


class DropView(Struct, frozen=True):
    """DROP MATERIALIZED VIEW."""

    keyspace: str | None
    name: str
    if_exists: bool = False


class Describe(Struct, frozen=True):
    """DESCRIBE; `what` is cluster, schema, keyspaces, tables, types, functions, aggregates, an element's kind, or ''
    for any.
    """

    what: str
    keyspace: str | None = None
    name: str | None = None
    internals: bool = False
    full: bool = False


class CreateFunction(Struct, frozen=True):
    """CREATE FUNCTION; the body is ignored, as functions are not supported."""

    keyspace: str | None
    name: str
    or_replace: bool
    if_not_exists: bool


class CreateAggregate(Struct, frozen=True):
    """CREATE AGGREGATE, which is parsed and rejected."""

    keyspace: str | None
    name: str
    arguments: tuple[TypeName, ...]
    state_function: str
    state_type: TypeName
    or_replace: bool
    if_not_exists: bool


class CreateTrigger(Struct, frozen=True):
    """CREATE TRIGGER, which is parsed and rejected."""

    keyspace: str | None
    table: str
    name: str
    trigger_class: str
    if_not_exists: bool = False


class DropTrigger(Struct, frozen=True):
    """DROP TRIGGER."""

    keyspace: str | None
    table: str
    name: str
    if_exists: bool = False


class DropFunction(Struct, frozen=True):
    """`kind` is Function or Aggregate. `arguments` is None if none are given."""

    kind: str
    keyspace: str | None
    name: str
    arguments: tuple[TypeName, ...] | None = None
    if_exists: bool = False


class Unsupported(Struct, frozen=True):
    """A statement of Cassandra's that this server does not support; see SKIPPED.md."""

    what: str


Modification = Insert | Update | Delete
Statement = (
    Select | Insert | Update | Delete | Batch | Truncate | Use | CreateKeyspace | AlterKeyspace | DropKeyspace
    | CreateTable | AlterTable | DropTable | CreateIndex | DropIndex | CreateType | AlterType | DropType
    | CreateView | AlterView | DropView | Describe | RoleStatement | CreateFunction | CreateAggregate | DropFunction
    | CreateTrigger | DropTrigger | Unsupported
)  # fmt: skip
