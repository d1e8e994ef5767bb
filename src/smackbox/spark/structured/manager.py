"""The streams of a server: starting them, and the commands by which clients ask about them.

`WriteStreamOperationStart`, `StreamingQueryCommand`, `StreamingQueryManagerCommand`, `StreamingQueryListenerBusCommand`
of `spark/connect/commands.proto`. A query belongs to the session that started it, and ends with it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from smackbox.spark.front.errors import ILLEGAL_ARGUMENT, SparkError, not_there
from smackbox.spark.front.messages import base_pb2
from smackbox.spark.front.session import FrontSession
from smackbox.spark.structured import progress as shown
from smackbox.spark.structured.query import StreamingQuery
from smackbox.spark.structured.start import start_query

if TYPE_CHECKING:
    from smackbox.spark.front.context import Front

ENDED_LIMIT = 1_000
"""Queries that have ended and are still known, over all sessions; the oldest is forgotten beyond."""
EVENTS_LIMIT = 10_000
"""Events that wait for a client's listener; the oldest are dropped beyond."""
WAIT_S = 1.0
_END = (0, "")


class StreamManager:
    """All methods may be called from any thread."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._lock = threading.Condition()
        self._queries: OrderedDict[str, tuple[FrontSession, StreamingQuery]] = OrderedDict()  # by run id
        self._listeners: dict[str, queue.Queue[tuple[int, str]]] = {}
        self._reset: set[str] = set()  # runs that had ended when their session last reset
        self._starting = threading.Lock()

    def answer(self, session: FrontSession, command: Any, context: Any) -> Iterator[Any]:
        """The responses to one command, without their ids. Raises `SparkError`."""
        kind = command.WhichOneof("command_type")
        if kind == "write_stream_operation_start":
            yield self._start(session, command.write_stream_operation_start)
        elif kind == "streaming_query_command":
            yield self._query_command(session, command.streaming_query_command, context)
        elif kind == "streaming_query_manager_command":
            yield self._manager_command(session, command.streaming_query_manager_command, context)
        else:
            yield from self._bus_command(session, command.streaming_query_listener_bus_command, context)

    def stop(self) -> None:
        """Stop all queries and listeners."""
        queries = [query for _, query in list(self._queries.values())]
        for query in queries:
            query.ask_to_stop()
        for query in queries:
            query.stop()
        for events in list(self._listeners.values()):
            events.put(_END)

    def close_session(self, session: FrontSession) -> None:
        """Stop the queries and listeners of a session that ends."""
        for owner, query in list(self._queries.values()):
            if owner is session:
                query.stop()
        with self._lock:
            self._queries = OrderedDict(
                (run_id, pair) for run_id, pair in self._queries.items() if pair[0] is not session
            )
        events = self._listeners.pop(session.id, None)
        if events is not None:
            events.put(_END)

    def starter(self, session: FrontSession) -> Callable[[Any], StreamingQuery]:
        """What starts a `WriteStreamOperationStart` of `session` and gives its query."""
        return lambda start: self._started(session, start)

    def _started(self, session: FrontSession, start: Any) -> StreamingQuery:
        with self._starting:
            if start.query_name and any(query.name == start.query_name for query in self._active(session)):
                raise SparkError(
                    f"Cannot start query with name {start.query_name} as a query with that name is already active in "
                    "this SparkSession",
                    classes=ILLEGAL_ARGUMENT,
                )
            query = start_query(
                start,
                session,
                self._front.url,
                event=lambda kind, text: self._happened(session, kind, text),
                stop_active=self._stop_active,
            )
            with self._lock:
                self._queries[query.run_id] = (session, query)
                self._forget()
            query.start()
        return query

    def _start(self, session: FrontSession, start: Any) -> Any:
        query = self._started(session, start)
        answer = base_pb2.ExecutePlanResponse()
        result = answer.write_stream_operation_start_result
        _identify(result.query_id, query)
        result.name = query.name or ""
        result.query_started_event_json = shown.started(query.id, query.run_id, query.name, time.time() * 1000)
        return answer

    def _stop_active(self, query_id: str) -> None:
        """A query that is started again while it runs is stopped first, as `stopActiveRunOnRestart` has it."""
        for _, query in list(self._queries.values()):
            if query.id == query_id and not query.ended:
                query.stop()

    def _forget(self) -> None:
        ended = [run_id for run_id, (_, query) in self._queries.items() if query.ended]
        for run_id in ended[: max(0, len(ended) - ENDED_LIMIT)]:
            del self._queries[run_id]

    def _active(self, session: FrontSession) -> list[StreamingQuery]:
        return [query for owner, query in list(self._queries.values()) if owner is session and not query.ended]

    def _happened(self, session: FrontSession, kind: int, text: str) -> None:
        events = self._listeners.get(session.id)
        if events is not None:
            while True:
                try:
                    events.put_nowait((kind, text))
                    break
                except queue.Full:
                    events.get()
        with self._lock:
            self._lock.notify_all()

    def _query_command(self, session: FrontSession, command: Any, context: Any) -> Any:
        found = self._queries.get(command.query_id.run_id)
        if found is None or found[0] is not session or found[1].id != command.query_id.id:
            raise SparkError(
                f"Streaming query with id {command.query_id.id} and run id {command.query_id.run_id} is not found.",
                condition="STREAMING_CONNECT_QUERY_NOT_FOUND",
                classes=ILLEGAL_ARGUMENT,
            )
        query = found[1]
        answer = base_pb2.ExecutePlanResponse()
        result = answer.streaming_query_command_result
        _identify(result.query_id, query)
        kind = command.WhichOneof("command")
        if kind == "status":
            result.status.status_message = query.message
            result.status.is_data_available = query.data_available
            result.status.is_trigger_active = query.trigger_active
            result.status.is_active = not query.ended
        elif kind in {"last_progress", "recent_progress"}:
            reports = query.recent()
            result.recent_progress.recent_progress_json.extend(reports[-1:] if kind == "last_progress" else reports)
        elif kind == "stop":
            query.stop()
        elif kind == "process_all_available":
            query.process_all_available(context.is_active)
        elif kind == "explain":
            result.explain.result = query.explain()
        elif kind == "exception":
            result.exception.SetInParent()
            if query.error is not None:
                result.exception.exception_message = f"{type(query.error).__name__}: {query.error}"
                result.exception.error_class = query.error.condition or ""
        elif kind == "await_termination":
            wait = command.await_termination
            timeout_s = wait.timeout_ms / 1000 if wait.HasField("timeout_ms") else None
            result.await_termination.terminated = query.wait(timeout_s, context.is_active)
        return answer

    def _manager_command(self, session: FrontSession, command: Any, context: Any) -> Any:
        answer = base_pb2.ExecutePlanResponse()
        result = answer.streaming_query_manager_command_result
        result.SetInParent()
        kind = command.WhichOneof("command")
        if kind == "active":
            result.active.SetInParent()
            for query in self._active(session):
                _describe(result.active.active_queries.add(), query)
        elif kind == "get_query":
            for query in self._active(session):
                if query.id == command.get_query:
                    _describe(result.query, query)
        elif kind == "await_any_termination":
            wait = command.await_any_termination
            timeout_s = wait.timeout_ms / 1000 if wait.HasField("timeout_ms") else None
            result.await_any_termination.terminated = self._wait_any(session, timeout_s, context.is_active)
        elif kind == "reset_terminated":
            with self._lock:
                self._reset &= self._queries.keys()
                for owner, query in self._queries.values():
                    if owner is session and query.ended:
                        self._reset.add(query.run_id)
            result.reset_terminated = True
        else:
            raise not_there("listeners that run in the server", "pyspark's listeners run in the client.")
        return answer

    def _wait_any(self, session: FrontSession, timeout_s: float | None, alive: Callable[[], bool]) -> bool:
        """Until a query ends that had not ended at the last reset. Raises `SparkError` when one ended with an error."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._lock:
            while True:
                ended = [
                    query
                    for owner, query in self._queries.values()
                    if owner is session and query.ended and query.run_id not in self._reset
                ]
                for query in ended:
                    if query.error is not None:
                        raise query.error
                if ended:
                    return True
                left = WAIT_S if deadline is None else min(WAIT_S, deadline - time.monotonic())
                if left <= 0 or not alive():
                    return False
                self._lock.wait(left)

    def _bus_command(self, session: FrontSession, command: Any, context: Any) -> Iterator[Any]:
        """A client's listeners: events go out on the call that registered them until they are removed."""
        if command.WhichOneof("command") == "remove_listener_bus_listener":
            events = self._listeners.pop(session.id, None)
            if events is not None:
                events.put(_END)
            return
        events = queue.Queue(EVENTS_LIMIT)
        former = self._listeners.get(session.id)
        if former is not None:
            former.put(_END)
        self._listeners[session.id] = events
        added = base_pb2.ExecutePlanResponse()
        added.streaming_query_listener_events_result.listener_bus_listener_added = True
        yield added
        while context.is_active():
            try:
                kind, text = events.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            if (kind, text) == _END:
                return
            answer = base_pb2.ExecutePlanResponse()
            answer.streaming_query_listener_events_result.events.add(event_json=text, event_type=kind)
            yield answer


def _identify(place: Any, query: StreamingQuery) -> None:
    place.id = query.id
    place.run_id = query.run_id


def _describe(place: Any, query: StreamingQuery) -> None:
    _identify(place.id, query)
    if query.name is not None:
        place.name = query.name
