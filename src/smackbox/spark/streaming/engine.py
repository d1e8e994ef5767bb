"""The Spark session of a Direct stream: on a server named by its URL, or on an embedded engine of its own.

The embedded one is our Spark Connect server, which replaces its Sail as it wears out (`front.engine`).
"""

from __future__ import annotations

from typing import Any


class StreamEngine:
    """`url` None is an embedded engine. `session` gives the session for one query; close the engine in the end."""

    def __init__(self, url: str | None, app_name: str) -> None:
        self._url = url
        self._app_name = app_name
        self._session: Any = None
        self._server: Any = None

    def session(self) -> Any:
        """The session for one more query. Raises what connecting raises."""
        if self._session is None:
            self._server, self._session = self._connect()
        return self._session

    def lost(self) -> None:
        """The server does not answer: the next query gets another session, and an embedded engine another server."""
        self._stop(self._server, self._session if self._server is not None else None)
        self._server = self._session = None

    def close(self) -> None:
        """Stop the session, and an embedded engine."""
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
