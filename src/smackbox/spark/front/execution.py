"""`ExecutePlan` and `AnalyzePlan`: to Sail with what the front keeps put in; what is of streams is answered here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from smackbox.spark.front.errors import SparkError
from smackbox.spark.front.journal import effect, sql_effect
from smackbox.spark.front.messages import base_pb2, relations_pb2
from smackbox.spark.front.relation import relations, to_bytes
from smackbox.spark.front.rewrite import (
    STREAMING_ACTION,
    check_mode,
    is_streaming,
    kept_names,
    legacy_analysis_error,
    resolve,
    spread,
)
from smackbox.spark.front.session import FrontSession

if TYPE_CHECKING:
    from smackbox.spark.front.context import Front

STREAM_COMMANDS = frozenset(
    {
        "write_stream_operation_start",
        "streaming_query_command",
        "streaming_query_manager_command",
        "streaming_query_listener_bus_command",
    }
)
FILE_FORMATS = frozenset({"parquet", "json", "csv", "text", "orc", "avro", "binaryfile", "delta", "iceberg", ""})


def execute(front: Front, request: bytes, context: Any) -> Iterator[bytes]:
    """The answers to one `ExecutePlanRequest`."""
    asked = base_pb2.ExecutePlanRequest.FromString(request)
    session = front.session(asked.session_id, asked.user_context.user_id)
    plan = asked.plan
    kind = plan.command.WhichOneof("command_type") if plan.WhichOneof("op_type") == "command" else None
    if kind in STREAM_COMMANDS:
        resolve(plan, session)
        return _answers(asked, front.streams.answer(session, plan.command, context))
    if kind == "pipeline_command":
        from smackbox.spark.pipelines import commands

        # resolved when it runs: a name may be a table of the pipeline, and of its last run
        start = front.streams.starter(session)
        return _answers(asked, commands.answer(session, plan.command.pipeline_command, start, context))
    if kind == "remove_cached_remote_relation_command":
        # a batch of a stream is kept by its stream, while its function runs
        return _answers(asked, iter(()))
    if (
        kind == "sql_command"
        and (found := _sql_over_kept(plan.command.sql_command, session, defines=_defines_flow(asked))) is not None
    ):
        return _answers(asked, iter((found,)))
    if kind is None and (answer := _catalog_of_kept(plan.root, session)) is not None:
        return _answers(asked, iter((answer,)))
    changed = resolve(plan, session)
    if is_streaming(plan):
        return _answers(asked, _of_stream(session, plan, kind))
    if kind == "write_operation" and plan.command.write_operation.WhichOneof("save_type") != "table":
        write = plan.command.write_operation
        changed |= check_mode(write)
        if write.source.lower() not in FILE_FORMATS:
            changed |= spread(write)
    return _on_engine(session, asked, asked.SerializeToString() if changed else request, context)


def _on_engine(session: FrontSession, asked: Any, request: bytes, context: Any) -> Iterator[bytes]:
    what, key = effect(asked.plan)
    with session.call(query=True, changes=what != "none") as engine:
        if any(option.reattach_options.reattachable for option in asked.request_options):
            session.began(asked.operation_id, engine)
        call = engine.stream("ExecutePlan", request)
        context.add_callback(call.cancel)
        if what == "none":
            yield from call
            return
        if what == "pin":
            # also when it fails half-way
            session.journal.pinned = True
        # noted before the client has the last answer, and may send its next command
        held = None
        for answer in call:
            if held is not None:
                yield held
            held = answer
        _note(session, asked, what, key)
        if held is not None:
            yield held


def _note(session: FrontSession, asked: Any, what: str, key: str) -> None:
    """A command was executed that changed its session."""
    if what == "pin":
        return
    session.journal.add("ExecutePlan", key, _without_reattach(asked), refers=_refers(asked.plan, key))
    if key.startswith("register_data_source"):
        source = asked.plan.command.register_data_source
        session.sources[source.name.lower()] = source.python_data_source.command
    elif key.startswith("create_dataframe_view"):
        session.views.pop(asked.plan.command.create_dataframe_view.name, None)
        session.tables.pop(asked.plan.command.create_dataframe_view.name, None)


def _without_reattach(asked: Any) -> bytes:
    """A request to repeat: Sail keeps the answers of reattachable ones until they are released."""
    again = base_pb2.ExecutePlanRequest()
    again.CopyFrom(asked)
    del again.request_options[:]
    again.operation_id = str(uuid.uuid4())
    return again.SerializeToString()  # type: ignore[no-any-return]


def _refers(plan: Any, key: str) -> bool:
    """Whether a view's plan may use the view that it replaces."""
    name = key.rpartition(":")[2]
    for relation in relations(plan):
        kind = relation.WhichOneof("rel_type")
        if kind == "sql" and name in relation.sql.query:
            return True
        if kind == "read" and name in relation.read.named_table.unparsed_identifier:
            return True
    return False


