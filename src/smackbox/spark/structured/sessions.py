"""Aggregation by `session_window` with a fixed gap: sessions of a key that overlap or touch become one.

Sail has no session windows: a batch is aggregated by the other keys and the event time, and each time becomes a session
`[time, time + gap)`. State: `operator, 1, key` -> [[start, end, partial values], …] in microseconds, by start;
`operator, 0, end, key` -> nothing, to find what the watermark has passed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import SparkError, not_there
from smackbox.spark.front.messages import expressions_pb2, relations_pb2
from smackbox.spark.structured.aggregation import Aggregation, Group, rows_of
from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.durations import microseconds
from smackbox.spark.structured.operator import Metrics, everything, expired
from smackbox.spark.structured.plan import Node
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.values import moment_us, ordered, pack, unpack

SESSION_WINDOW = "session_window"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def session_of(expression: Any) -> Any | None:
    """The `session_window` function that a grouping expression is; None for another."""
    inner = expression.alias.expr if expression.WhichOneof("expr_type") == "alias" else expression
    if inner.WhichOneof("expr_type") != "unresolved_function":
        return None
    function = inner.unresolved_function
    return function if function.function_name.lower() == SESSION_WINDOW else None


def as_window(expression: Any) -> Any:
    """The same column as Sail knows it, to be analyzed: a tumbling window has the type of a session."""
    function = session_of(expression)
    made = expressions_pb2.Expression()
    name = expression.alias.name[0] if expression.WhichOneof("expr_type") == "alias" else SESSION_WINDOW
    made.alias.name.append(name)
    window = made.alias.expr.unresolved_function
    window.function_name = "window"
    window.arguments.add().CopyFrom(function.arguments[0])  # type: ignore[union-attr]
    window.arguments.add().literal.string = "1 second"
    return made


class SessionAggregation(Aggregation):
    """Raises `SparkError` for a gap that is computed, and for sessions without another key, as Spark does."""

    name = "sessionWindowStateStoreSaveExec"

    def __init__(self, node: Node, stand_in: Any, sail: Sail) -> None:
        groups = list(node.relation.aggregate.grouping_expressions)
        (self._place,) = (number for number, expression in enumerate(groups) if session_of(expression) is not None)
        function = session_of(groups[self._place])
        assert function is not None
        if len(groups) == 1:
            raise SparkError("Global aggregation with session window in streaming query is not supported.")
        if function.arguments[1].literal.WhichOneof("literal_type") != "string":
            raise not_there("a session window with a gap that is computed", "Give a gap like '5 minutes'.")
        self._gap_us = microseconds(function.arguments[1].literal.string)
        known = relations_pb2.Relation()
        known.CopyFrom(node.relation)
        known.aggregate.grouping_expressions[self._place].CopyFrom(as_window(groups[self._place]))
        super().__init__(Node(known, node.kind, node.children, node.streaming, node.marks, node.number), stand_in, sail)
        self._groups[self._place] = function.arguments[0]
        self._sessions = bytes([node.number, 1])
        self._ends = bytes([node.number, 0])

    def _update(self, table: pa.Table, state: StateChanges, late_us: int | None, metrics: Metrics) -> list[Group]:
        width = len(self._groups)
        arrived: dict[bytes, list[list[Any]]] = {}
        for row in rows_of(table):
            group, values = list(row[:width]), list(row[width:])
            start = moment_us(group.pop(self._place))
            if start is None:
                continue
            end = start + self._gap_us
            if late_us is not None and end <= late_us:
                metrics.dropped_by_watermark += 1
                continue
            arrived.setdefault(pack(group), []).append([start, end, values])
        changed: list[Group] = []
        for key, sessions in arrived.items():
            before = self._load(key, state)
            after = self._joined([*before, *sessions])
            self._store(key, before, after, state)
            # a session that began later, or is part of another one, is an entry less
            metrics.removed += len({session[0] for session in before} - {session[0] for session in after})
            metrics.total += len(after) - len(before)
            metrics.updated += len(after)
            changed.extend(self._group(key, session) for session in after)
        return changed

    def _joined(self, sessions: list[list[Any]]) -> list[list[Any]]:
        joined: list[list[Any]] = []
        for start, end, values in sorted(sessions, key=lambda session: session[0]):
            if joined and start <= joined[-1][1]:
                joined[-1] = [joined[-1][0], max(joined[-1][1], end), self._merged(joined[-1][2], values)]
            else:
                joined.append([start, end, values])
        return joined

    def _evict(self, state: StateChanges, evict_us: int) -> list[Group]:
        gone: list[Group] = []
        keys = {index[len(self._ends) + 8 :] for index, _ in state.items(*expired(self._ends, evict_us))}
        for key in sorted(keys):
            before = self._load(key, state)
            after = [session for session in before if session[1] > evict_us]
            self._store(key, before, after, state)
            gone.extend(self._group(key, session) for session in before if session[1] <= evict_us)
        return gone

    def _all(self, state: StateChanges) -> list[Group]:
        return [
            self._group(key[len(self._sessions) :], session)
            for key, value in state.items(*everything(self._sessions))
            for session in unpack(value)
        ]

    def _load(self, key: bytes, state: StateChanges) -> list[list[Any]]:
        found = state.get(self._sessions + key)
        return [] if found is None else unpack(found)

    def _store(self, key: bytes, before: list[list[Any]], after: list[list[Any]], state: StateChanges) -> None:
        for session in before:
            state.delete(self._ends + ordered(session[1]) + key)
        for session in after:
            state.put(self._ends + ordered(session[1]) + key, b"")
        if after:
            state.put(self._sessions + key, pack(after))
        else:
            state.delete(self._sessions + key)

    def _group(self, key: bytes, session: list[Any]) -> Group:
        start, end, values = session
        group = unpack(key)
        window = {"start": _EPOCH + timedelta(microseconds=start), "end": _EPOCH + timedelta(microseconds=end)}
        group.insert(self._place, window)
        return group, values
