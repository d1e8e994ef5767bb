"""The Spark Connect server in front of Sail: `spark.connect.SparkConnectService` of Spark 4.x over gRPC.

Requests are bytes. What the front has no part in is passed on as it came; plans are parsed to resolve what the front
keeps (`rewrite`), commands of streams are answered here (`structured`), and what changes a session goes into its
journal. Sail servers are replaced as they wear out (`engine`).

Not there: `GetStatus`, profiles of resources and ML; Sail answers those with its own errors.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from smackbox.base.errors import StartError
from smackbox.spark.front.artifacts import add_artifacts, artifact_status
from smackbox.spark.front.engine import CHANNEL_OPTIONS, SERVICE, Engine, EnginePool
from smackbox.spark.front.errors import SparkError, abort
from smackbox.spark.front.session import FrontSession
from smackbox.spark.front.workers import Workers

WORKERS = 256
"""Threads that answer calls: each query in progress and each client that waits for a stream has one."""
SESSIONS_LIMIT = 10_000
STOP_S = 1.0
VERSION_QUESTION = b"\x52\x00"
"""How an `AnalyzePlanRequest` ends that asks for Spark's version alone: field 10, empty."""

log = logging.getLogger(__name__)


class ConnectFront:
    """A listening server; `start_engine` starts a Sail server and returns it. Raises `StartError` for a taken port."""

    def __init__(
        self, host: str, port: int, start_engine: Callable[[], Any], *, queries_limit: int | None = None
    ) -> None:
        import grpc

        self.sessions: dict[str, FrontSession] = {}
        self._lock = threading.Lock()
        self._host = host
        self._grpc = grpc.server(
            Workers(WORKERS, "spark-connect"), options=(*CHANNEL_OPTIONS, ("grpc.so_reuseport", 0))
        )
        self._grpc.add_generic_rpc_handlers((_handler(self),))
        try:
            self._port = self._grpc.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError as error:
            raise StartError(f"spark cannot listen on {host}:{port}: {error}") from error
        self.pool = EnginePool(start_engine, queries_limit)
        self.pool.after_query = self._look_after
        self._recycle = threading.Event()
        self._stopped = False
        self._streams: Any = None
        self._recycler = threading.Thread(target=self._keep_fresh, name="spark-recycler", daemon=True)
        self._recycler.start()
        self._grpc.start()

    @property
    def listening_address(self) -> tuple[str, int]:
        """Host and port, as Sail's server has them."""
        return self._host, self._port

    @property
    def url(self) -> str:
        """Where clients connect: `sc://host:port`."""
        return f"sc://{self._host}:{self._port}"

    def stop(self) -> None:
        """Stop the streams, then the server. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        if self._streams is not None:
            self._streams.stop()
        self._grpc.stop(STOP_S).wait()
        self._recycle.set()
        self._recycler.join()
        for session in list(self.sessions.values()):
            session.close()
        self.pool.stop()

    @property
    def streams(self) -> Any:
        """The `StreamManager`, made when a client first starts a stream or asks for one."""
        with self._lock:
            if self._streams is None:
                from smackbox.spark.structured.manager import StreamManager

                self._streams = StreamManager(self)
            return self._streams

    def session(self, session_id: str, user_id: str) -> FrontSession:
        """The session of that id, made when there is none. Raises `SparkError` for a bad id and for too many."""
        found = self.sessions.get(session_id)
        if found is not None:
            return found
        try:
            uuid.UUID(session_id)
        except ValueError:
            raise SparkError(
                f"The handle {session_id} is invalid. Handle must be an UUID string of the format "
                "'00112233-4455-6677-8899-aabbccddeeff'",
                condition="INVALID_HANDLE.FORMAT",
                sql_state="HY000",
                parameters={"handle": session_id},
            ) from None
        with self._lock:
            if len(self.sessions) >= SESSIONS_LIMIT:
                raise SparkError(f"{SESSIONS_LIMIT} sessions are open: stop some of them")
            return self.sessions.setdefault(session_id, FrontSession(session_id, user_id, self.pool))

    def release(self, session_id: str) -> None:
        """Forget a session and stop its streams."""
        session = self.sessions.pop(session_id, None)
        if session is not None:
            if self._streams is not None:
                self._streams.close_session(session)
            session.close()

    def _look_after(self, session: FrontSession) -> None:
        """Have the recycler look, without waiting for it, where there is something to do."""
        if self.pool.worn or (session.engine is not self.pool.current and not session.journal.pinned):
            self._recycle.set()

    def _keep_fresh(self) -> None:
        while True:
            self._recycle.wait()
            self._recycle.clear()
            if self._stopped:
                return
            try:
                if self.pool.worn:
                    self.pool.renew()
                for session in list(self.sessions.values()):
                    session.move()
            except Exception:
                log.exception("a Sail server could not be replaced; the one in use goes on")


def _handler(front: ConnectFront) -> Any:
    """gRPC's handler of all methods, each of bytes."""
    import grpc

    calls = _Calls(front)
    unary = {
        "AnalyzePlan": calls.analyze,
        "Config": calls.config,
        "ArtifactStatus": calls.artifact_status,
        "ReleaseExecute": calls.release_execute,
        "ReleaseSession": calls.release_session,
        "FetchErrorDetails": calls.error_details,
        "CloneSession": calls.clone,
    }
    streams = {"ExecutePlan": calls.execute, "ReattachExecute": calls.reattach}

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore]
        def service(self, details: Any) -> Any:
            method = details.method.removeprefix(SERVICE)
            if method in streams:
                return grpc.unary_stream_rpc_method_handler(_stream(streams[method]))
            if method == "AddArtifacts":
                return grpc.stream_unary_rpc_method_handler(_unary(calls.add_artifacts))
            if method in {"Interrupt", "GetStatus"}:
                return grpc.unary_unary_rpc_method_handler(_unary(lambda request, _: calls.passed_on(method, request)))
            return grpc.unary_unary_rpc_method_handler(_unary(unary[method])) if method in unary else None

    return Handler()


