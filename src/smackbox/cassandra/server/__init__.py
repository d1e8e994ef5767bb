"""The Cassandra room's server. `CassandraServer` is loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.cassandra.server.service import CassandraServer as CassandraServer

__all__ = ["CassandraServer"]


def __getattr__(name: str) -> Any:
    if name == "CassandraServer":
        from smackbox.cassandra.server.service import CassandraServer

        return CassandraServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
