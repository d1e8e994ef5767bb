"""The effect of a table change on its views, and a view's WHERE clause as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace

from smackbox.cassandra.analysis.view_plan import where_of
from smackbox.cassandra.state.columns import REGULAR
from smackbox.cassandra.state.schema import Keyspace, Table, TableRecord
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.show import show
from smackbox.cassandra.wire.types import quoted


def changed_views(before: Table, after: TableRecord, keyspace: Keyspace, renames: dict[str, str]) -> list[TableRecord]:
    """The views of `before` after its change to `after`: keys are renamed, `SELECT *` gets new columns."""
    known = {column.number for column in before.columns}
    fresh = tuple(column for column in after.columns if column.kind == REGULAR and column.number not in known)
    changed = []
    for view in keyspace.views_of(before.name):
        record = view.record
        if renames:
            columns = tuple(replace(column, name=renames.get(column.name, column.name)) for column in record.columns)
            where = (
                replace(relation, columns=tuple(renames.get(name, name) for name in relation.columns))
                for relation in where_of(view)
            )
            record = replace(record, columns=columns, where_clause=where_text(tuple(where)))
        if fresh and record.include_all_columns:
            record = replace(record, columns=(*record.columns, *fresh), next_column=after.next_column)
        if record is not view.record:
            changed.append(record)
    return changed


# ---- WHERE as text ---------------------------------------------------------------------------------------------------


def where_text(where: Sequence[ast.Relation]) -> str:
    """A WHERE clause as CQL that parses to the same relations."""
    return " AND ".join(map(_relation_text, where))


def _relation_text(relation: ast.Relation) -> str:
    names = ", ".join(map(quoted, relation.columns))
    left = f"({names})" if relation.multi else names
    if relation.element is not None:
        left += f"[{_text(relation.element)}]"
    value = relation.value
    if value is None:
        return f"{left} {relation.operator}"
    if not isinstance(value, tuple):
        return f"{left} {relation.operator} {_text(value)}"
    return f"{left} {relation.operator} ({', '.join(map(_text, value))})"


def _text(expression: ast.Expression) -> str:
    return show(_escaped(expression))


def _escaped(part: Any) -> Any:
    """The same text with the quotes in its string literals doubled."""
    if isinstance(part, ast.Literal):
        return replace(part, text=part.text.replace("'", "''")) if part.kind == "string" else part
    if isinstance(part, tuple):
        return tuple(map(_escaped, part))
    if isinstance(part, Struct):
        return replace(part, **dict(_escaped_fields(part)))
    return part


def _escaped_fields(part: Struct) -> Iterator[tuple[str, Any]]:
    for field in fields(part):
        yield field.name, _escaped(getattr(part, field.name))
