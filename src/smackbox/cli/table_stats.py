"""Sizes of tables and the state of nodes, read with SELECTs, so they work with any Cassandra.

Partitions and rows are counted, which takes a full scan of each table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smackbox.base.errors import UserError

if TYPE_CHECKING:
    from cassandra.cluster import Session

PAGE_ROWS = 5_000


def table_stats(session: Session, name: str = "") -> Iterator[tuple[str, int, int]]:
    """`keyspace.table`, its partitions and rows; of one table, a keyspace, or all that are not the system's.

    Raises `UserError` for an unknown name.
    """
    wanted_keyspace, _, wanted_table = name.partition(".")
    keyspaces = session.cluster.metadata.keyspaces
    chosen = [
        (keyspace, table)
        for keyspace in sorted(keyspaces)
        if (keyspace == wanted_keyspace if name else not keyspace.startswith("system"))
        for table in sorted(keyspaces[keyspace].tables)
        if not wanted_table or table == wanted_table
    ]
    if name and not chosen and (wanted_table or wanted_keyspace not in keyspaces):
        raise UserError(f"there is no table {name}" if wanted_table else f"there is no keyspace {name}")
    for keyspace, table in chosen:
        yield f"{keyspace}.{table}", *_counted(session, keyspace, table)


def node_lines(session: Session) -> Iterator[tuple[str, ...]]:
    """A head, and a line for each node as `nodetool status` has it: U or D (up, down), N (normal)."""
    from cassandra import DriverException, RequestExecutionException

    yield "state", "address", "load", "tokens", "host id", "rack", "data center", "release"
    columns = "host_id, data_center, rack, release_version, tokens, rpc_address"
    own = session.execute(f"SELECT {columns} FROM system.local").one()  # noqa: S608
    peers = list(session.execute(f"SELECT {columns} FROM system.peers"))  # noqa: S608
    hosts = {host.host_id: host for host in session.cluster.metadata.all_hosts()}
    for row in (own, *peers):
        host = hosts.get(row.host_id)
        load = "?"
        if row is own:
            try:
                sizes = session.execute("SELECT mebibytes FROM system_views.disk_usage")
                load = f"{sum(size for (size,) in sizes)} MiB"
            except (DriverException, RequestExecutionException):
                pass  # a Cassandra before 4.0
        yield (
            "UN" if host is not None and host.is_up else "DN",
            host.endpoint.address + f":{host.endpoint.port}" if host is not None else str(row.rpc_address),
            load,
            str(len(row.tokens or ())),
            str(row.host_id),
            row.rack,
            row.data_center,
            row.release_version,
        )


def _counted(session: Session, keyspace: str, table: str) -> tuple[int, int]:
    from cassandra.query import SimpleStatement

    key = ", ".join(
        f'"{column.name}"' for column in session.cluster.metadata.keyspaces[keyspace].tables[table].partition_key
    )
    from_table = f'FROM "{keyspace}"."{table}"'
    counts = []
    for what in (f"DISTINCT {key}", key):
        query = f"SELECT {what} {from_table}"
        rows = session.execute(SimpleStatement(query, fetch_size=PAGE_ROWS), timeout=None)
        counts.append(sum(1 for _ in rows))
    return counts[0], counts[1]