def _defines_flow(asked: Any) -> bool:
    """Whether a client is defining a flow of a pipeline, whose tables may not be there yet."""
    return any(extension.type_url.endswith("spark.connect.PipelineAnalysisContext")
               for extension in asked.user_context.extensions)  # fmt: skip


def _sql_over_kept(command: Any, session: FrontSession, *, defines: bool) -> Any:
    """A query over streams or memory tables is not run: the client gets its relation, as Spark gives it.

    So does a query that `defines` a flow.
    """
    relation = relations_pb2.Relation()
    if command.HasField("input"):
        relation.CopyFrom(command.input)
    else:
        relation.sql.query = command.sql
        relation.sql.pos_arguments.extend(command.pos_arguments)
        for name, value in command.named_arguments.items():
            relation.sql.named_arguments[name].CopyFrom(value)
    inner = relation
    while inner.WhichOneof("rel_type") == "with_relations":
        inner = inner.with_relations.root
    text = inner.sql.query
    if sql_effect(text) != "none" or not (defines or kept_names(text, session) or is_streaming(relation)):
        return None
    answer = base_pb2.ExecutePlanResponse()
    answer.sql_command_result.relation.CopyFrom(relation)
    return answer


def _catalog_of_kept(root: Any, session: FrontSession) -> Any:
    """Whether a view of a stream or a table of a memory sink exists, and dropping it; None for any other question."""
    kind = root.catalog.WhichOneof("cat_type") if root.WhichOneof("rel_type") == "catalog" else None
    if kind == "table_exists":
        name = root.catalog.table_exists.table_name
    elif kind == "drop_temp_view":
        name = root.catalog.drop_temp_view.view_name
    else:
        return None
    if name not in session.views and name not in session.tables:
        return None
    if kind == "drop_temp_view":
        session.views.pop(name, None)
        session.tables.pop(name, None)
    table = pa.table({"value": [True]})
    answer = base_pb2.ExecutePlanResponse()
    answer.arrow_batch.row_count = 1
    answer.arrow_batch.data = to_bytes(table)
    return answer


def _of_stream(session: FrontSession, plan: Any, kind: str | None) -> Iterator[Any]:
    """What may be done with a DataFrame of a stream other than starting it."""
    if kind == "create_dataframe_view":
        view = plan.command.create_dataframe_view
        if not view.replace and view.name in session.views:
            raise SparkError(
                f"Cannot create the temporary view `{view.name}` because it already exists. Choose a different name, "
                "drop or replace the existing view, or add the IF NOT EXISTS clause to tolerate pre-existing views.",
                condition="TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
                sql_state="42P07",
                parameters={"relationName": f"`{view.name}`"},
            )
        kept = relations_pb2.Relation()
        kept.CopyFrom(view.input)
        session.views[view.name] = kept
        return iter(())
    if kind in {"write_operation", "write_operation_v2"}:
        raise SparkError(
            "The method `write` can not be called on streaming Dataset/DataFrame.",
            condition="CALL_ON_STREAMING_DATASET_UNSUPPORTED",
            sql_state="42KDE",
            parameters={"methodName": "`write`"},
        )
    raise legacy_analysis_error(STREAMING_ACTION)


def _answers(asked: Any, answers: Iterator[Any]) -> Iterator[bytes]:
    """Complete the answers of the front with their ids, and end them."""
    done = base_pb2.ExecutePlanResponse()
    done.result_complete.SetInParent()
    operation_id = asked.operation_id or str(uuid.uuid4())
    for answer in (*answers, done) if isinstance(answers, tuple) else _with_end(answers, done):
        answer.session_id = answer.server_side_session_id = asked.session_id
        answer.operation_id = operation_id
        answer.response_id = str(uuid.uuid4())
        yield answer.SerializeToString()


def _with_end(answers: Iterator[Any], done: Any) -> Iterator[Any]:
    yield from answers
    yield done


def analyze(front: Front, request: bytes) -> bytes:
    """The answer to one `AnalyzePlanRequest`. A stream is analyzed with empty batches for its sources."""
    asked = base_pb2.AnalyzePlanRequest.FromString(request)
    session = front.session(asked.session_id, asked.user_context.user_id)
    changed = resolve(asked, session)
    if is_streaming(asked):
        if asked.WhichOneof("analyze") == "is_streaming":
            answer = base_pb2.AnalyzePlanResponse(session_id=session.id, server_side_session_id=session.id)
            answer.is_streaming.is_streaming = True
            return answer.SerializeToString()  # type: ignore[no-any-return]
        from smackbox.spark.structured.analysis import stand_in

        stand_in(asked, session)
        changed = True
    with session.call(query=True) as engine:
        return engine.call("AnalyzePlan", asked.SerializeToString() if changed else request)
