"""What Spark refuses when a stream is started: `UnsupportedOperationChecker`, in its words."""

from __future__ import annotations

import re
from typing import Any

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError, not_there
from smackbox.spark.front.rewrite import legacy_analysis_error
from smackbox.spark.structured.aggregates import aggregate_of
from smackbox.spark.structured.event_time import mark_of
from smackbox.spark.structured.plan import Node, Plan

APPEND, UPDATE, COMPLETE = "append", "update", "complete"
_INNER, _FULL, _LEFT, _RIGHT, _ANTI, _SEMI, _CROSS = range(1, 8)
"""`Join.JoinType`."""
_JOIN_NAMES = {_INNER: "Inner", _FULL: "FullOuter", _LEFT: "LeftOuter", _RIGHT: "RightOuter", _ANTI: "LeftAnti"} | {
    _SEMI: "LeftSemi",
    _CROSS: "Cross",
}
_SET_OPS = {1: "Intersect", 2: "Union", 3: "Except"}
_GROUP_BY = 1
_NEVER = {
    "sample": "Sampling is not supported on streaming DataFrames/Datasets",
    "tail": "Tails are not supported on streaming DataFrames/Datasets",
}
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)
_NOT_STATELESS = re.compile(
    r"\b(GROUP\s+BY|DISTINCT|ORDER\s+BY|SORT\s+BY|LIMIT|OFFSET|HAVING|OVER|UNION|INTERSECT|EXCEPT|MINUS|TABLESAMPLE|PIVOT"
    r"|EXISTS|(?:count|sum|avg|mean|min|max|first|last|any_value|collect_list|collect_set|array_agg|stddev\w*|var\w*"
    r"|approx_\w+|percentile\w*|bool_and|bool_or|every|some|count_if|max_by|min_by|corr|median|mode)(?=\s*\())",
    re.IGNORECASE,
)
CORRECTNESS = (
    "Detected pattern of possible 'correctness' issue due to global watermark. The query contains stateful operation "
    'which can emit rows older than the current watermark plus allowed late record delay, which are "late rows" in '
    "downstream stateful operations and these rows can be discarded. Please refer the programming guide doc for more "
    "details. If you understand the possible risk of correctness issue and still need to run the query, you can "
    "disable this check by setting the config `spark.sql.streaming.statefulOperator.checkCorrectness.enabled` to false."
)


def output_mode(text: str) -> str:
    """`append` by default. Raises `SparkError` for another word."""
    mode = text.lower() or APPEND
    if mode not in {APPEND, UPDATE, COMPLETE}:
        raise SparkError(
            f"Invalid streaming output mode: {text}. Accepted output modes are 'Append', 'Complete', 'Update'.",
            condition="STREAMING_OUTPUT_MODE.INVALID",
            classes=ILLEGAL_ARGUMENT,
            sql_state="42KDE",
            parameters={"outputMode": text},
        )
    return mode


def check_streaming(plan: Plan) -> None:
    """Raises `SparkError` for a plan that is no stream."""
    if not plan.root.streaming:
        raise SparkError(
            "`writeStream` can be called only on streaming Dataset/DataFrame.",
            condition="WRITE_STREAM_NOT_ALLOWED",
            sql_state="42601",
        )


def check(plan: Plan, mode: str) -> None:
    """Raises `SparkError` for a plan that cannot run in `mode`."""
    aggregations = [node for node in plan.operators if node.kind == "aggregate"]
    if mode == COMPLETE and not aggregations:
        raise _mode_error(mode, "no streaming aggregations")
    if mode == APPEND and not all(_has_event_time(node) for node in aggregations):
        raise _mode_error(mode, "streaming aggregations without watermark")
    if mode == UPDATE and any(_has_sessions(node) for node in aggregations):
        raise _mode_error(mode, "session window streaming aggregations")
    if len(aggregations) > 1:
        if mode != APPEND:
            raise legacy_analysis_error(CORRECTNESS)
        raise not_there("several aggregations in one stream", "Write the first one's result to a topic and read it.")
    for node in plan.root.walk():
        if node.streaming:
            _check_node(node, mode, aggregated=any(below.kind == "aggregate" for below in node.walk()))


def _has_sessions(node: Node) -> bool:
    return any(
        function.function_name.lower() == "session_window"
        for expression in node.relation.aggregate.grouping_expressions
        for function in _functions(expression)
    )


def _has_event_time(node: Node) -> bool:
    below = node.children[0].marks
    return any(mark_of(expression, below) for expression in node.relation.aggregate.grouping_expressions)


