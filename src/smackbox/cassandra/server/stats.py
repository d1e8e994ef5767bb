"""The server's statistics in `system_views` and `system`: sizes, caches, tasks, settings.

Sizes come from RocksDB: what its files hold of a table, according to their first and last keys; data that is only in
memory counts after the next flush. All tables share the same files, so the size of a file that spans several tables is
divided evenly. Serving requests has no extra cost for these tables: they use only counters that exist anyway.
"""

from __future__ import annotations

import ipaddress
import platform
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from smackbox.cassandra.execution.context import ServerState
from smackbox.cassandra.server.clients import Clients
from smackbox.cassandra.server.server_clock import ServerClock
from smackbox.cassandra.server.upkeep import Upkeep
from smackbox.cassandra.settings import CassandraSettings
from smackbox.cassandra.state.keys import MIN_TOKEN, partition_of, successor
from smackbox.cassandra.state.node import PARTITIONER, RELEASE_VERSION, Endpoint
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.state.system_rows import STORAGE_PORT, SystemRows, Values
from smackbox.cassandra.statements.registry import Statements
from smackbox.cassandra.values.timeuuids import UUID_EPOCH_TICKS, timeuuid
from smackbox.store.rocks import CACHE_BYTES, RocksStore

MIB = 1024 * 1024
SAMPLED_ENTRIES = 256
# Cassandra's names of this server's settings
_SETTING_NAMES = {
    "port": "native_transport_port",
    "host": "rpc_address",
    "authenticator": "authenticator.class_name",
    "authorizer": "authorizer.class_name",
    "native_transport_max_frame_size_bytes": "native_transport_max_frame_size",
    "native_transport_max_request_data_in_flight_bytes": "native_transport_max_request_data_in_flight",
    "native_transport_max_request_data_in_flight_per_ip_bytes": "native_transport_max_request_data_in_flight_per_ip",
    "batch_size_warn_threshold_bytes": "batch_size_warn_threshold",
    "batch_size_fail_threshold_bytes": "batch_size_fail_threshold",
}
_SECRET = frozenset({"client_encryption_keyfile"})


