"""A dataflow graph: outputs (tables, views, sinks) and the flows that fill them, as a client has defined them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smackbox.base.settings import near
from smackbox.spark.front.errors import SparkError, not_there
from smackbox.spark.front.relation import relations
from smackbox.spark.front.rewrite import is_streaming
from smackbox.spark.pipelines.sql import names_in, streams_of

MATERIALIZED_VIEW, TABLE, TEMPORARY_VIEW, SINK = 1, 2, 3, 4
"""`OutputType`."""
ELEMENTS_LIMIT = 10_000
RESET_ALLOWED = "pipelines.reset.allowed"
"""The property of a table that a full refresh leaves as it is when it is false."""


def last_part(name: str) -> str:
    """`` `catalog`.`database`.`table` `` -> `table`: outputs are found by their own name."""
    return name.rpartition(".")[2].strip("`")


@dataclass(slots=True)
class Output:
    """Something that flows write. `options` are a sink's; `schema` (DDL or a Spark type's message) is a table's."""

    name: str
    kind: int
    schema: Any = None
    partition_by: list[str] = field(default_factory=list)
    resets: bool = True
    format: str = ""
    options: dict[str, str] = field(default_factory=dict)


def table_of(
    name: str, kind: int, *, schema: Any, partition_by: Iterable[str], properties: Mapping[str, str], file_format: str
) -> Output:
    """A table as it is declared. Raises `SparkError` for what would have no effect."""
    if file_format.lower() not in {"", "parquet"}:
        raise not_there(f"{name} in the format {file_format}", "The tables of a pipeline are in Parquet.")
    unknown = sorted(set(properties) - {RESET_ALLOWED})
    if unknown:
        raise not_there(f"the table property {unknown[0]} of {name}", f"Leave it out; {RESET_ALLOWED} is there.")
    allowed = properties.get(RESET_ALLOWED, "true").lower()
    if allowed not in {"true", "false"}:
        raise SparkError(f"{RESET_ALLOWED} of {name} is true or false, not {allowed!r}")
    return Output(name, kind, schema=schema, partition_by=list(partition_by), resets=allowed == "true")


@dataclass(slots=True)
class Flow:
    """A query that fills `target`."""

    name: str
    target: str
    relation: Any

    @property
    def streams(self) -> bool:
        """Whether it reads what is new alone."""
        return is_streaming(self.relation) or any(
            streams_of(relation.sql.query)[1]
            for relation in relations(self.relation)
            if relation.WhichOneof("rel_type") == "sql"
        )

    def reads(self, outputs: Iterable[str]) -> set[str]:
        """The outputs that it reads."""
        known = set(outputs)
        found: set[str] = set()
        for relation in relations(self.relation):
            kind = relation.WhichOneof("rel_type")
            if kind == "read" and relation.read.WhichOneof("read_type") == "named_table":
                found.add(last_part(relation.read.named_table.unparsed_identifier))
            elif kind == "sql":
                found |= names_in(relation.sql.query)
        return found & known


class Graph:
    """Raises `SparkError` for what Spark refuses."""

    def __init__(self, settings: dict[str, str], database: str) -> None:
        self.settings = settings
        self.database = database
        self.outputs: dict[str, Output] = {}
        self.flows: dict[str, Flow] = {}

    def add_output(self, output: Output) -> None:
        if output.name in self.outputs:
            raise SparkError(
                f"Found duplicate table or view {output.name}: each name is defined once in a pipeline.",
                condition="PIPELINE_DUPLICATE_IDENTIFIERS.OUTPUT",
            )
        self._check_room()
        self.outputs[output.name] = output

    def add_flow(self, flow: Flow) -> None:
        if flow.name in self.flows:
            raise SparkError(
                f"Flow {flow.name} was found in multiple datasets: each flow has a name of its own.",
                condition="PIPELINE_DUPLICATE_IDENTIFIERS.FLOW",
            )
        self._check_room()
        self.flows[flow.name] = flow

    def flows_of(self, name: str) -> list[Flow]:
        """The flows into an output, in the order of their definition."""
        return [flow for flow in self.flows.values() if flow.target == name]

    def ordered(self) -> list[Output]:
        """The outputs, each behind those that its flows read. Checks the whole graph."""
        for flow in self.flows.values():
            if flow.target not in self.outputs:
                raise SparkError(
                    f"Flow {flow.name} writes into {flow.target}, which the pipeline does not define"
                    f"{near(flow.target, self.outputs)}.",
                    condition="FLOW_TARGET_NOT_FOUND",
                )
        done: list[Output] = []
        open_names: list[str] = []

        def visit(name: str) -> None:
            output = self.outputs[name]
            if output in done:
                return
            if name in open_names:
                circle = " -> ".join([*open_names[open_names.index(name) :], name])
                raise SparkError(
                    f"The pipeline has a cycle: {circle}.", condition="PIPELINE_GRAPH_NOT_TOPOLOGICALLY_SORTABLE"
                )
            open_names.append(name)
            for flow in self.flows_of(name):
                for other in sorted(flow.reads(self.outputs)):
                    visit(other)
            open_names.pop()
            done.append(output)

        for name in self.outputs:
            self._check(name)
            visit(name)
        return done

    def _check(self, name: str) -> None:
        output, flows = self.outputs[name], self.flows_of(name)
        if not flows and output.kind != SINK:
            raise SparkError(
                f"Pipeline dataset {name} does not have any defined flows: attach a query to it.",
                condition="PIPELINE_DATASET_WITHOUT_FLOW",
            )
        for flow in flows:
            if output.kind == MATERIALIZED_VIEW and flow.streams:
                raise SparkError(
                    f"Flow {flow.name} returns a streaming relation, which materialized view {name} cannot take: read "
                    "it as a batch, or make it a table.",
                    condition="INVALID_FLOW_QUERY_TYPE.STREAMING_RELATION_FOR_MATERIALIZED_VIEW",
                )
            if output.kind in {TABLE, SINK} and not flow.streams:
                raise SparkError(
                    f"Flow {flow.name} returns a batch relation, which streaming table {name} cannot take: read a "
                    "stream, or make it a materialized view.",
                    condition="INVALID_FLOW_QUERY_TYPE.BATCH_RELATION_FOR_STREAMING_TABLE",
                )
        if output.kind in {MATERIALIZED_VIEW, TEMPORARY_VIEW} and len(flows) > 1:
            raise SparkError(
                f"{name} has {len(flows)} flows: a view has one.",
                condition="MATERIALIZED_VIEW_WITH_MULTIPLE_QUERIES",
            )

    def _check_room(self) -> None:
        if len(self.outputs) + len(self.flows) >= ELEMENTS_LIMIT:
            raise SparkError(f"a pipeline has {ELEMENTS_LIMIT} elements at most")
