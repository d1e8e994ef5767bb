"""Starting a stream: the plan is checked and taken apart, sources, sink and checkpoint are opened, or none of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from smackbox.spark.front.errors import not_there
from smackbox.spark.front.session import FrontSession
from smackbox.spark.structured.aggregation import Aggregation
from smackbox.spark.structured.analysis import Schemas, check_event_time, without_stream
from smackbox.spark.structured.checkpoint import Checkpoint
from smackbox.spark.structured.checks import check, check_streaming
from smackbox.spark.structured.deduplication import Deduplication
from smackbox.spark.structured.definition import definition_of
from smackbox.spark.structured.engine import StreamEngine
from smackbox.spark.structured.plan import Node, compiled
from smackbox.spark.structured.query import Event, StreamingQuery, new_run_id
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sessions import SessionAggregation, session_of
from smackbox.spark.structured.sinks.registry import open_sink
from smackbox.spark.structured.sinks.sink import MemorySink
from smackbox.spark.structured.sources.registry import open_source
from smackbox.spark.structured.sql_groups import take_apart


def start_query(
    start: Any, session: FrontSession, url: str, *, event: Event, stop_active: Callable[[str], None]
) -> StreamingQuery:
    """A query that is ready to run. Raises `SparkError` and what Sail says of the plan (`grpc.RpcError`)."""
    sail = Sail(session)
    take_apart(start, lambda relation: sail.schema(without_stream(relation, session)).names)
    plan = compiled(start.input)
    check_streaming(plan)
    definition = definition_of(start, session.settings)
    check(plan, definition.mode)
    schemas = Schemas(session, sail)
    for node in plan.watermarks:
        check_event_time(schemas.of(node.children[0]), node.relation.with_watermark.event_time)
    schema = schemas.of(plan.root)
    operators = [_operator(node, schemas, sail) for node in plan.operators]
    with ExitStack() as opened:
        checkpoint = _checkpoint(definition.checkpoint, stop_active)
        opened.callback(checkpoint.close)
        sources = []
        for node in plan.sources:
            source = open_source(node.relation.read, session.sources, checkpoint.source_log(node.number), sail.schema)
            opened.callback(source.stop)
            sources.append(source)
        run_id = new_run_id()
        sink = open_sink(
            start,
            schema,
            sail,
            mode=definition.mode,
            query_id=checkpoint.id,
            attach=lambda: _attach(url, session),
            registered=session.sources,
        )
        opened.callback(sink.stop)
        if isinstance(sink, MemorySink):
            assert definition.name is not None
            session.tables[definition.name] = sink.relation
        identity = (checkpoint.id, run_id, definition.name)
        engine = StreamEngine(plan, operators, sources, sink, checkpoint, sail, schemas, definition.mode, identity)
        closing = opened.pop_all()
    return StreamingQuery(definition, checkpoint.id, engine, sail.cancel, closing.close, event, run_id)


def _checkpoint(path: Any, stop_active: Callable[[str], None]) -> Checkpoint:
    """A run of the same query that is active is stopped first."""
    if path is not None:
        known = Checkpoint.id_of(path)
        if known is not None:
            stop_active(known)
    return Checkpoint(path)


def _operator(node: Node, schemas: Schemas, sail: Sail) -> Any:
    if node.kind == "aggregate":
        if any(session_of(expression) is not None for expression in node.relation.aggregate.grouping_expressions):
            return SessionAggregation(node, schemas.stand_in(node.children[0]), sail)
        return Aggregation(node, schemas.stand_in(node.children[0]), sail)
    if node.kind == "deduplicate":
        return Deduplication(node)
    if node.kind == "apply_in_pandas_with_state":
        from smackbox.spark.structured.pandas_state import ApplyInPandasWithState

        return ApplyInPandasWithState(node, schemas.of(node))
    if node.relation.group_map.HasField("transform_with_state_info"):
        from smackbox.spark.structured.transform_state import TransformWithState

        return TransformWithState(node, schemas.of(node), sail)
    raise not_there("applyInPandas on a stream", "Use transformWithStateInPandas, or foreachBatch.")


def _attach(url: str, session: FrontSession) -> Any:
    from smackbox.spark.structured.remote_frame import attach

    return attach(url, session.id, session.user_id)
