"""Which columns of a plan carry event time, by name: what `withWatermark` marked, through renamings and windows.

Spark marks columns by their metadata; here the plan is followed from the mark up. A column of `window` or
`session_window` over a marked column is marked too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TIME, WINDOW = "time", "window"
_WINDOWS = frozenset({"window", "session_window"})
_CALL = re.compile(
    r"\s*(window|session_window)\s*\(\s*`?(\w+)`?\s*,.*\)(?:\s+as\s+`?(\w+)`?)?\s*", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Mark:
    """`kind` TIME: the column is a timestamp; WINDOW: a struct whose `end` counts. `delay_us` of its watermark."""

    kind: str
    delay_us: int


Marks = Mapping[str, Mark]
"""By the names of columns in lower case, for Spark does not tell upper from lower."""


def marks_above(relation: Any, below: list[Marks]) -> Marks:
    """The marked columns that `relation` gives when its children give `below`."""
    kind = relation.WhichOneof("rel_type")
    joined = {name: mark for marks in below for name, mark in marks.items()}
    if kind == "project":
        return _projected(relation.project.expressions, joined)
    if kind == "aggregate":
        grouped = relation.aggregate.grouping_expressions
        marked = (_of(expression, joined) for expression in grouped)
        return {name.lower(): mark for name, mark in marked if mark is not None}
    if kind == "with_columns":
        added = {}
        for alias in relation.with_columns.aliases:
            mark = _of(alias.expr, joined)[1]
            joined.pop(alias.name[0].lower(), None)
            if mark is not None:
                added[alias.name[0].lower()] = mark
        return {**joined, **added}
    if kind == "with_columns_renamed":
        node = relation.with_columns_renamed
        names = {rename.col_name: rename.new_col_name for rename in node.renames} | dict(node.rename_columns_map)
        lower = {old.lower(): new.lower() for old, new in names.items()}
        return {lower.get(name, name): mark for name, mark in joined.items()}
    return joined


def _projected(expressions: Any, below: Marks) -> Marks:
    found: dict[str, Mark] = {}
    for expression in expressions:
        if expression.WhichOneof("expr_type") == "unresolved_star":
            found.update(below)
            continue
        name, mark = _of(expression, below)
        if mark is not None:
            found[name.lower()] = mark
    return found


def _of(expression: Any, below: Marks) -> tuple[str, Mark | None]:
    """The name of an expression's column, and its mark."""
    kind = expression.WhichOneof("expr_type")
    if kind == "alias":
        return expression.alias.name[0], _of(expression.alias.expr, below)[1]
    if kind == "unresolved_attribute":
        name = expression.unresolved_attribute.unparsed_identifier.replace("`", "")
        last = name.rpartition(".")[2]
        return last, below.get(name.lower()) or below.get(last.lower())
    if kind == "unresolved_function" and expression.unresolved_function.function_name.lower() in _WINDOWS:
        function = expression.unresolved_function
        mark = _of(function.arguments[0], below)[1]
        return function.function_name.lower(), None if mark is None else Mark(WINDOW, mark.delay_us)
    if kind == "expression_string":
        call = _CALL.fullmatch(expression.expression_string.expression)
        if call is not None:
            mark = below.get(call[2].lower())
            return call[3] or call[1].lower(), None if mark is None else Mark(WINDOW, mark.delay_us)
        name = expression.expression_string.expression.strip().strip("`")
        return name, below.get(name.lower())
    return "", None


def marked_column(names: Sequence[str], marks: Marks) -> str | None:
    """The first of the columns that carries event time."""
    return next((name for name in names if name.lower() in marks), None)


def mark_of(expression: Any, below: Marks) -> Mark | None:
    """The mark of a grouping expression's column."""
    return _of(expression, below)[1]


def name_of(expression: Any) -> str:
    """The column that a grouping expression makes where that is plain; "" otherwise."""
    return _of(expression, {})[0]
