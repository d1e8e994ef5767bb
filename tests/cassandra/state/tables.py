"""Tables as objects, without a server."""

from __future__ import annotations

from uuid import UUID

from smackbox.cassandra.state.columns import ColumnRecord
from smackbox.cassandra.state.schema import DroppedColumn, Table, TableRecord
from smackbox.cassandra.state.type_names import parse_type


def table_of(*columns: tuple[str, str, str], number: int = 7, dropped: tuple[DroppedColumn, ...] = ()) -> Table:
    """Of (name, kind, type); a kind that ends in `desc` sorts downwards. Cells are numbered from 0."""
    records = []
    cells = 0
    for name, kind, type_name in columns:
        keyed = kind.startswith(("partition_key", "clustering"))
        records.append(
            ColumnRecord(name, kind.removesuffix(" desc"), type_name, -1 if keyed else cells, kind.endswith(" desc"))
        )
        cells += not keyed
    record = TableRecord("ks", "t", UUID(int=1), number, tuple(records), {}, cells, dropped=dropped)
    return Table(record, {name: parse_type(type_name, {}, "ks") for name, _, type_name in columns})
