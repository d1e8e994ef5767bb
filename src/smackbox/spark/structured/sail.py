"""Running a relation of a stream on the session's Sail server, and getting its rows as Arrow."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pyarrow as pa

from smackbox.spark.front.errors import SparkError
from smackbox.spark.front.messages import base_pb2, relations_pb2
from smackbox.spark.front.rewrite import local
from smackbox.spark.front.session import FrontSession


class Sail:
    """Runs for one query; `cancel` ends what runs, and all that comes later."""

    def __init__(self, session: FrontSession) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._call: Any = None
        self._cancelled = False

    def run(self, relation: Any) -> pa.Table:
        """All rows. Raises `grpc.RpcError` with what Sail says."""
        request = self._request()
        request.plan.root.CopyFrom(relation)
        return self._rows(request)

    def schema(self, relation: Any) -> pa.Schema:
        """The columns of a relation, without running it. Raises `grpc.RpcError` with what Sail says."""
        request = base_pb2.AnalyzePlanRequest()
        request.schema.plan.root.CopyFrom(relation)
        return self._arrow(self._analyze(request).schema.schema)

    def columns(self, declared: Any) -> pa.Schema:
        """Columns from a text in DDL or a message of a Spark type. Raises `grpc.RpcError` with what Sail says."""
        if not isinstance(declared, str):
            return self._arrow(declared)
        request = base_pb2.AnalyzePlanRequest()
        request.ddl_parse.ddl_string = declared
        return self._arrow(self._analyze(request).ddl_parse.parsed)

    def write(self, command: Any) -> None:
        """Execute a command."""
        request = self._request()
        request.plan.command.CopyFrom(command)
        self._rows(request)

    def local(self, table: pa.Table) -> Any:
        """A relation of these rows."""
        return local(relations_pb2.Relation, table, self.session)

    def cancel(self) -> None:
        """End what runs; nothing runs any more."""
        with self._lock:
            self._cancelled = True
            if self._call is not None:
                self._call.cancel()

    def _analyze(self, request: Any) -> Any:
        request.session_id = self.session.id
        request.user_context.user_id = self.session.user_id
        with self.session.call(query=True) as engine:
            return base_pb2.AnalyzePlanResponse.FromString(engine.call("AnalyzePlan", request.SerializeToString()))

    def _arrow(self, kind: Any) -> pa.Schema:
        from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type
        from pyspark.sql.pandas.types import to_arrow_schema

        zone = self.session.settings.get("spark.sql.session.timeZone", "UTC")
        return to_arrow_schema(proto_schema_to_pyspark_data_type(kind), timezone=zone)

    def _request(self) -> Any:
        request = base_pb2.ExecutePlanRequest(session_id=self.session.id, operation_id=str(uuid.uuid4()))
        request.user_context.user_id = self.session.user_id
        return request

    def _rows(self, request: Any) -> pa.Table:
        tables: list[pa.Table] = []
        with self.session.call(query=True) as engine:
            call = engine.stream("ExecutePlan", request.SerializeToString())
            with self._lock:
                if self._cancelled:
                    call.cancel()
                    raise SparkError("the query was stopped")
                self._call = call
            try:
                for answer in call:
                    found = base_pb2.ExecutePlanResponse.FromString(answer)
                    if found.HasField("arrow_batch"):
                        tables.append(pa.ipc.open_stream(found.arrow_batch.data).read_all())
            finally:
                self._call = None
        if not tables:
            return pa.table({})
        return tables[0] if len(tables) == 1 else pa.concat_tables(tables)
