"""What the calls of a client need of the server that they came to."""

from __future__ import annotations

from typing import Any, Protocol

from smackbox.spark.front.engine import EnginePool
from smackbox.spark.front.session import FrontSession


class Front(Protocol):
    """`ConnectFront`, for those that it is made of."""

    sessions: dict[str, FrontSession]
    pool: EnginePool

    @property
    def url(self) -> str:
        """Where clients connect: `sc://host:port`."""

    @property
    def streams(self) -> Any:
        """The `StreamManager`."""

    def session(self, session_id: str, user_id: str) -> FrontSession:
        """The session of that id, made when there is none. Raises `SparkError` for a bad id and for too many."""
