"""A stream's plan without its stream: the same columns with no rows, to be analyzed by Sail."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import SparkError
from smackbox.spark.front.messages import relations_pb2, types_pb2
from smackbox.spark.front.relation import children, put, relations
from smackbox.spark.front.session import FrontSession
from smackbox.spark.structured.plan import Node, delay_us
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sessions import as_window, session_of
from smackbox.spark.structured.sources.registry import empty_relation


def stand_in(message: Any, session: FrontSession) -> None:
    """Change every stream in `message` into a batch without rows. Raises `SparkError` for what Spark refuses."""
    for relation in list(relations(message)):
        kind = relation.WhichOneof("rel_type")
        if kind == "read" and relation.read.is_streaming:
            put(relation, empty_relation(relation.read, session.sources))
        elif kind == "with_watermark":
            delay_us(relation.with_watermark)
        elif kind == "deduplicate":
            relation.deduplicate.within_watermark = False
    _without_marks(message)


def without_stream(relation: Any, session: FrontSession) -> Any:
    """A copy of `relation` for which that is done."""
    copy = relations_pb2.Relation()
    copy.CopyFrom(relation)
    stand_in(copy, session)
    return copy


class Schemas:
    """The columns of a plan's nodes, each asked of Sail once."""

    def __init__(self, session: FrontSession, sail: Sail) -> None:
        self._session = session
        self._sail = sail
        self._known: dict[int, pa.Schema] = {}

    def of(self, node: Node) -> pa.Schema:
        """Raises `SparkError`, and `grpc.RpcError` with what Sail says of the node."""
        found = self._known.get(id(node))
        if found is None:
            found = self._sail.schema(without_stream(node.relation, self._session))
            self._known[id(node)] = found
        return found

    def stand_in(self, node: Node) -> Any:
        """A relation without rows that has the node's columns, and its plan id."""
        relation = self._sail.local(self.of(node).empty_table())
        relation.common.CopyFrom(node.relation.common)
        return relation


def _without_marks(message: Any) -> None:
    """Watermarks are nothing to a batch; operators on a client's state have the columns that the client says."""
    for relation in list(relations(message)):
        while relation.WhichOneof("rel_type") == "with_watermark":
            (below,) = children(relation)
            put(relation, _copy(below))
        kind = relation.WhichOneof("rel_type")
        if kind == "apply_in_pandas_with_state":
            schema = relation.apply_in_pandas_with_state.output_schema
            put(relation, _empty(schema))
        elif kind == "aggregate":
            for expression in relation.aggregate.grouping_expressions:
                if session_of(expression) is not None:
                    expression.CopyFrom(as_window(expression))
        elif kind == "group_map" and relation.group_map.HasField("transform_with_state_info"):
            put(relation, _empty(schema_text(relation.group_map.transform_with_state_info.output_schema)))


def _copy(relation: Any) -> Any:
    copy = relations_pb2.Relation()
    copy.CopyFrom(relation)
    return copy


def _empty(schema: str) -> Any:
    relation = relations_pb2.Relation()
    relation.local_relation.schema = schema
    return relation


def schema_text(kind: Any) -> str:
    """A `DataType` message as the text of a schema: as the client wrote it, or as JSON."""
    if kind.WhichOneof("kind") == "unparsed":
        return str(kind.unparsed.data_type_string)
    from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type

    assert isinstance(kind, types_pb2.DataType)
    return proto_schema_to_pyspark_data_type(kind).json()  # type: ignore[no-any-return]


def check_event_time(schema: Any, name: str) -> None:
    """The column of a watermark is a timestamp. `schema`: of Arrow. Raises `SparkError`."""
    first = name.replace("`", "").split(".")[0]
    if first.lower() not in {column.lower() for column in schema.names}:
        proposal = ", ".join(f"`{column}`" for column in schema.names)
        raise SparkError(
            f"A column, variable, or function parameter with name `{name}` cannot be resolved. Did you mean one of the "
            f"following? [{proposal}].",
            condition="UNRESOLVED_COLUMN.WITH_SUGGESTION",
            sql_state="42703",
            parameters={"objectName": f"`{name}`", "proposal": proposal},
        )
    kind = next(field.type for field in schema if field.name.lower() == first.lower())
    if "." not in name and not pa.types.is_timestamp(kind) and not pa.types.is_struct(kind):
        shown = {"int64": "BIGINT", "int32": "INT", "string": "STRING", "double": "DOUBLE"}.get(
            str(kind), str(kind).upper()
        )
        raise SparkError(
            f'The event time `{name}` has the invalid type "{shown}", but expected "TIMESTAMP".',
            condition="EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE",
            sql_state="42K09",
            parameters={"eventName": f"`{name}`", "eventType": f'"{shown}"'},
        )
