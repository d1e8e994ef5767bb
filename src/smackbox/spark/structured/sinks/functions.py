"""`foreachBatch` and `foreach`: a client's pickled function, run in a thread of this process.

A batch's function gets a DataFrame of a session that is the client's on the server, as in Spark: temporary views and
settings are shared, variables of the client's process are not. Rows of a batch may be given again after a crash.
"""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Callable
from typing import Any

from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.spark.structured.batch import BatchRun, Rows
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sinks.sink import UNKNOWN_ROWS, Sink

_task_context = threading.Lock()


class ForeachBatchSink(Sink):
    """`attach` opens a session of the client's id; it is opened with the first batch."""

    description = "ForeachBatchSink"

    def __init__(self, command: bytes, sail: Sail, attach: Callable[[], Any]) -> None:
        from pyspark.serializers import CloudPickleSerializer

        self._function = CloudPickleSerializer().loads(command)
        self._sail = sail
        self._attach = attach
        self._session: Any = None

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        from smackbox.spark.structured.remote_frame import remote_frame

        if self._session is None:
            self._session = self._attach()
        reference = str(uuid.uuid4())
        kept = self._sail.session.remote
        kept[reference] = run.relation(rows)
        try:
            self._function(remote_frame(self._session, reference), batch)
        except Exception as error:
            raise SparkError(
                "An error occurred in the user provided function in foreach batch sink. Reason: "
                f"{''.join(traceback.format_exception(error))}",
                condition="FOREACH_BATCH_USER_FUNCTION_ERROR",
                classes=SPARK,
                sql_state="39000",
                parameters={"reason": str(error)},
            ) from error
        finally:
            del kept[reference]
        return UNKNOWN_ROWS

    def stop(self) -> None:
        """The session is the client's, and stays."""
        if self._session is not None:
            self._session.client._channel.close()


class ForeachSink(Sink):
    """A function of a row, or an object with `open`, `process` and `close`, for the one partition of a batch."""

    description = "ForeachWriterTable"

    def __init__(self, command: bytes) -> None:
        from pyspark.serializers import CloudPickleSerializer

        self._command = command
        self._loads = CloudPickleSerializer().loads

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        from pyspark.sql.conversion import ArrowTableToRowsConversion
        from pyspark.sql.pandas.types import from_arrow_schema
        from pyspark.taskcontext import TaskContext

        table = run.table(rows)
        function, *_ = self._loads(self._command)
        given = ArrowTableToRowsConversion.convert(table, from_arrow_schema(table.schema))
        try:
            # pyspark has one context of a task in a process
            with _task_context:
                context = TaskContext._getOrCreate()
                context._localProperties = {"streaming.sql.batchId": str(batch)}
                context._partitionId = 0
                for _ in function(0, iter(given)):
                    pass
        except Exception as error:
            raise SparkError(
                "An error occurred in the user provided function in foreach sink. Reason: "
                f"{''.join(traceback.format_exception(error))}",
                condition="FOREACH_USER_FUNCTION_ERROR",
                classes=SPARK,
                sql_state="39000",
                parameters={"reason": str(error)},
            ) from error
        return table.num_rows  # type: ignore[no-any-return]

    def stop(self) -> None: ...
