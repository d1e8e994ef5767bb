"""The room's figures for Prometheus, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from smackbox.cassandra.server.service import CassandraServer


class _Figures(Collector):
    def __init__(self, server: CassandraServer) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        server = self._server
        sessions = [connection.session for connection in server.connections if connection.session is not None]
        yield GaugeMetricFamily("smackbox_cassandra_connections", "Clients connected", value=len(sessions))
        yield CounterMetricFamily(
            "smackbox_cassandra_requests",
            "Requests answered",
            value=server.finished_requests + sum(session.request_count for session in sessions),
        )
        catalog = server.state.catalog
        tables = sum(len(keyspace.tables) for keyspace in catalog.user_keyspaces())
        yield GaugeMetricFamily("smackbox_cassandra_tables", "User tables", value=tables)
        yield CounterMetricFamily("smackbox_cassandra_writes", "Row fragments written", value=server.engine.writes)


def registry(server: CassandraServer) -> CollectorRegistry:
    """A registry with this server's figures alone."""
    found = CollectorRegistry()
    found.register(_Figures(server))
    return found
