"""Aggregates in SQL text over a stream: `SELECT …, f(x) AS name FROM view [WHERE …] [GROUP BY …]`, as a relation.

Sail parses SQL for itself, and an aggregate has to be taken apart to be kept over batches. So the plain shape above is
read here: items are grouping expressions as they stand in GROUP BY, or one function each. Anything beyond is left as
text, and refused where it would need a memory of other batches (`checks`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from smackbox.spark.front.messages import expressions_pb2, relations_pb2
from smackbox.spark.front.relation import put, relations
from smackbox.spark.structured.aggregates import aggregate_of
from smackbox.spark.structured.aggregation import GROUP_BY

_QUERY = re.compile(
    r"\s*SELECT\s+(?P<items>.+?)\s+FROM\s+`?(?P<view>\w+)`?(?:\s+WHERE\s+(?P<where>.+?))?"
    r"(?:\s+GROUP\s+BY\s+(?P<groups>.+?))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_BEYOND = re.compile(
    r"\b(SELECT|JOIN|UNION|INTERSECT|EXCEPT|MINUS|HAVING|ORDER|SORT|CLUSTER|DISTRIBUTE|LIMIT|OFFSET|OVER|DISTINCT|ROLLUP|CUBE"
    r"|GROUPING|PIVOT|LATERAL|FILTER|WITHIN)\b",
    re.IGNORECASE,
)
_ALIAS = re.compile(r"(?P<text>.+?)\s+(?:AS\s+)?`?(?P<name>\w+)`?", re.IGNORECASE | re.DOTALL)
_FUNCTION = re.compile(r"(?P<name>\w+)\s*\((?P<arguments>.*)\)", re.DOTALL)
Names = Callable[[Any], list[str]]


def take_apart(message: Any, names_of: Names) -> None:
    """Replace such texts in `message` by relations. `names_of`: the columns of a relation, asked of Sail."""
    for relation in list(relations(message)):
        if relation.WhichOneof("rel_type") != "with_relations":
            continue
        whole = relation.with_relations
        if whole.root.WhichOneof("rel_type") != "sql" or len(whole.references) != 1:
            continue
        made = _aggregated(whole.root.sql.query, whole.references[0], partial(names_of, relation))
        if made is not None:
            put(relation, made)


def _aggregated(text: str, view: Any, names: Callable[[], list[str]]) -> Any | None:
    query = _QUERY.fullmatch(text)
    if query is None or _BEYOND.search(text.strip()[len("SELECT") :]):
        return None
    groups = list(_split(query["groups"])) if query["groups"] else []
    items = [_without_alias(item) for item in _split(query["items"])]
    functions = [_function(item) for item in items]
    keys = [_plain(group) for group in groups]
    if not any(functions) or any(group.isdigit() for group in groups):
        return None
    if any(function is None and _plain(item) not in keys for item, function in zip(items, functions, strict=True)):
        return None
    made = relations_pb2.Relation()
    aggregate = made.project.input.aggregate
    aggregate.group_type = GROUP_BY
    rows = aggregate.input
    if query["where"]:
        rows.filter.condition.expression_string.expression = query["where"]
        rows = rows.filter.input
    rows.CopyFrom(view)
    for number, group in enumerate(groups):
        alias = aggregate.grouping_expressions.add().alias
        alias.name.append(f"__g{number}")
        alias.expr.expression_string.expression = group
    for item, function, name in zip(items, functions, names(), strict=True):
        shown = made.project.expressions.add().alias
        shown.name.append(name)
        if function is None:
            shown.expr.unresolved_attribute.unparsed_identifier = f"__g{keys.index(_plain(item))}"
            continue
        column = f"__a{len(aggregate.aggregate_expressions)}"
        alias = aggregate.aggregate_expressions.add().alias
        alias.name.append(column)
        alias.expr.CopyFrom(function)
        shown.expr.unresolved_attribute.unparsed_identifier = column
    return made


def _function(item: str) -> Any | None:
    """An item that is one aggregate function; None for another. Raises `SparkError` for one that cannot be merged."""
    call = _FUNCTION.fullmatch(item)
    if call is None:
        return None
    made = expressions_pb2.Expression()
    function = made.unresolved_function
    function.function_name = call["name"].lower()
    for argument in _split(call["arguments"]):
        if argument == "*":
            function.arguments.add().literal.integer = 1
        else:
            function.arguments.add().expression_string.expression = argument
    return made if aggregate_of(function) is not None else None


def _without_alias(item: str) -> str:
    alias = _ALIAS.fullmatch(item)
    if alias is None or alias["text"].count("(") != alias["text"].count(")"):
        return item
    return alias["text"].strip()


def _plain(text: str) -> str:
    return re.sub(r"[\s`]+", "", text).lower()


def _split(text: str) -> Iterator[str]:
    """At commas outside of brackets and quotes."""
    depth, quote, start = 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        elif letter in "([":
            depth += 1
        elif letter in ")]":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    if text[start:].strip():
        yield text[start:].strip()
