"""One micro-batch of a plan: sources become their rows, stateful operators their results, and Sail computes the rest.

From the leaves up, each node of the stream becomes `Rows`: a table that is here, or a relation that Sail has not run.
What lies between two operators that need rows here is one query of Sail's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.front.relation import children, put
from smackbox.spark.structured.aggregation import Aggregation
from smackbox.spark.structured.analysis import Schemas
from smackbox.spark.structured.checkpoint import StateChanges
from smackbox.spark.structured.deduplication import Deduplication
from smackbox.spark.structured.operator import Metrics, Times
from smackbox.spark.structured.plan import Node, Plan
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sources.source import Batch


@dataclass
class Rows:
    """A table or a relation. `common` has the plan id by which columns refer to the rows.

    `node` is whose rows they are; `empty`: there are none, for the sources below gave none.
    """

    table: pa.Table | None = None
    relation: Any = None
    common: Any = None
    node: Node | None = None
    empty: bool = False


@dataclass
class EventTimes:
    """What a batch had in the column of one watermark, in microseconds."""

    least: int
    greatest: int
    average: float


class BatchRun:
    """The computation of one batch. `state` collects what the operators change."""

    def __init__(
        self,
        plan: Plan,
        operators: list[Any],
        sail: Sail,
        schemas: Schemas,
        *,
        inputs: list[Batch],
        state: StateChanges,
        times: Times,
        mode: str,
        totals: list[int],
    ) -> None:
        self._operators = operators
        self._sail = sail
        self._schemas = schemas
        self._inputs = inputs
        self.state = state
        self._times = times
        self._mode = mode
        self.metrics = [Metrics(operator.name, total=total) for operator, total in zip(operators, totals, strict=True)]
        self.event_times: dict[int, EventTimes] = {}

    def rows(self, node: Node) -> Rows:
        """What `node` gives in this batch. Raises `grpc.RpcError` with what Sail says."""
        if not node.streaming:
            return Rows(relation=node.relation)
        if node.is_source:
            batch = self._inputs[node.number]
            return Rows(batch.table, batch.relation, node.relation.common, node, empty=batch.rows == 0)
        if node.kind == "with_watermark":
            return self._watermarked(node)
        if node.kind == "aggregate":
            return self._aggregated(node)
        if node.kind == "deduplicate":
            operator: Deduplication = self._operators[node.number]
            table = self.table(self.rows(node.children[0]))
            passed = operator.pass_first(table, self.state, self._times, self.metrics[node.number])
            return Rows(passed, common=node.relation.common, node=node, empty=passed.num_rows == 0)
        if node.is_stateful:
            keeper = self._operators[node.number]
            table = self.table(self.rows(node.children[0]))
            given = keeper.process(table, self.state, self._times, self.metrics[node.number])
            return Rows(given, common=node.relation.common, node=node, empty=given.num_rows == 0)
        relation = relations_pb2.Relation()
        relation.CopyFrom(node.relation)
        empty = True
        for place, child in zip(children(relation), node.children, strict=True):
            if child.streaming:
                below = self.rows(child)
                empty = empty and below.empty
                put(place, self.relation(below))
        return Rows(relation=relation, node=node, empty=empty)

    def table(self, rows: Rows) -> pa.Table:
        """The rows here. What is made of no rows is not run: some functions of Sail fail on none."""
        if rows.table is not None:
            return rows.table
        if rows.empty and rows.node is not None:
            return self._schemas.of(rows.node).empty_table()
        return self._sail.run(rows.relation)

    def relation(self, rows: Rows) -> Any:
        """The rows as Sail reads them."""
        if rows.relation is None or (rows.empty and rows.node is not None):
            found = self._sail.local(self.table(rows))
        else:
            found = rows.relation
        if rows.common is None:
            return found
        named = relations_pb2.Relation()
        named.CopyFrom(found)
        named.common.CopyFrom(rows.common)
        return named

    def _watermarked(self, node: Node) -> Rows:
        child = node.children[0]
        table = self.table(self.rows(child))
        name = node.relation.with_watermark.event_time
        column = _column(table, name)
        if column.null_count < len(column):
            stamps = pc.cast(column.cast(pa.timestamp("us", column.type.tz)), pa.int64())
            found = pc.min_max(stamps).as_py()
            self.event_times[node.number] = EventTimes(found["min"], found["max"], pc.mean(stamps).as_py())
        return Rows(table, common=node.relation.common, node=node, empty=table.num_rows == 0)

    def _aggregated(self, node: Node) -> Rows:
        operator: Aggregation = self._operators[node.number]
        below = self.rows(node.children[0])
        if below.empty and operator.grouped:
            partial = pa.table({})
        else:
            partial = self._sail.run(operator.partial(self.relation(below)))
        results = operator.merge(partial, self.state, self._times, self._mode, self.metrics[node.number])
        table, relation = operator.shaped(results, self._sail)
        return Rows(table, relation, node.relation.common, node, empty=results.num_rows == 0)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column, or a field of a struct, `a.b`."""
    by_name = {column.lower(): column for column in table.schema.names}
    plain = name.replace("`", "")
    if plain.lower() in by_name:
        return table.column(by_name[plain.lower()])
    first, *rest = plain.split(".")
    column = table.column(by_name[first.lower()])
    for part in rest:
        column = pc.struct_field(column, part)
    return column
