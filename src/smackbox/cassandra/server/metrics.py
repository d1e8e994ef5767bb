"""The server's statistics for Prometheus, read when they are scraped."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.server.clients import Clients


class _Stats(Collector):
    def __init__(self, clients: Clients, state: ServerState) -> None:
        self._clients = clients
        self._state = state

    def collect(self) -> Iterator[Metric]:
        clients = len(self._clients.connected)
        yield GaugeMetricFamily("smackbox_cassandra_connections", "Clients connected", value=clients)
        requests = self._clients.request_count()
        yield CounterMetricFamily("smackbox_cassandra_requests", "Requests answered", value=requests)
        tables = sum(len(keyspace.tables) for keyspace in self._state.catalog.user_keyspaces())
        yield GaugeMetricFamily("smackbox_cassandra_tables", "User tables", value=tables)
        writes = self._state.engine.writes
        yield CounterMetricFamily("smackbox_cassandra_writes", "Row fragments written", value=writes)


def registry(clients: Clients, state: ServerState) -> CollectorRegistry:
    """A registry with the statistics of one server."""
    collectors = CollectorRegistry()
    collectors.register(_Stats(clients, state))
    return collectors
