"""The rows of the system tables, computed from the schema and the node whenever they are read."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from smackbox.cassandra.state.catalog import Catalog
from smackbox.cassandra.state.node import CQL_VERSION, PARTITIONER, RELEASE_VERSION, Endpoint, Node
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.wire.cql.ast import OptionValue

Values = dict[str, Any]
STORAGE_PORT = 7000
NATIVE_PROTOCOL_VERSION = "5"


class SystemRows:
    """The content of the system tables that are not stored. Tables without an entry are empty."""

    def __init__(self, catalog: Catalog, node: Node) -> None:
        self.catalog = catalog
        self.node = node
        self._sources: dict[tuple[str, str], Callable[[Endpoint], Iterable[Values]]] = {
            ("system", "local"): self._local,
            ("system_schema", "keyspaces"): self._keyspaces,
            ("system_schema", "tables"): self._tables,
            ("system_schema", "columns"): self._columns,
            ("system_schema", "dropped_columns"): self._dropped_columns,
            ("system_schema", "types"): self._types,
            ("system_schema", "indexes"): self._indexes,
            ("system_schema", "views"): self._views,
            ("system_virtual_schema", "keyspaces"): self._virtual_keyspaces,
            ("system_virtual_schema", "tables"): self._virtual_tables,
            ("system_virtual_schema", "columns"): self._virtual_columns,
            ("system", "IndexInfo"): self._built_indexes,
            ("system", "built_views"): self._built_views,
            ("system_distributed", "view_build_status"): self._view_build_status,
        }

    def add(self, keyspace: str, table: str, source: Callable[[Endpoint], Iterable[Values]]) -> None:
        """Register `source` for the rows of this table."""
        self._sources[keyspace, table] = source

    def rows(self, table: Table, endpoint: Endpoint) -> Iterator[list[bytes | None]]:
        """Each row with its columns in the order of `SELECT *`."""
        source = self._sources.get((table.keyspace, table.name))
        if source is None:
            return
        for values in source(endpoint):
            row: list[bytes | None] = []
            for column in table.columns:
                value = values.get(column.name)
                row.append(None if value is None else column.type.encode(value))
            yield row

    def _local(self, endpoint: Endpoint) -> Iterator[Values]:
        node = self.node
        address = ipaddress.ip_address(endpoint.address)
        yield {
            "key": "local",
            "bootstrapped": "COMPLETED",
            "broadcast_address": address,
            "broadcast_port": STORAGE_PORT,
            "cluster_name": node.cluster_name,
            "cql_version": CQL_VERSION,
            "data_center": node.data_center,
            "gossip_generation": node.started_at_s,
            "host_id": node.host_id,
            "listen_address": address,
            "listen_port": STORAGE_PORT,
            "native_protocol_version": NATIVE_PROTOCOL_VERSION,
            "partitioner": PARTITIONER,
            "rack": node.rack,
            "release_version": RELEASE_VERSION,
            "rpc_address": address,
            "rpc_port": endpoint.port,
            "schema_version": self.catalog.version,
            "tokens": node.tokens(),
        }

    def _real(self) -> Iterator[Keyspace]:
        return (keyspace for keyspace in self.catalog.keyspaces.values() if not keyspace.virtual)

    def _virtual(self) -> Iterator[Keyspace]:
        return (keyspace for keyspace in self.catalog.keyspaces.values() if keyspace.virtual)

    def _keyspaces(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._real():
            yield {
                "keyspace_name": keyspace.name,
                "durable_writes": keyspace.record.durable_writes,
                "replication": list(keyspace.record.replication.items()),
            }

    def _tables(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._real():
            for table in keyspace.tables.values():
                if not table.is_view:
                    flags = ["compound", "counter"] if table.is_counter else ["compound"]
                    yield {
                        "keyspace_name": keyspace.name,
                        "table_name": table.name,
                        "id": table.id,
                        "flags": flags,
                        **_options(table.options),
                    }

    def _views(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._real():
            for view in keyspace.tables.values():
                if view.base_table is not None:
                    yield {
                        "keyspace_name": keyspace.name,
                        "view_name": view.name,
                        "id": view.id,
                        "base_table_id": keyspace.tables[view.base_table].id,
                        "base_table_name": view.base_table,
                        "include_all_columns": view.record.include_all_columns,
                        "where_clause": view.record.where_clause,
                        **_options(view.options),
                    }

    def _columns(self, _: Endpoint) -> Iterator[Values]:
        return self._columns_of(self._real())

    def _columns_of(self, keyspaces: Iterable[Keyspace]) -> Iterator[Values]:
        for keyspace in keyspaces:
            for table in keyspace.tables.values():
                for column in table.columns:
                    order = "none"
                    if column.kind == "clustering":
                        order = "desc" if column.descending else "asc"
                    yield {
                        "keyspace_name": keyspace.name,
                        "table_name": table.name,
                        "column_name": column.name,
                        "clustering_order": order,
                        "column_name_bytes": column.name.encode(),
                        "kind": column.kind,
                        "position": column.position,
                        "type": column.type.cql,
                    }

    def _dropped_columns(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._real():
            for table in keyspace.tables.values():
                for dropped in table.record.dropped:
                    yield {
                        "keyspace_name": keyspace.name,
                        "table_name": table.name,
                        "column_name": dropped.name,
                        "dropped_time": dropped.dropped_time_us // 1000,
                        "kind": dropped.kind,
                        "type": dropped.type,
                    }

    def _types(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._real():
            for user_type in keyspace.types.values():
                yield {
                    "keyspace_name": keyspace.name,
                    "type_name": user_type.name,
                    "field_names": list(user_type.field_names),
                    "field_types": [part.cql for part in user_type.parts],
                }

    def _indexes(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._real():
            for table in keyspace.tables.values():
                for index in table.indexes:
                    yield {
                        "keyspace_name": keyspace.name,
                        "table_name": table.name,
                        "index_name": index.name,
                        "kind": index.kind,
                        "options": list(index.options.items()),
                    }

    def _built_indexes(self, endpoint: Endpoint) -> Iterator[Values]:
        for values in self._indexes(endpoint):
            yield {"table_name": values["keyspace_name"], "index_name": values["index_name"]}

    def _built_views(self, endpoint: Endpoint) -> Iterator[Values]:
        for values in self._views(endpoint):
            yield {
                "keyspace_name": values["keyspace_name"],
                "view_name": values["view_name"],
                "status_replicated": True,
            }

    def _view_build_status(self, endpoint: Endpoint) -> Iterator[Values]:
        for values in self._views(endpoint):
            yield {
                "keyspace_name": values["keyspace_name"],
                "view_name": values["view_name"],
                "host_id": self.node.host_id,
                "status": "SUCCESS",
            }

    def _virtual_keyspaces(self, _: Endpoint) -> Iterator[Values]:
        return ({"keyspace_name": keyspace.name} for keyspace in self._virtual())

    def _virtual_tables(self, _: Endpoint) -> Iterator[Values]:
        for keyspace in self._virtual():
            for table in keyspace.tables.values():
                yield {
                    "keyspace_name": keyspace.name,
                    "table_name": table.name,
                    "comment": table.options["comment"],
                }

    def _virtual_columns(self, _: Endpoint) -> Iterator[Values]:
        return self._columns_of(self._virtual())


def _options(options: dict[str, OptionValue]) -> Values:
    """A table's options as the columns of system_schema.tables."""
    shown: Values = {"dclocal_read_repair_chance": 0.0, "read_repair_chance": 0.0}
    for name, value in options.items():
        if isinstance(value, dict):
            shown[name] = list(value.items()) if name != "extensions" else []
        elif name in {"bloom_filter_fp_chance", "crc_check_chance"}:
            shown[name] = float(value)
        elif name in {
            "default_time_to_live", "gc_grace_seconds", "max_index_interval", "memtable_flush_period_in_ms",
            "min_index_interval",
        }:  # fmt: skip
            shown[name] = int(value)
        elif name == "cdc":
            shown[name] = None  # Cassandra shows it if the node keeps change data, which this one does not
        elif name in {"allow_auto_snapshot", "incremental_backups"}:
            shown[name] = None if value == "true" else False  # unset options default to true
        elif name not in {"dclocal_read_repair_chance", "read_repair_chance"}:
            shown[name] = value
    return shown
