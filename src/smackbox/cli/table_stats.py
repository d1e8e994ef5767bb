"""How much is in tables: counted with SELECTs, so it takes a full scan of each; with any Cassandra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from smackbox.base.errors import UserError

if TYPE_CHECKING:
    from cassandra.cluster import Session

PAGE_ROWS = 5_000


def table_stats(session: Session, name: str = "") -> Iterator[tuple[str, int, int]]:
    """`keyspace.table`, its partitions and rows; of one table, a keyspace, or all that are not the system's.

    Raises `UserError` when there is nothing of that name.
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