def _unary(call: Callable[[Any, Any], bytes]) -> Callable[[Any, Any], bytes]:
    def answer(request: Any, context: Any) -> bytes:
        try:
            return call(request, context)
        except Exception as error:
            abort(context, error)
            raise

    return answer


def _stream(call: Callable[[Any, Any], Iterator[bytes]]) -> Callable[[Any, Any], Iterator[bytes]]:
    def answer(request: Any, context: Any) -> Iterator[bytes]:
        try:
            yield from call(request, context)
        except Exception as error:  # noqa: BLE001 - it is the client's answer
            abort(context, error)

    return answer


class _Calls:
    """The methods of the service. Each raises `SparkError` or what Sail answered (`grpc.RpcError`)."""

    def __init__(self, front: ConnectFront) -> None:
        self._front = front

    def execute(self, request: bytes, context: Any) -> Iterator[bytes]:
        from smackbox.spark.front.execution import execute

        return execute(self._front, request, context)

    def analyze(self, request: bytes, context: Any) -> bytes:
        if request.endswith(VERSION_QUESTION) and len(request) < 1024:
            # importing the messages takes most of a second, and a server is asked this before it is said to be ready
            return self._front.pool.current.call("AnalyzePlan", request)
        from smackbox.spark.front.execution import analyze

        return analyze(self._front, request)

    def config(self, request: bytes, context: Any) -> bytes:
        from smackbox.spark.front.config import config

        return config(self._front, request)

    def reattach(self, request: bytes, context: Any) -> Iterator[bytes]:
        asked = _parse("ReattachExecuteRequest", request)
        session = self._session(asked)
        engine = session.engine_of(asked.operation_id)
        if engine is None:
            raise SparkError(
                f"The handle {asked.operation_id} is invalid. Operation not found.",
                condition="INVALID_HANDLE.OPERATION_NOT_FOUND",
                sql_state="HY000",
                parameters={"handle": asked.operation_id},
            )
        return _forwarded(engine, "ReattachExecute", request, context)

    def release_execute(self, request: bytes, context: Any) -> bytes:
        asked = _parse("ReleaseExecuteRequest", request)
        session = self._front.sessions.get(asked.session_id)
        engine = session.engine_of(asked.operation_id) if session is not None else None
        if engine is None or session is None:
            answer = _message("ReleaseExecuteResponse")
            answer.session_id = answer.server_side_session_id = asked.session_id
            answer.operation_id = asked.operation_id
            return answer.SerializeToString()  # type: ignore[no-any-return]
        try:
            return engine.call("ReleaseExecute", request)
        finally:
            if asked.HasField("release_all"):
                session.ended(asked.operation_id)

    def release_session(self, request: bytes, context: Any) -> bytes:
        asked = _parse("ReleaseSessionRequest", request)
        session = self._front.sessions.get(asked.session_id)
        if session is None:
            return self._front.pool.current.call("ReleaseSession", request)
        try:
            return session.engine.call("ReleaseSession", request)
        finally:
            self._front.release(asked.session_id)

    def error_details(self, request: bytes, context: Any) -> bytes:
        asked = _parse("FetchErrorDetailsRequest", request)
        answer = _message("FetchErrorDetailsResponse")
        answer.session_id = answer.server_side_session_id = asked.session_id
        return answer.SerializeToString()  # type: ignore[no-any-return]

    def clone(self, request: bytes, context: Any) -> bytes:
        from smackbox.spark.front.config import clone

        return clone(self._front, request)

    def add_artifacts(self, requests: Iterator[bytes], context: Any) -> bytes:
        return add_artifacts(self._front, (_parse("AddArtifactsRequest", request) for request in requests))

    def artifact_status(self, request: bytes, context: Any) -> bytes:
        asked = _parse("ArtifactStatusesRequest", request)
        return artifact_status(self._session(asked), asked)

    def passed_on(self, method: str, request: bytes) -> bytes:
        asked = _parse(f"{method}Request", request)
        with self._session(asked).call() as engine:
            return engine.call(method, request)

    def _session(self, asked: Any) -> FrontSession:
        return self._front.session(asked.session_id, asked.user_context.user_id)


def _forwarded(engine: Engine, method: str, request: bytes, context: Any) -> Iterator[bytes]:
    call = engine.stream(method, request)
    context.add_callback(call.cancel)
    yield from call


def _message(name: str) -> Any:
    from smackbox.spark.front.messages import base_pb2

    return getattr(base_pb2, name)()


def _parse(name: str, request: bytes) -> Any:
    from smackbox.spark.front.messages import base_pb2

    return getattr(base_pb2, name).FromString(request)