def _check_node(node: Node, mode: str, *, aggregated: bool) -> None:
    kind = node.kind
    if kind in _NEVER:
        raise legacy_analysis_error(_NEVER[kind])
    if kind == "sort" and not (mode == COMPLETE and aggregated):
        raise legacy_analysis_error(
            "Sorting is not supported on streaming DataFrames/Datasets, unless it is on aggregated DataFrame/Dataset "
            "in Complete output mode"
        )
    if kind == "limit" and not (mode == COMPLETE and aggregated):
        if mode == UPDATE:
            raise legacy_analysis_error(
                "Limits are not supported on streaming DataFrames/Datasets in Update output mode"
            )
        raise not_there("a limit on a stream", "Limit what a batch has in foreachBatch.")
    if kind == "join":
        _check_join(node, mode)
    elif kind == "set_op":
        _check_set_op(node)
    elif kind == "aggregate":
        _check_aggregate(node.relation.aggregate)
    elif kind == "deduplicate" and node.relation.deduplicate.within_watermark and not node.children[0].marks:
        raise legacy_analysis_error(
            "dropDuplicatesWithinWatermark is not supported on streaming DataFrames/DataSets without watermark"
        )
    elif kind == "project":
        _check_windows(node.relation.project)
    elif kind == "with_relations":
        _check_sql(node.relation.with_relations.root)


def _check_sql(root: Any) -> None:
    """SQL text runs batch by batch, as Sail reads it: it must be what has no memory of other batches."""
    text = root.sql.query if root.WhichOneof("rel_type") == "sql" else ""
    found = _NOT_STATELESS.search(_QUOTED.sub("''", text))
    if found is not None:
        raise not_there(
            f"{found[1].upper()} in SQL text over a stream",
            "Write it with the DataFrame API: aggregates, joins of streams and the like are taken apart there.",
        )


def _check_join(node: Node, mode: str) -> None:
    left, right = (child.streaming for child in node.children)
    kind = node.relation.join.join_type
    name = _JOIN_NAMES.get(kind, "Inner")
    if left and right:
        if mode != APPEND:
            raise legacy_analysis_error(
                "Join between two streaming DataFrames/Datasets is not supported in "
                f"{mode.capitalize()} output mode, only in Append output mode"
            )
        raise not_there("a join of two streams", "Join a stream with a table.")
    if kind == _FULL:
        side, other = ("left", "right") if left else ("right", "left")
        raise legacy_analysis_error(
            f"FullOuter joins with streaming DataFrames/Datasets on the {side} and a static DataFrame/Dataset on the "
            f"{other} is not supported"
        )
    if (kind == _RIGHT and left) or (kind in {_LEFT, _ANTI, _SEMI} and right):
        side, other = ("left", "right") if left else ("right", "left")
        raise legacy_analysis_error(
            f"{name} join with a streaming DataFrame/Dataset on the {side} and a static DataFrame/DataSet on the "
            f"{other} not supported"
        )


def _check_set_op(node: Node) -> None:
    name = _SET_OPS.get(node.relation.set_op.set_op_type, "Union")
    if name != "Union":
        raise legacy_analysis_error(f"{name} on streaming DataFrames/Datasets is not supported")
    if not all(child.streaming for child in node.children):
        raise legacy_analysis_error("Union between streaming and batch DataFrames/Datasets is not supported")


def _check_aggregate(node: Any) -> None:
    if node.group_type != _GROUP_BY:
        raise legacy_analysis_error("GroupingSets is not supported on streaming DataFrames/Datasets")
    for expression in node.aggregate_expressions:
        for function in _functions(expression):
            aggregate_of(function)


def _functions(message: Any) -> list[Any]:
    """All `UnresolvedFunction`s in an expression."""
    found = [message] if message.DESCRIPTOR.name == "UnresolvedFunction" else []
    for item, value in message.ListFields():
        if item.message_type is None or item.message_type.GetOptions().map_entry:
            continue
        for part in value if item.is_repeated else [value]:
            found.extend(_functions(part))
    return found


def _check_windows(project: Any) -> None:
    for expression in project.expressions:
        inner = expression.alias.expr if expression.WhichOneof("expr_type") == "alias" else expression
        if inner.WhichOneof("expr_type") == "window":
            name = inner.window.window_function.unresolved_function.function_name.upper()
            column = expression.alias.name[0] if expression.WhichOneof("expr_type") == "alias" else name.lower()
            raise SparkError(
                f"Window function is not supported in {name}() (as column `{column}`) on streaming "
                "DataFrames/Datasets.\nStructured Streaming only supports time-window aggregation using the WINDOW "
                "function.",
                condition="NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING",
                sql_state="42KDE",
                parameters={"windowFunc": f"{name}()", "columnName": f"`{column}`", "windowSpec": ""},
            )


def _mode_error(mode: str, operation: str) -> SparkError:
    return SparkError(
        f"Invalid streaming output mode: {mode}. This output mode is not supported for {operation} on streaming "
        "DataFrames/DataSets.",
        condition="STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION",
        sql_state="42KDE",
        parameters={"outputMode": mode, "operation": operation},
    )