class Stats:
    """The rows of the statistics tables of one server."""

    def __init__(
        self, settings: CassandraSettings, url: str, store_directory: Path, store: RocksStore, state: ServerState,
        statements: Statements, clients: Clients, upkeep: Upkeep, clock: ServerClock,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._url = url
        self._store_directory = store_directory
        self._store = store
        self._state = state
        self._statements = statements
        self._clients = clients
        self._upkeep = upkeep
        self._clock = clock

    def add_to(self, system_rows: SystemRows) -> None:
        """Show these statistics as tables of `system_views`."""
        for name, source in (
            ("caches", self._caches),
            ("clients", self._connected),
            ("cql_metrics", self._cql_metrics),
            ("disk_usage", self._disk_usage),
            ("gossip_info", self._gossip_info),
            ("max_sstable_size", self._largest_files),
            ("sai_column_indexes", self._sai_indexes),
            ("settings", self._shown_settings),
            ("sstable_tasks", self._tasks),
            ("system_properties", self._properties),
            ("thread_pools", self._thread_pools),
        ):
            system_rows.add("system_views", name, source)
        system_rows.add("system", "size_estimates", self._size_estimates)
        system_rows.add("system", "table_estimates", self._table_estimates)

    # ---- sizes ------------------------------------------------------------------------------------------------------

    def _distributed_tables(self) -> Iterator[Table]:
        """The tables for which Cassandra keeps estimates: those of all keyspaces with replicas."""
        for keyspace in self._state.catalog.keyspaces.values():
            if not keyspace.record.replication["class"].endswith("LocalStrategy"):
                yield from (table for table in keyspace.tables.values() if not table.is_view)

    def _tables(self) -> Iterator[Table]:
        for keyspace in self._state.catalog.user_keyspaces():
            yield from (table for table in keyspace.tables.values() if not table.is_view)

    def _files(self) -> list[tuple[int, int, int, int]]:
        """The first and last table number of each file of the store, its bytes, its entries."""
        return [(_number(first), _number(last), size, entries) for first, last, size, entries in self._store.files()]

    def _sizes(self) -> dict[int, tuple[int, int, int]]:
        """For each table, by number: the approximate bytes and entries in files, and the most in one file."""
        numbers = [table.number for table in self._tables()]
        sizes = dict.fromkeys(numbers, (0, 0, 0))
        for first, last, size, entries in self._files():
            inside = [number for number in numbers if first <= number <= last]
            for number in inside:
                total, count, largest = sizes[number]
                share = size // len(inside)
                sizes[number] = total + share, count + entries // len(inside), max(largest, share)
        return sizes

    def _disk_usage(self, _: Endpoint) -> Iterator[Values]:
        sizes = self._sizes()
        for table in self._tables():
            yield {**_named(table), "mebibytes": -(-sizes[table.number][0] // MIB)}

    def _largest_files(self, _: Endpoint) -> Iterator[Values]:
        sizes = self._sizes()
        for table in self._tables():
            yield {**_named(table), "mebibytes": -(-sizes[table.number][2] // MIB)}

    def _size_estimates(self, _: Endpoint) -> Iterator[Values]:
        """The estimates that readers of whole tables use to split them: every token range has about the same share of a
        table.
        """
        ranges = self._ranges()
        sizes = self._sizes()
        for table in self._distributed_tables():
            total, entries, _largest = sizes.get(table.number, (0, 0, 0))
            partitions = self._partitions(table, entries) if entries else 0
            for start, end in ranges:
                yield {
                    **_named(table),
                    "range_start": start,
                    "range_end": end,
                    "mean_partition_size": total // partitions if partitions else 0,
                    "partitions_count": partitions // len(ranges),
                }

    def _partitions(self, table: Table, entries: int) -> int:
        """The approximate number of partitions, extrapolated from the first entries."""
        keys = [key for key, _ in islice(self._store.items(table.prefix, successor(table.prefix)), SAMPLED_ENTRIES)]
        if len(keys) < SAMPLED_ENTRIES:
            return len({partition_of(key) for key in keys})
        return entries * len({partition_of(key) for key in keys}) // len(keys)

    def _table_estimates(self, endpoint: Endpoint) -> Iterator[Values]:
        for values in self._size_estimates(endpoint):
            for kind in ("local_primary", "primary"):
                yield {**values, "range_type": kind}

    def _ranges(self) -> list[tuple[str, str]]:
        tokens = sorted(map(int, self._state.system_rows.node.tokens()))
        ends = [*tokens, MIN_TOKEN]
        starts = [MIN_TOKEN, *tokens]
        return sorted((str(start), str(end)) for start, end in zip(starts, ends, strict=True))

    # ---- the server -------------------------------------------------------------------------------------------------

    def _caches(self, _: Endpoint) -> Iterator[Values]:
        # RocksDB caches blocks of files, which Cassandra calls chunks; it caches neither keys nor rows nor counters
        yield {"name": "chunks", "capacity_bytes": CACHE_BYTES, "size_bytes": self._store.cached_bytes()}

    def _cql_metrics(self, _: Endpoint) -> Iterator[Values]:
        statements = self._statements
        executed, others = statements.prepared_executed, statements.texts_executed
        total = executed + others
        for name, value in (
            ("prepared_statements_count", len(statements.prepared)),
            ("prepared_statements_evicted", statements.prepared_evicted),
            ("prepared_statements_executed", executed),
            ("prepared_statements_ratio", executed / total if total else 0),
            ("regular_statements_executed", others),
        ):
            yield {"name": name, "value": float(value)}

    def _thread_pools(self, _: Endpoint) -> Iterator[Values]:
        pools = [("Native-Transport-Requests", 1, 1, self._clients.request_count())]
        pools.append(("CompactionExecutor", len(self._upkeep.under_way()), 1, self._upkeep.sweeper.passes))
        for name, active, limit, completed in pools:
            yield {
                "name": name,
                "active_tasks": active,
                "active_tasks_limit": limit,
                "blocked_tasks": 0,
                "blocked_tasks_all_time": 0,
                "completed_tasks": completed,
                "pending_tasks": 0,
            }

    def _tasks(self, _: Endpoint) -> Iterator[Values]:
        for sweep in self._upkeep.under_way():
            table = self._state.catalog.table_of(sweep.number)
            if table is not None:
                yield {
                    **_named(table),
                    "task_id": UUID(bytes=timeuuid(UUID_EPOCH_TICKS + sweep.number, table.id.bytes[:8])),
                    "kind": "compaction",
                    "progress": sweep.looked_at,
                    "unit": "keys",
                }

    def _gossip_info(self, endpoint: Endpoint) -> Iterator[Values]:
        node = self._state.system_rows.node
        tokens = node.tokens()
        yield {
            "address": ipaddress.ip_address(endpoint.address),
            "port": STORAGE_PORT,
            "dc": node.data_center,
            "generation": node.started_at_s,
            "heartbeat": self._clock.now_s() - node.started_at_s,
            "host_id": str(node.host_id),
            "hostname": endpoint.address,
            "load": str(float(sum(size for _, _, size, _ in self._files()))),
            "native_address_and_port": f"{endpoint.address}:{endpoint.port}",
            "rack": node.rack,
            "release_version": RELEASE_VERSION,
            "rpc_address": endpoint.address,
            "rpc_ready": "true",
            "schema": str(self._state.catalog.version),
            "status": f"NORMAL,{tokens[0]}",
            "status_with_port": f"NORMAL,{tokens[0]}",
        }

    def _sai_indexes(self, _: Endpoint) -> Iterator[Values]:
        for table in self._tables():
            for target in table.index_targets:
                if target.is_sai:
                    yield {
                        "keyspace_name": table.keyspace,
                        "index_name": target.record.name,
                        "analyzer": "NoOpAnalyzer",
                        "column_name": target.column.name,
                        "is_building": False,
                        "is_queryable": True,
                        "is_string": target.column.type.cql in {"text", "ascii"},
                        "table_name": table.name,
                    }

    def _shown_settings(self, _: Endpoint) -> Iterator[Values]:
        settings = self._settings
        shown: dict[str, Any] = {"partitioner": PARTITIONER, "endpoint_snitch": "SimpleSnitch"}
        for field in msgspec.structs.fields(settings):
            value = getattr(settings, field.name)
            if field.name in _SECRET and value is not None:
                value = "<REDACTED>"
            shown[_SETTING_NAMES.get(field.name, field.name)] = value
        shown["native_transport_port"] = self._url.rpartition(":")[2]
        # Cassandra 4's names, which tools use as well
        shown |= {name: shown[f"{name}.class_name"] for name in ("authenticator", "authorizer")}
        for name, value in sorted(shown.items()):
            yield {"name": name, "value": _setting_text(name, value)}

    def _properties(self, _: Endpoint) -> Iterator[Values]:
        for name, value in (
            ("cassandra.storagedir", str(self._store_directory.parent)),
            ("os.arch", platform.machine()),
            ("os.name", platform.system()),
        ):
            yield {"name": name, "value": value}

    def _connected(self, _: Endpoint) -> Iterator[Values]:
        for connection in self._clients.connected:
            session = connection.session
            encryption = connection.transport.get_extra_info("ssl_object")
            cipher = encryption.cipher() if encryption is not None else None
            yield {
                "address": ipaddress.ip_address(connection.peer[0]),
                "port": connection.peer[1],
                "client_options": sorted(session.options.items()),
                "connection_stage": "ready" if session.ready else "startup",
                "driver_name": session.options.get("DRIVER_NAME"),
                "driver_version": session.options.get("DRIVER_VERSION"),
                "hostname": connection.peer[0],
                "keyspace_name": session.keyspace,
                "protocol_version": session.version,
                "request_count": session.request_count,
                "ssl_cipher_suite": cipher[0] if cipher is not None else None,
                "ssl_enabled": encryption is not None,
                "ssl_protocol": encryption.version() if encryption is not None else None,
                "username": session.user or "anonymous",
            }


def _named(table: Table) -> Values:
    return {"keyspace_name": table.keyspace, "table_name": table.name}


def _number(key: bytes) -> int:
    return int.from_bytes(key[:4], "big")


def _setting_text(name: str, value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and name.endswith(("_size", "_threshold", "_in_flight", "_per_ip")):
        return f"{value // MIB}MiB" if value >= MIB and not value % MIB else f"{value // 1024}KiB"
    return None if value is None else str(value)
