"""A run of a pipeline: tables are made or go on, one after the other, in the order of what they read.

A table is a directory of Parquet files, `WAREHOUSE/NAME` (`WAREHOUSE/DATABASE.db/NAME` outside of `default`), where the
warehouse is `spark.sql.warehouse.dir` or `STORAGE/warehouse`. A materialized view is written beside its directory, then
renamed. A flow of a streaming table has a directory of its own in the table's, and goes on from its checkpoint,
`STORAGE/_checkpoints/TABLE/FLOW`; a full refresh removes both. Nothing is written before the whole graph is checked.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote, urlparse

import pyarrow as pa

from smackbox.base.settings import near
from smackbox.spark.front.errors import SparkError
from smackbox.spark.front.messages import base_pb2, commands_pb2, relations_pb2
from smackbox.spark.front.relation import relations
from smackbox.spark.front.rewrite import resolve
from smackbox.spark.front.session import FrontSession
from smackbox.spark.pipelines.graph import (
    MATERIALIZED_VIEW,
    RESET_ALLOWED,
    SINK,
    TABLE,
    TEMPORARY_VIEW,
    Flow,
    Graph,
    Output,
    last_part,
)
from smackbox.spark.pipelines.sql import streams_of
from smackbox.spark.structured.analysis import stand_in
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sinks.tables import WAREHOUSE_SETTING, ddl

POLL_S = 1.0


class Run:
    """One `StartRun`. `start_stream` starts a stream and returns its `StreamingQuery`."""

    def __init__(
        self, graph: Graph, asked: Any, session: FrontSession, start_stream: Callable[[Any], Any], context: Any
    ) -> None:
        self._graph = graph
        self._session = session
        self._start_stream = start_stream
        self._context = context
        self._dry = asked.dry
        self._sail = Sail(session)
        storage = urlparse(asked.storage)
        if storage.scheme not in {"", "file"}:
            raise SparkError(f"the storage of a pipeline is a directory of this machine, not {asked.storage!r}")
        self._storage = Path(unquote(storage.path) if storage.scheme else asked.storage).absolute()
        warehouse = graph.settings.get(WAREHOUSE_SETTING) or session.settings.get(WAREHOUSE_SETTING)
        root = Path(urlparse(warehouse).path) if warehouse else self._storage / "warehouse"
        self._warehouse = root if graph.database in {"", "default"} else root / f"{graph.database}.db"
        self._full = self._selected(asked.full_refresh_selection)
        chosen = self._full | self._selected(asked.refresh_selection)
        self._all = asked.full_refresh_all
        self._chosen = chosen or set(graph.outputs)
        self._schemas: dict[str, Any] = {}

    def events(self) -> Iterator[Any]:
        """What happens, as responses. Raises `SparkError` and what Sail says of a query."""
        order = self._graph.ordered()
        for name in sorted(self._full):
            if not self._graph.outputs[name].resets:
                raise SparkError(
                    f"Full refresh of {name} is not allowed: its {RESET_ALLOWED} is false.",
                    condition="TABLE_NOT_RESETTABLE",
                    parameters={"tableName": self._full_name(name)},
                )
        for output in order:
            self._analyze(output)
        if not self._dry:
            wanted = [output for output in order if output.name in self._chosen and output.kind != TEMPORARY_VIEW]
            for output in wanted:
                for flow in self._graph.flows_of(output.name):
                    yield _event(f"Flow {self._full_name(flow.name)} is QUEUED.")
            for output in wanted:
                if (
                    output.kind in {MATERIALIZED_VIEW, TABLE}
                    and output.resets
                    and (self._all or output.name in self._full)
                ):
                    self._forget(output)
            for output in wanted:
                for flow in self._graph.flows_of(output.name):
                    name = self._full_name(flow.name)
                    yield _event(f"Flow {name} is RUNNING.")
                    try:
                        self._fill(output, flow)
                    except Exception as error:
                        yield _event(f"Flow {name} has FAILED: {error}")
                        yield _event("Run is FAILED.")
                        raise
                    yield _event(f"Flow {name} has COMPLETED.")
                self._show(output)
        yield _event("Run is COMPLETED.")

    def _selected(self, names: Any) -> set[str]:
        chosen = {last_part(name) for name in names}
        for name in chosen:
            if name not in self._graph.outputs:
                raise SparkError(f"the pipeline has no table {name!r} to refresh{near(name, self._graph.outputs)}")
        return chosen

    def _full_name(self, name: str) -> str:
        return f"spark_catalog.{self._graph.database or 'default'}.{name}"

    def _analyze(self, output: Output) -> None:
        """Have Sail check each query against the columns of what it reads."""
        if output.kind == TEMPORARY_VIEW:
            return
        for flow in self._graph.flows_of(output.name):
            relation = self._resolved(flow, rows=False)
            stand_in(relation, self._session)
            schema = self._sail.schema(relation)
            known = self._schemas.get(output.name)
            if known is None:
                known = self._schemas[output.name] = self._declared(output, schema)
            if set(known.names) != set(schema.names):
                raise SparkError(
                    f"Flow {flow.name} gives {schema.names}, where {output.name} has {known.names}.",
                    condition="UNABLE_TO_INFER_TABLE_SCHEMA",
                )

    def _declared(self, output: Output, inferred: Any) -> Any:
        """The columns of a table: those declared, which its query has to give, or those of its query."""
        schema = inferred
        if output.schema is not None:
            schema = self._sail.columns(output.schema)
            if {ddl(pa.schema([one])) for one in inferred} != {ddl(pa.schema([one])) for one in schema}:
                raise SparkError(
                    f"Table {output.name} has a user-specified schema that is incompatible with the schema inferred "
                    f"from its query. Declared: {ddl(schema)}. Inferred: {ddl(inferred)}.",
                    condition="USER_SPECIFIED_AND_INFERRED_SCHEMA_NOT_COMPATIBLE",
                    parameters={
                        "tableName": self._full_name(output.name),
                        "specifiedSchema": ddl(schema),
                        "inferredDataSchema": ddl(inferred),
                    },
                )
        for name in output.partition_by:
            if name not in schema.names:
                raise SparkError(f"{output.name} has no column {name!r} to partition by{near(name, schema.names)}")
        return schema

    def _resolved(self, flow: Flow, *, rows: bool) -> Any:
        """The query with what it reads put in: with rows, or their columns alone."""
        relation = relations_pb2.Relation()
        relation.CopyFrom(flow.relation)
        streamed = set()
        for part in relations(relation):
            if part.WhichOneof("rel_type") == "sql":
                part.sql.query, names = streams_of(part.sql.query)
                streamed |= set(map(last_part, names))
            elif part.WhichOneof("rel_type") == "read" and part.read.WhichOneof("read_type") == "named_table":
                name = last_part(part.read.named_table.unparsed_identifier)
                if name in self._graph.outputs:
                    part.read.named_table.unparsed_identifier = name
                    if part.read.is_streaming:
                        streamed.add(name)
                        part.read.is_streaming = False
        names_of = {
            name: self._read(self._graph.outputs[name], rows=rows, streams=name in streamed)
            for name in flow.reads(self._graph.outputs)
        }
        kept = SimpleNamespace(
            views={**self._session.views, **names_of},
            tables=self._session.tables,
            remote=self._session.remote,
            artifact=self._session.artifact,
            store=self._session.store,
        )
        resolve(relation, cast("FrontSession", kept))
        return relation

    def _read(self, output: Output, *, rows: bool, streams: bool) -> Any:
        """A relation that reads an output."""
        if output.kind == TEMPORARY_VIEW:
            (flow,) = self._graph.flows_of(output.name)
            return self._resolved(flow, rows=rows)
        if output.kind == SINK:
            raise SparkError(f"{output.name} is a sink, which is not read")
        return self._table(output, streams=streams, rows=rows)

    def _table(self, output: Output, *, streams: bool = False, rows: bool = True) -> Any:
        relation = relations_pb2.Relation()
        schema = self._schemas[output.name]
        folders = self._folders(output)
        if not streams:
            folders = [folder for folder in folders if rows and any(folder.rglob("*.parquet"))]
            if not folders:
                return self._sail.local(schema.empty_table())
        elif rows:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
        relation.read.is_streaming = streams
        relation.read.data_source.format = "parquet"
        relation.read.data_source.paths.extend(map(str, folders))
        relation.read.data_source.schema = ddl(schema)
        return relation

    def _path(self, output: Output) -> Path:
        return self._warehouse / output.name

    def _folders(self, output: Output) -> list[Path]:
        """Where its files are: those of a flow are named by its batches, so each flow has a directory."""
        path = self._path(output)
        if output.kind == MATERIALIZED_VIEW:
            return [path]
        return [path / flow.name for flow in self._graph.flows_of(output.name)]

    def _checkpoints(self, output: Output) -> Path:
        return self._storage / "_checkpoints" / output.name

    def _forget(self, output: Output) -> None:
        shutil.rmtree(self._path(output), ignore_errors=True)
        shutil.rmtree(self._checkpoints(output), ignore_errors=True)

    def _fill(self, output: Output, flow: Flow) -> None:
        relation = self._resolved(flow, rows=True)
        if output.kind == MATERIALIZED_VIEW:
            self._materialize(output, relation)
            return
        start = commands_pb2.WriteStreamOperationStart(output_mode="append", available_now=True)
        start.input.CopyFrom(relation)
        start.options["checkpointLocation"] = str(self._checkpoints(output) / flow.name)
        if output.kind == SINK:
            start.format = output.format
            for key, value in output.options.items():
                start.options[key] = value
        else:
            folder = self._path(output) / flow.name
            folder.mkdir(parents=True, exist_ok=True)
            start.format = "parquet"
            start.path = str(folder)
            start.partitioning_column_names.extend(output.partition_by)
        query = self._start_stream(start)
        try:
            while not query.wait(POLL_S, self._context.is_active):
                if not self._context.is_active():
                    raise SparkError("the client has left its pipeline")
        finally:
            query.stop()
        if query.error is not None:
            raise query.error

    def _materialize(self, output: Output, relation: Any) -> None:
        path = self._path(output)
        fresh = path.with_name(f".{path.name}.{time.time_ns()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        command = commands_pb2.Command()
        command.write_operation.input.CopyFrom(relation)
        command.write_operation.source = "parquet"
        command.write_operation.mode = command.write_operation.SAVE_MODE_OVERWRITE
        command.write_operation.path = str(fresh)
        command.write_operation.partitioning_columns.extend(output.partition_by)
        try:
            self._sail.write(command)
            fresh.mkdir(exist_ok=True)
            shutil.rmtree(path, ignore_errors=True)
            fresh.rename(path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _show(self, output: Output) -> None:
        """Let the session's queries read a table."""
        if output.kind in {MATERIALIZED_VIEW, TABLE}:
            self._session.tables[output.name] = lambda: self._table(output)


def _event(message: str) -> Any:
    answer = base_pb2.ExecutePlanResponse()
    answer.pipeline_event_result.event.message = message
    answer.pipeline_event_result.event.timestamp.GetCurrentTime()
    return answer
