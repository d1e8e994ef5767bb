"""A stream's plan as a tree of nodes: which relations are of the stream, which keep state, where event time is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smackbox.spark.front.relation import children
from smackbox.spark.structured.durations import microseconds
from smackbox.spark.structured.event_time import TIME, Mark, Marks, marks_above

STATEFUL = frozenset({"aggregate", "deduplicate", "group_map", "apply_in_pandas_with_state"})


@dataclass
class Node:
    """`number` counts sources, watermarks and stateful operators, each by themselves, from the leaves up."""

    relation: Any
    kind: str
    children: list[Node]
    streaming: bool
    marks: Marks
    number: int = -1

    def walk(self) -> list[Node]:
        """This node and all below, parents first."""
        return [self, *(node for child in self.children for node in child.walk())]

    @property
    def is_source(self) -> bool:
        """Whether this is a streaming read."""
        return self.kind == "read" and self.streaming

    @property
    def is_stateful(self) -> bool:
        """Whether it keeps state from batch to batch."""
        return self.streaming and self.kind in STATEFUL


@dataclass
class Plan:
    """The tree, and its nodes of each kind by their numbers."""

    root: Node
    sources: list[Node] = field(default_factory=list)
    watermarks: list[Node] = field(default_factory=list)
    operators: list[Node] = field(default_factory=list)


def compiled(relation: Any) -> Plan:
    """Raises `SparkError` for a delay that is no interval or is negative."""
    plan = Plan(None)  # type: ignore[arg-type]
    plan.root = _node(relation, plan)
    return plan


def _node(relation: Any, plan: Plan) -> Node:
    kind = relation.WhichOneof("rel_type") or ""
    below = [_node(child, plan) for child in children(relation)]
    streaming = any(child.streaming for child in below) or (kind == "read" and relation.read.is_streaming)
    marks = marks_above(relation, [child.marks for child in below])
    node = Node(relation, kind, below, streaming, marks)
    if kind == "with_watermark" and streaming:
        node.marks = {
            **marks,
            relation.with_watermark.event_time.lower(): Mark(TIME, delay_us(relation.with_watermark)),
        }
        _count(node, plan.watermarks)
    elif node.is_source:
        _count(node, plan.sources)
    elif node.is_stateful:
        _count(node, plan.operators)
    return node


def _count(node: Node, among: list[Node]) -> None:
    node.number = len(among)
    among.append(node)


def delay_us(watermark: Any) -> int:
    """The delay of a `WithWatermark`. Raises `SparkError`."""
    from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError

    delay = microseconds(watermark.delay_threshold)
    if delay < 0:
        raise SparkError(
            f"requirement failed: delay threshold ({watermark.delay_threshold}) should not be negative.",
            classes=ILLEGAL_ARGUMENT,
        )
    return delay
