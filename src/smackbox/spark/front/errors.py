"""Errors as Spark Connect sends them: a gRPC status with `google.rpc.ErrorInfo`, which clients make exceptions of.

`ErrorInfo.metadata` has `classes` (JSON: the Java class and its parents, by which a client picks its own class),
`errorClass`, `sqlState` and `messageParameters` (JSON), as `ErrorUtils.scala` of Spark's Connect server writes them.
The conditions, states and sentences are those of Spark's `error-conditions.json`.
"""

from __future__ import annotations

import json
from typing import Any

ANALYSIS = ("org.apache.spark.sql.AnalysisException",)
ILLEGAL_ARGUMENT = ("java.lang.IllegalArgumentException",)
STREAM_FAILED = ("org.apache.spark.sql.streaming.StreamingQueryException",)
RUNTIME = ("org.apache.spark.SparkRuntimeException",)
UNSUPPORTED = ("java.lang.UnsupportedOperationException",)
SPARK = ("org.apache.spark.SparkException",)
INTERNAL = 13
"""`grpc.StatusCode.INTERNAL`, the code of every error that Spark's server raises by itself."""


class SparkError(Exception):
    """An error of the front with the Java class that a client knows it by.

    `condition` is Spark's error class without brackets; a message does not show a legacy one.
    """

    def __init__(
        self,
        message: str,
        *,
        condition: str | None = None,
        classes: tuple[str, ...] = ANALYSIS,
        sql_state: str | None = None,
        parameters: dict[str, str] | None = None,
    ) -> None:
        self.text = message
        self.condition = condition
        self.classes = classes
        self.sql_state = sql_state
        self.parameters = parameters or {}
        tail = f" SQLSTATE: {sql_state}" if sql_state else ""
        named = condition is not None and not condition.startswith("_LEGACY")
        super().__init__(f"[{condition}] {message}{tail}" if named else message)

    def status(self) -> Any:
        """The `google.rpc.Status`."""
        from google.rpc import error_details_pb2, status_pb2

        metadata = {"classes": json.dumps(self.classes), "messageParameters": json.dumps(self.parameters)}
        if self.condition:
            metadata["errorClass"] = self.condition
        if self.sql_state:
            metadata["sqlState"] = self.sql_state
        status = status_pb2.Status(code=INTERNAL, message=str(self))
        info = error_details_pb2.ErrorInfo(reason=self.classes[0], domain="org.apache.spark", metadata=metadata)
        status.details.add().Pack(info)
        return status


def not_there(what: str, advice: str) -> SparkError:
    """Spark has it, this server has not."""
    return SparkError(
        f"The feature is not supported: {what}. {advice}",
        condition="UNSUPPORTED_FEATURE",
        classes=UNSUPPORTED,
        sql_state="0A000",
    )


def abort(context: Any, error: BaseException) -> None:
    """End a call with `error`: a `SparkError`, what Sail answered, or a fault of ours."""
    import grpc

    if isinstance(error, grpc.RpcError):
        context.set_trailing_metadata(
            tuple((key, value) for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin")
        )
        context.abort(error.code(), error.details())
    from grpc_status import rpc_status

    if not isinstance(error, SparkError):
        error = SparkError(f"{type(error).__name__}: {error}", classes=SPARK)
    context.abort_with_status(rpc_status.to_status(error.status()))
