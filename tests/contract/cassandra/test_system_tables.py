"""What tools read of a node beside the schema: figures, tasks, settings, what was built."""

from __future__ import annotations

from typing import Any

import pytest
from cassandra.cluster import Session

pytestmark = pytest.mark.contract


def rows(session: Session, query: str, *values: Any) -> list[Any]:
    return list(session.execute(query, values))


@pytest.fixture
def filled(session: Session) -> str:
    """A keyspace with a table, an index and some rows."""
    session.execute("CREATE TABLE t (a int, b int, c text, PRIMARY KEY (a, b))")
    session.execute("CREATE INDEX by_c ON t (c) USING 'sai'")
    for number in range(20):
        session.execute("INSERT INTO t (a, b, c) VALUES (%s, %s, 'x')", (number % 4, number))
    return str(session.keyspace)


def test_every_system_table_is_read(session: Session) -> None:
    for schema in ("system_schema", "system_virtual_schema"):
        for keyspace, table in rows(session, f"SELECT keyspace_name, table_name FROM {schema}.tables"):
            # Cassandra's own dropped columns have times that Python has not
            if keyspace.startswith("system") and table != "dropped_columns":
                session.execute(f'SELECT * FROM {keyspace}."{table}" LIMIT 3')


def test_sizes_of_tables(session: Session, filled: str) -> None:
    for view in ("disk_usage", "max_sstable_size"):
        query = f"SELECT mebibytes FROM system_views.{view} WHERE keyspace_name = %s AND table_name = 't'"
        ((mebibytes,),) = rows(session, query, filled)
        assert 0 <= mebibytes <= 1


def test_estimates_cover_the_ring(session: Session) -> None:
    """Readers of whole tables cut them by these; those of a new table come later."""
    for table in ("size_estimates", "table_estimates"):
        found = rows(session, f"SELECT * FROM system.{table}")
        kinds: dict[tuple[Any, ...], set[tuple[str, str]]] = {}
        for row in found:
            key = (row.keyspace_name, row.table_name, getattr(row, "range_type", ""))
            kinds.setdefault(key, set()).add((row.range_start, row.range_end))
            assert row.mean_partition_size >= 0
            assert row.partitions_count >= 0
        for ranges in kinds.values():
            assert {start for start, _ in ranges} == {end for _, end in ranges}


def test_the_node_in_gossip(session: Session) -> None:
    (local,) = rows(session, "SELECT * FROM system.local")
    (row,) = rows(session, "SELECT * FROM system_views.gossip_info")
    assert (row.host_id, row.dc, row.rack) == (str(local.host_id), local.data_center, local.rack)
    assert (row.release_version, row.rpc_ready) == (local.release_version, "true")
    assert row.status.startswith("NORMAL,")
    assert row.schema == str(local.schema_version)
    assert row.native_address_and_port.endswith(f":{local.rpc_port}")


def test_this_client_is_one_of_the_clients(session: Session) -> None:
    found = rows(session, "SELECT * FROM system_views.clients")
    own = [row for row in found if "Python" in (row.driver_name or "")]
    assert own
    assert {row.connection_stage for row in own} == {"ready"}
    assert {row.username for row in own} == {"anonymous"}
    assert not any(row.ssl_enabled for row in own)


def test_settings_by_their_names(session: Session, cassandra_address: tuple[str, int]) -> None:
    found = dict(rows(session, "SELECT name, value FROM system_views.settings"))
    (cluster,) = rows(session, "SELECT cluster_name, partitioner FROM system.local")
    assert found["cluster_name"] == cluster.cluster_name
    assert found["partitioner"].endswith("Murmur3Partitioner")
    assert found["native_transport_port"] == str(cassandra_address[1])
    assert found["authenticator.class_name"] == "AllowAllAuthenticator"
    assert found["native_transport_max_frame_size"] == "16MiB"
    assert found["batch_size_warn_threshold"] == "5KiB"
    (one,) = rows(session, "SELECT value FROM system_views.settings WHERE name = 'rpc_address'")
    assert one.value == "127.0.0.1"


def test_counts_of_statements(session: Session, filled: str) -> None:
    def figures() -> dict[str, float]:
        return dict(rows(session, "SELECT name, value FROM system_views.cql_metrics"))

    before = figures()
    insert = session.prepare("INSERT INTO t (a, b) VALUES (?, ?)")
    for number in range(10):
        session.execute(insert, (number, number))
    after = figures()
    assert after.keys() == {
        "prepared_statements_count", "prepared_statements_evicted", "prepared_statements_executed",
        "prepared_statements_ratio", "regular_statements_executed",
    }  # fmt: skip
    assert after["prepared_statements_executed"] - before["prepared_statements_executed"] >= 10
    assert after["prepared_statements_count"] >= 1
    assert after["regular_statements_executed"] > before["regular_statements_executed"]


def test_pools_of_tasks(session: Session) -> None:
    found = {row.name: row for row in rows(session, "SELECT * FROM system_views.thread_pools")}
    assert {"Native-Transport-Requests", "CompactionExecutor"} <= found.keys()
    assert found["Native-Transport-Requests"].completed_tasks > 0
    assert found["Native-Transport-Requests"].blocked_tasks == 0
    assert all(
        row.total is None or row.progress <= row.total
        for row in rows(session, "SELECT * FROM system_views.sstable_tasks")
    )


def test_indexes_that_were_built(session: Session, filled: str) -> None:
    found = rows(session, 'SELECT * FROM system."IndexInfo" WHERE table_name = %s', filled)
    assert [(row.index_name, row.value) for row in found] == [("by_c", None)]
    (row,) = rows(session, "SELECT * FROM system_views.sai_column_indexes WHERE keyspace_name = %s", filled)
    assert (row.index_name, row.table_name, row.column_name) == ("by_c", "t", "c")
    assert (row.is_building, row.is_queryable, row.is_string) == (False, True, True)
    session.execute("DROP INDEX by_c")
    assert rows(session, 'SELECT * FROM system."IndexInfo" WHERE table_name = %s', filled) == []
