"""The connection of a stream with Cassandra."""

from __future__ import annotations

from smackbox.spark.cql_session import CqlSession
from smackbox.spark.streaming.settings import StreamSettings


def session_of(settings: StreamSettings) -> CqlSession:
    """A session with the stream's login, consistency and write timeout. Raises what `CqlSession` raises."""
    return CqlSession(
        settings.cassandra,
        datacenter=settings.cassandra_datacenter,
        user=settings.cassandra_user,
        password=settings.cassandra_password,
        consistency=settings.consistency,
        timeout_s=settings.write_timeout_s,
    )
