"""Aggregation of a stream: Sail aggregates a batch, and the partial results are merged with the state, group by group.

State: `operator, end of the event time, group` -> the partial values. Append gives groups whose time the watermark has
passed, and forgets them; update gives the groups that changed; complete gives all, and forgets none. Late groups are
dropped in append and update, as Spark's state store operators do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import not_there
from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.structured.aggregates import Aggregate, aggregate_of
from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.checks import APPEND, COMPLETE
from smackbox.spark.structured.event_time import WINDOW, Mark, mark_of
from smackbox.spark.structured.operator import NEVER, Metrics, Times, everything, expired
from smackbox.spark.structured.plan import Node
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.values import moment_us, ordered, pack, unpack

Group = tuple[list[Any], list[Any]]
"""The values of the grouping expressions, and the partial values."""
GROUP_BY: Any = 1
"""`Aggregate.GroupType`."""
_CALL = re.compile(
    r"\s*(?P<name>\w+)\s*\(\s*(?P<argument>\*|[\w.`]+)?\s*\)(?:\s+as\s+`?(?P<alias>\w+)`?)?\s*", re.IGNORECASE
)


class Aggregation:
    """Made once for a query; `stand_in` is a relation without rows that has the schema of the input."""

    name = "stateStoreSave"

    def __init__(self, node: Node, stand_in: Any, sail: Sail) -> None:
        aggregate = node.relation.aggregate
        self._prefix = bytes([node.number])
        self._groups = list(aggregate.grouping_expressions)
        self._marks = [mark_of(expression, node.children[0].marks) for expression in self._groups]
        self._functions: list[tuple[Any, Aggregate, list[int]]] = []
        self._partials: list[tuple[str, list[Any]]] = []
        self._finals = [self._extract(_parsed(expression)) for expression in aggregate.aggregate_expressions]
        self._schema = _aggregated(node.relation, stand_in, sail)
        self._types = self._result_types(stand_in, sail)
        self._keys = self._schema.names[: len(self._groups)]
        self._plain = [_plain(expression) for expression in self._finals]

    @property
    def grouped(self) -> bool:
        """Whether there are groups; without, there is one result of no rows too."""
        return bool(self._groups)

    def partial(self, rows: Any) -> Any:
        """The relation that aggregates a batch: the groups, then the partial values."""
        relation = relations_pb2.Relation()
        node = relation.aggregate
        node.group_type = GROUP_BY
        node.grouping_expressions.extend(self._groups)
        node.input.CopyFrom(rows)
        arguments: list[Any] = []
        for number, (name, given) in enumerate(self._partials):
            alias = node.aggregate_expressions.add().alias
            alias.name.append(f"__p{number}")
            alias.expr.unresolved_function.function_name = name
            for argument in given:
                alias.expr.unresolved_function.arguments.append(_as_column(argument, arguments))
        if arguments:
            wide = relations_pb2.Relation()
            wide.with_columns.input.CopyFrom(rows)
            for number, argument in enumerate(arguments):
                column = wide.with_columns.aliases.add()
                column.name.append(f"__a{number}")
                column.expr.CopyFrom(argument)
            node.input.CopyFrom(wide)
        return relation

    def merge(self, table: pa.Table, state: StateChanges, times: Times, mode: str, metrics: Metrics) -> pa.Table:
        """Join a batch's partial results with the state; what the operator gives: groups and function results."""
        began = time.perf_counter()
        touched = self._update(table, state, None if mode == COMPLETE else times.late_us, metrics)
        metrics.updates_ms = (time.perf_counter() - began) * 1000
        began = time.perf_counter()
        gone: list[Group] = []
        if mode != COMPLETE and times.evict_us is not None and any(self._marks):
            gone = self._evict(state, times.evict_us)
            metrics.removed += len(gone)
            metrics.total -= len(gone)
        metrics.removals_ms = (time.perf_counter() - began) * 1000
        if mode == COMPLETE:
            return self._results(self._all(state))
        return self._results(gone if mode == APPEND else touched)

    def shaped(self, results: pa.Table, sail: Sail) -> tuple[pa.Table | None, Any]:
        """The operator's columns: as a table, or as a relation where Sail has to compute on the results."""
        if all(number is not None for number in self._plain):
            columns = results.columns
            numbers = [number for number in self._plain if number is not None]
            chosen = columns[: len(self._keys)] + [columns[len(self._keys) + number] for number in numbers]
            fitted = [column.cast(field.type) for column, field in zip(chosen, self._schema, strict=True)]
            return pa.Table.from_arrays(fitted, schema=self._schema), None
        relation = relations_pb2.Relation()
        project = relation.to_df.input.project
        project.input.CopyFrom(sail.local(results))
        for name in self._keys:
            project.expressions.add().unresolved_attribute.unparsed_identifier = f"`{name}`"
        project.expressions.extend(self._finals)
        relation.to_df.column_names.extend(self._schema.names)
        return None, relation

    def _all(self, state: StateChanges) -> list[Group]:
        return [(unpack(key[9:]), unpack(value)) for key, value in state.items(*everything(self._prefix))]

    def _evict(self, state: StateChanges, evict_us: int) -> list[Group]:
        """Forget the groups whose time has passed; they are given back."""
        gone = list(state.items(*expired(self._prefix, evict_us)))
        for key, _ in gone:
            state.delete(key)
        return [(unpack(key[9:]), unpack(value)) for key, value in gone]

    def _update(self, table: pa.Table, state: StateChanges, late_us: int | None, metrics: Metrics) -> list[Group]:
        """Join partial results with the state; the groups that changed."""
        width = len(self._groups)
        touched: dict[bytes, list[Any]] = {}
        for row in rows_of(table):
            group, values = list(row[:width]), list(row[width:])
            until = self._until(group)
            if late_us is not None and until <= late_us:
                metrics.dropped_by_watermark += 1
                continue
            key = self._prefix + ordered(until) + pack(group)
            old = touched.get(key)
            if old is None:
                kept = state.get(key)
                if kept is None:
                    metrics.total += 1
                else:
                    old = unpack(kept)
            touched[key] = values if old is None else self._merged(old, values)
        for key, values in touched.items():
            state.put(key, pack(values))
        metrics.updated += len(touched)
        return [(unpack(key[9:]), values) for key, values in touched.items()]

    def _merged(self, old: list[Any], new: list[Any]) -> list[Any]:
        merged: list[Any] = list(new)
        for _, aggregate, numbers in self._functions:
            values = aggregate.merge([old[number] for number in numbers], [new[number] for number in numbers])
            for number, value in zip(numbers, values, strict=True):
                merged[number] = value
        return merged

    def _until(self, group: list[Any]) -> int:
        """When a group may be forgotten; `NEVER` without event time, or when it is null."""
        for value, mark in zip(group, self._marks, strict=True):
            if mark is not None and value is not None:
                return _time_us(value, mark)
        return NEVER

    def _results(self, given: list[Group]) -> pa.Table:
        columns = [_array([group[n] for group, _ in given], self._schema.types[n]) for n in range(len(self._keys))]
        names = list(self._keys)
        for number, (_, aggregate, numbers) in enumerate(self._functions):
            results = [aggregate.result([values[n] for n in numbers]) for _, values in given]
            columns.append(_array(results, self._types[number]))
            names.append(f"__f{number}")
        return pa.Table.from_arrays(columns, names=names)

    def _extract(self, expression: Any) -> Any:
        """A copy of an expression where each aggregate function is a column `__fN` of the results."""
        copy = type(expression)()
        copy.CopyFrom(expression)
        _replace(copy, self._column_of)
        return copy

    def _column_of(self, function: Any) -> str | None:
        aggregate = aggregate_of(function)
        if aggregate is None:
            return None
        numbers = []
        for name, chosen in aggregate.partials:
            given = list(function.arguments)
            arguments = given if -1 in chosen else [given[number] for number in chosen]
            partial = (name, arguments)
            if partial not in self._partials:
                self._partials.append(partial)
            numbers.append(self._partials.index(partial))
        self._functions.append((function, aggregate, numbers))
        return f"__f{len(self._functions) - 1}"

    def _result_types(self, stand_in: Any, sail: Sail) -> list[pa.DataType]:
        """The Arrow type of each function's result, asked of Sail, each under a name of its own."""
        types: list[pa.DataType] = []
        for function, _, _ in self._functions:
            relation = relations_pb2.Relation()
            relation.aggregate.group_type = GROUP_BY
            relation.aggregate.input.CopyFrom(stand_in)
            relation.aggregate.aggregate_expressions.add().unresolved_function.CopyFrom(function)
            types.append(sail.schema(relation).types[0])
        return types


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows of a table as tuples."""
    columns = [column.to_pylist() for column in table.columns]
    return zip(*columns, strict=True) if columns else iter(())


def _aggregated(relation: Any, stand_in: Any, sail: Sail) -> pa.Schema:
    """The schema of the whole node, asked for one function at a time: Sail mixes up names of similar ones."""
    single = relations_pb2.Relation()
    single.CopyFrom(relation)
    single.aggregate.input.CopyFrom(stand_in)
    given = list(relation.aggregate.aggregate_expressions)
    fields: list[pa.Field] = []
    for expression in given:
        del single.aggregate.aggregate_expressions[:]
        single.aggregate.aggregate_expressions.append(expression)
        found = sail.schema(single)
        fields = fields or list(found)[:-1]
        fields.append(found.field(len(found) - 1))
    return pa.schema(fields)


def _time_us(value: Any, mark: Mark) -> int:
    moment = moment_us(value["end"] if mark.kind == WINDOW else value)
    return NEVER if moment is None else moment


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind):
        return pa.array([None if value is None else _rounded(value, kind.scale) for value in values], kind)
    return pa.array([_pairs(value, kind) for value in values] if _has_map(kind) else values, kind)


def _has_map(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return True
    return any(_has_map(kind.field(number).type) for number in range(kind.num_fields))


def _pairs(value: Any, kind: pa.DataType) -> Any:
    """Arrow takes the entries of a map as tuples only; the state has lists."""
    if value is None:
        return None
    if pa.types.is_map(kind):
        return [(_pairs(key, kind.key_type), _pairs(item, kind.item_type)) for key, item in value]
    if pa.types.is_list(kind):
        return [_pairs(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _pairs(value[field.name], field.type) for field in map(kind.field, range(kind.num_fields))}
    return value


def _rounded(value: Any, scale: int) -> Any:
    from decimal import ROUND_HALF_UP, Decimal

    from smackbox.spark.structured.aggregates import DECIMAL

    return Decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, DECIMAL)


def _as_column(argument: Any, arguments: list[Any]) -> Any:
    """Arguments are columns of their own below the aggregation: Sail names sums of `v` and of `cast(v)` alike."""
    if argument.WhichOneof("expr_type") == "literal":
        return argument
    column = type(argument)()
    if argument.WhichOneof("expr_type") == "unresolved_star":
        column.literal.integer = 1
        return column
    if argument not in arguments:
        arguments.append(argument)
    column.unresolved_attribute.unparsed_identifier = f"__a{arguments.index(argument)}"
    return column


def _replace(message: Any, column_of: Any) -> None:
    """Put columns where aggregate functions are; other columns lose the plan that they are of."""
    if message.DESCRIPTOR.name == "Expression":
        kind = message.WhichOneof("expr_type")
        if kind == "unresolved_function":
            name = column_of(message.unresolved_function)
            if name is not None:
                message.unresolved_attribute.unparsed_identifier = name
                return
        elif kind == "unresolved_attribute":
            message.unresolved_attribute.ClearField("plan_id")
            return
    for item, value in message.ListFields():
        if item.message_type is None or item.message_type.GetOptions().map_entry:
            continue
        for part in value if item.is_repeated else [value]:
            _replace(part, column_of)


def _plain(expression: Any) -> int | None:
    """The number of the function that an expression is, perhaps under another name; None for more than that."""
    inner = expression.alias.expr if expression.WhichOneof("expr_type") == "alias" else expression
    if inner.WhichOneof("expr_type") != "unresolved_attribute":
        return None
    name = inner.unresolved_attribute.unparsed_identifier
    return int(name.removeprefix("__f")) if name.startswith("__f") else None


def _parsed(expression: Any) -> Any:
    """SQL text of one function of one column is understood; other text cannot be taken apart here."""
    if expression.WhichOneof("expr_type") != "expression_string":
        return expression
    text = expression.expression_string.expression
    call = _CALL.fullmatch(text)
    if call is None:
        raise not_there(f"the SQL text {text!r} as an aggregate of a stream", "Write it with pyspark.sql.functions.")
    made = type(expression)()
    function = made.alias.expr.unresolved_function if call["alias"] else made.unresolved_function
    if call["alias"]:
        made.alias.name.append(call["alias"])
    function.function_name = call["name"].lower()
    if call["argument"] == "*":
        function.arguments.add().literal.integer = 1
    elif call["argument"]:
        function.arguments.add().unresolved_attribute.unparsed_identifier = call["argument"]
    return made
