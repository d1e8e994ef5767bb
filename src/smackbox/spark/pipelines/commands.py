"""`PipelineCommand` of Spark Connect: a client defines a dataflow graph, then runs it.

Files for `spark-pipelines` are loaded by the client (`pyspark.pipelines.cli`); here are the server's commands.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from smackbox.spark.front.errors import SparkError, not_there
from smackbox.spark.front.messages import base_pb2, relations_pb2
from smackbox.spark.front.session import FrontSession
from smackbox.spark.pipelines.graph import (
    MATERIALIZED_VIEW,
    TABLE,
    TEMPORARY_VIEW,
    Flow,
    Graph,
    Output,
    last_part,
    table_of,
)
from smackbox.spark.pipelines.run import Run
from smackbox.spark.pipelines.sql import definitions

GRAPHS_LIMIT = 100
_KINDS = {"MATERIALIZED VIEW": MATERIALIZED_VIEW, "STREAMING TABLE": TABLE, "TEMPORARY VIEW": TEMPORARY_VIEW}


def answer(session: FrontSession, command: Any, start_stream: Callable[[Any], Any], context: Any) -> Iterator[Any]:
    """The responses to a command, without their ids. Raises `SparkError`."""
    kind = command.WhichOneof("command_type")
    asked: Any = getattr(command, kind) if kind is not None else None
    if kind == "create_dataflow_graph":
        yield _create(session, asked)
    elif kind == "drop_dataflow_graph":
        session.graphs.pop(asked.dataflow_graph_id, None)
        yield _done()
    elif kind == "define_output":
        _graph(session, asked).add_output(_output(asked))
        yield _done()
    elif kind == "define_flow":
        _graph(session, asked).add_flow(_flow(asked))
        yield _done()
    elif kind == "define_sql_graph_elements":
        _define_sql(_graph(session, asked), asked)
        yield _done()
    elif kind == "start_run":
        yield from Run(_graph(session, asked), asked, session, start_stream, context).events()
        yield _done()
    else:
        raise not_there(f"the pipeline command {kind}", "Define outputs and flows, and run them.")


def _create(session: FrontSession, asked: Any) -> Any:
    if len(session.graphs) >= GRAPHS_LIMIT:
        raise SparkError(f"a session has {GRAPHS_LIMIT} pipelines at most: drop some")
    graph_id = str(uuid.uuid4())
    session.graphs[graph_id] = Graph(dict(asked.sql_conf), asked.default_database)
    response = _done()
    response.pipeline_command_result.create_dataflow_graph_result.dataflow_graph_id = graph_id
    return response


def _graph(session: FrontSession, asked: Any) -> Graph:
    found: Graph | None = session.graphs.get(asked.dataflow_graph_id)
    if found is None:
        raise SparkError(
            f"Dataflow graph with id {asked.dataflow_graph_id} could not be found.",
            condition="DATAFLOW_GRAPH_NOT_FOUND",
            sql_state="KD011",
            parameters={"graphId": asked.dataflow_graph_id},
        )
    return found


def _output(asked: Any) -> Output:
    if asked.HasField("table_details"):
        table = asked.table_details
        if table.clustering_columns:
            raise not_there(f"cluster_by of {asked.output_name}", "Write partition_cols.")
        kind = table.WhichOneof("schema")
        return table_of(
            last_part(asked.output_name),
            asked.output_type,
            schema=getattr(table, kind) if kind is not None else None,
            partition_by=table.partition_cols,
            properties=table.table_properties,
            file_format=table.format,
        )
    return Output(
        last_part(asked.output_name),
        asked.output_type,
        format=asked.sink_details.format,
        options=dict(asked.sink_details.options),
    )


def _flow(asked: Any) -> Flow:
    if asked.WhichOneof("details") != "relation_flow_details":
        raise not_there("an auto CDC flow", "Write the flow as a query.")
    if asked.sql_conf:
        raise not_there(f"spark_conf of the flow {asked.flow_name}", "Set it on the session.")
    if asked.once:
        raise SparkError(
            f"Defining a one-time flow {asked.flow_name} with the 'once' option is not supported.",
            condition="DEFINE_FLOW_ONCE_OPTION_NOT_SUPPORTED",
            sql_state="0A000",
            parameters={"flowName": asked.flow_name},
        )
    relation = relations_pb2.Relation()
    relation.CopyFrom(asked.relation_flow_details.relation)
    return Flow(last_part(asked.flow_name), last_part(asked.target_dataset_name), relation)


def _define_sql(graph: Graph, asked: Any) -> None:
    for found in definitions(asked.sql_text, asked.sql_file_path):
        if found.kind != "FLOW":
            graph.add_output(
                table_of(
                    last_part(found.name),
                    _KINDS[found.kind],
                    schema=found.schema,
                    partition_by=found.partition_by,
                    properties=found.properties,
                    file_format=found.format,
                )
            )
        if found.query is not None:
            relation = relations_pb2.Relation()
            relation.sql.query = found.query
            graph.add_flow(Flow(last_part(found.name), last_part(found.target), relation))


def _done() -> Any:
    response = base_pb2.ExecutePlanResponse()
    response.pipeline_command_result.SetInParent()
    return response
