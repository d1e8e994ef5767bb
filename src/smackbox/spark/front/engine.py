"""Sail servers behind the front: one is in use, and one after the other is replaced when it has answered enough.

Sail keeps about 17 KB of each query until its server ends. So the pool starts another server in this process after
`QUERIES_LIMIT` queries (15 ms); sessions move to it one by one (`FrontSession.move`), and the former one ends when no
session and no call is left on it. Calls are bytes: what needs no look is passed on as it came.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

QUERIES_LIMIT = 2_500
MESSAGE_BYTES = 128 * 1024 * 1024
"""What Sail takes in one message; Spark Connect's own server takes as much."""
SERVICE = "/spark.connect.SparkConnectService/"
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
)
WAIT_S = 5.0

log = logging.getLogger(__name__)


class Engine:
    """One Sail server and the channel to it. `users` counts sessions on it and calls in progress."""

    def __init__(self, start: Callable[[], Any]) -> None:
        import grpc
        import grpc.experimental

        self._server = start()
        host, port = self._server.listening_address
        # without a thread of its own for each stream of answers: the thread that answers the client reads them
        options = (*CHANNEL_OPTIONS, (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1))
        self._channel = grpc.insecure_channel(f"{host}:{port}", options=options)
        self._methods: dict[str, Any] = {}
        self.users = 0
        self.queries = 0

    def call(self, method: str, request: bytes, *, timeout_s: float | None = None) -> bytes:
        """One answer to one request. Raises `grpc.RpcError`."""
        stub = self._methods.get(method)
        if stub is None:
            stub = self._methods[method] = self._channel.unary_unary(SERVICE + method)
        return stub(request, timeout=timeout_s, wait_for_ready=True)  # type: ignore[no-any-return]

    def stream(self, method: str, request: bytes, *, timeout_s: float | None = None) -> Any:
        """The call, an iterator of answers that has `cancel`. Iterating raises `grpc.RpcError`."""
        stub = self._methods.get(method)
        if stub is None:
            stub = self._methods[method] = self._channel.unary_stream(SERVICE + method)
        return stub(request, timeout=timeout_s, wait_for_ready=True)

    def upload(self, method: str, requests: Iterator[bytes]) -> bytes:
        """One answer to a stream of requests. Raises `grpc.RpcError`."""
        return self._channel.stream_unary(SERVICE + method)(requests, wait_for_ready=True)  # type: ignore[no-any-return]

    def stop(self) -> None:
        """Close the channel and end the server."""
        self._channel.close()
        self._server.stop()


class EnginePool:
    """`current` takes new sessions. All methods may be called from any thread."""

    def __init__(self, start: Callable[[], Any], queries_limit: int | None = None) -> None:
        self._start = start
        self._limit = QUERIES_LIMIT if queries_limit is None else queries_limit
        self._lock = threading.Lock()
        self._former: list[Engine] = []
        self.current = Engine(start)
        self.recycled = 0
        self.after_query: Callable[[Any], None] = lambda _: None
        """Called with a session when a query of it is done, in the query's thread."""

    def use(self, engine: Engine, *, query: bool = False) -> None:
        """One more session or call on `engine`."""
        with self._lock:
            engine.users += 1
            engine.queries += query

    def release(self, engine: Engine) -> None:
        """One less; a former engine without users ends."""
        with self._lock:
            engine.users -= 1
            ends = engine.users == 0 and engine in self._former
            if ends:
                self._former.remove(engine)
        if ends:
            engine.stop()
            give_back_memory()

    @property
    def worn(self) -> bool:
        """Whether the current engine has answered enough."""
        return self.current.queries >= self._limit

    def renew(self) -> None:
        """Start another engine for what comes; the former one stays until it is left."""
        fresh = Engine(self._start)
        with self._lock:
            former, self.current = self.current, fresh
            self.recycled += 1
            idle = former.users == 0
            if not idle:
                self._former.append(former)
        if idle:
            former.stop()
            give_back_memory()

    def stop(self) -> None:
        """End all servers."""
        with self._lock:
            engines = [self.current, *self._former]
            self._former = []
        for engine in engines:
            engine.stop()


def give_back_memory() -> None:
    """glibc keeps what was freed in its arenas; elsewhere there is nothing to do."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
