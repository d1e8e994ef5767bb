"""A SELECT of plain columns of one row by its whole key: the stored fragment is copied to the answer without
decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from smackbox.cassandra.execution.binder import Binder, key_binder
from smackbox.cassandra.execution.select import SelectPlan
from smackbox.cassandra.state.engine import Engine
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.types import CqlType

_INT = struct.Struct(">i")
_NULL = b"\xff\xff\xff\xff"
LAYOUT_LIMIT = 1024


class PointRead:
    """The positions of the result columns in a table's fragments. `binder` finds the key in a request."""

    __slots__ = ("_layouts", "_ordinals", "binder", "table")

    def __init__(self, table: Table, ordinals: Sequence[int], binder: Binder) -> None:
        self.table = table
        self.binder = binder
        self._ordinals = ordinals
        self._layouts: dict[bytes, tuple[int, ...]] = {}

    def row(self, engine: Engine, row_key: bytes, key_values: Sequence[bytes]) -> tuple[int, bytes] | None:
        """The number of rows under the key, and the row; None when it is not a plain one."""
        item = engine.row(self.table, row_key)
        if item is None:
            return 0, b""
        if type(item) is not bytes:
            return None
        head_end = 2 + item[1]
        head = item[:head_end]
        layout = self._layouts.get(head)
        if layout is None:
            layout = self._layout(head)
        pieces = list(key_values)
        offset = head_end
        unpack = _INT.unpack_from
        size = len(item)
        while offset < size:
            end = offset + 4
            length = unpack(item, offset)[0]
            if length > 0:
                end += length
            pieces.append(item[offset:end])
            offset = end
        pieces.append(_NULL)
        return 1, b"".join([pieces[index] for index in layout])

    def _layout(self, head: bytes) -> tuple[int, ...]:
        """For each result column, its position among the key's values, the fragment's and a null."""
        table = self.table
        places: dict[int, int] = {}
        for column in (*table.partition_key, *table.clustering):
            places[column.ordinal] = len(places)
        place = len(places)
        bitmap = int.from_bytes(head[2:], "little")
        number = 0
        while bitmap:
            if bitmap & 1:
                stored_column = table.by_number.get(number)
                if stored_column is not None:
                    places[stored_column.ordinal] = place
                place += 1
            bitmap >>= 1
            number += 1
        if len(self._layouts) >= LAYOUT_LIMIT:
            self._layouts.clear()
        layout = tuple(places.get(ordinal, place) for ordinal in self._ordinals)
        self._layouts[head] = layout
        return layout


def point_read(plan: SelectPlan, kinds: Sequence[CqlType]) -> PointRead | None:
    """A point read for markers of `kinds`; None for another kind of SELECT."""
    restrictions = plan.restrictions
    table = plan.table
    if (
        table.virtual
        or table.is_view
        or table.has_statics
        or not restrictions.key_is_whole
        or (table.clustering and not restrictions.clustering_is_whole)
        or restrictions.filters
        or restrictions.residual
        or plan.selection.ordinals is None
        or plan.limit is not None
        or plan.per_partition_limit is not None
        or plan.is_aggregated
        or plan.read.sorts
        or plan.order is not None
        or table.masks
        or any(column.type.multi_cell for column in table.columns)
    ):
        return None
    binder = key_binder(restrictions, kinds)
    return PointRead(table, plan.selection.ordinals, binder) if binder is not None else None
