"""The Spark session of a stream: on a server named by its URL, or on an embedded engine that is renewed.

An embedded Sail keeps about 17 KB of each query, and gives it back only when its server ends. So a stream has a server
of its own, and after `QUERIES_LIMIT` queries another one. The change takes a moment and comes between two batches.
"""

from __future__ import annotations

import ctypes
from typing import Any

QUERIES_LIMIT = 2_500


class StreamEngine:
    """`url` None is an embedded engine. `session` gives the session for one query; close the engine in the end."""

    def __init__(self, url: str | None, app_name: str) -> None:
        self._url = url
        self._app_name = app_name
        self._queries = 0
        self._session: Any = None
        self._server: Any = None

    def session(self) -> Any:
        """The session for one more query. Raises what connecting raises."""
        if self._session is None:
            self._server, self._session = self._connect()
            self._queries = 0
        self._queries += 1
        return self._session

    def between_batches(self) -> None:
        """Nobody waits just now: renew an embedded engine that has answered enough queries."""
        if self._server is None or self._queries < QUERIES_LIMIT:
            return
        former = self._server, self._session
        self._server, self._session = self._connect()
        self._queries = 0
        self._stop(*former)
        _give_back_memory()

    def lost(self) -> None:
        """The server does not answer: the next query gets another session, and an embedded engine another server."""
        self._stop(self._server, self._session if self._server is not None else None)
        self._server = self._session = None

    def close(self) -> None:
        self._stop(self._server, self._session)
        self._server = self._session = None

    def _connect(self) -> tuple[Any, Any]:
        from smackbox.spark.connect import fail_soon, session, start_server

        server = start_server("127.0.0.1", 0) if self._url is None else None
        url = self._url
        if server is not None:
            host, port = server.listening_address
            url = f"sc://{host}:{port}"
        spark = session(url, app_name=self._app_name)
        fail_soon(spark)
        return server, spark

    @staticmethod
    def _stop(server: Any, session: Any) -> None:
        if session is not None:
            session.stop()
        if server is not None:
            server.stop()


def _give_back_memory() -> None:
    """glibc keeps what was freed in its arenas; elsewhere there is nothing to do."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
