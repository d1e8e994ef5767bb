"""The rows of a materialized view, computed from its base table's rows when the view is read.

A view stores no rows, so it never lags behind its table, and has the timestamps and expiry of the table's rows. Writes
to the base table add an entry to an index on a column of the view's partition key (see `state.indexes.view_target`).
One partition of a view is read through that index, or from one partition of the base table. Anything wider, such as IN
or a range of tokens, costs a scan of the base table for each page.

A view shows the base rows that are live, match its WHERE clause and have a value in each column of its key. That is
when Cassandra keeps a view row live, through the base row or the one column that the view's key adds.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from smackbox.cassandra.execution.access_paths import filtered, stored_rows
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.read_plan import ReadPlan, ViewPlan
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.row_view import KeyedRow, RowView
from smackbox.cassandra.state.keys import (
    MAX_TOKEN,
    MIN_TOKEN,
    ROW,
    clustering_key,
    compose_partition_key,
    partition_of,
    partition_prefix,
    successor,
    token_prefix,
)
from smackbox.cassandra.state.schema import Table

# rows held at once; a larger view needs one more scan of the base table for each such number of rows
SORTED_CHUNK = 100_000

# position of the partition in the answer, key of the row
Order = tuple[int, bytes]


def view_rows(plan: ReadPlan, view: ViewPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    """The rows of the partitions and slices that are requested, in order, after the one with the key `resume`."""
    return filtered(plan, context, _candidates(plan, view, context, resume))


def _candidates(plan: ReadPlan, view: ViewPlan, context: Context, resume: bytes) -> Iterator[KeyedRow]:
    restrictions, reverse = plan.restrictions, plan.reverse
    partitions: dict[bytes, int] | None = None
    if restrictions.key_is_whole:
        keys = restrictions.partition_keys(context)
        partitions = {partition_prefix(plan.table, key): place for place, key in enumerate(keys)}
    placed = _Places(plan.table, context, restrictions, partitions)
    after: Order | None = None
    if resume:
        after = (partitions or {}).get(partition_of(resume), 0), resume
    if _has_empty_key(view.base.restrictions, context):
        return
    choose = heapq.nlargest if reverse else heapq.nsmallest
    sign = -1 if reverse else 1
    if after is not None:
        after = sign * after[0], after[1]
    while True:
        candidates = (((sign * place, key), row) for (place, key), row in placed.of(_rows(view, context)))
        following = (pair for pair in candidates if after is None or (pair[0] < after if reverse else pair[0] > after))
        chunk = choose(SORTED_CHUNK, following, key=lambda pair: pair[0])
        for (_, key), row in chunk:
            yield key, row
        if len(chunk) < SORTED_CHUNK:
            return
        after = chunk[-1][0]


def _has_empty_key(restrictions: Restrictions, context: Context) -> bool:
    """Whether an empty partition key of the base table is requested, which no row has."""
    columns = restrictions.table.partition_key
    if len(columns) > 1 or not restrictions.key_is_whole:
        return False
    return b"" in restrictions.partition[columns[0].name].values(context)


def _rows(view: ViewPlan, context: Context) -> Iterator[RowView]:
    for _, row in stored_rows(view.base, context, b""):
        values = [row.values[ordinal] for ordinal in view.ordinals]
        if None not in values[: view.keys]:
            yield RowView(values, row.merged, None, row.now_s)


class _Places:
    """The rows that a WHERE clause selects, and their position in the answer."""

    def __init__(
        self, view: Table, context: Context, restrictions: Restrictions, partitions: dict[bytes, int] | None
    ) -> None:
        self._view = view
        self._partitions = partitions
        self._ranges = restrictions.ranges(context)
        low, high = restrictions.token_range(context)
        self._low = token_prefix(view, low)
        self._high = successor(view.prefix) if high == MAX_TOKEN else token_prefix(view, high + 1)

    def of(self, rows: Iterator[RowView]) -> Iterator[tuple[Order, RowView]]:
        view = self._view
        count = len(view.partition_key)
        width = count + len(view.clustering)
        for row in rows:
            key = [value or b"" for value in row.values[:width]]
            partition = _partition(view, compose_partition_key(key[:count]))
            place = 0 if self._partitions is None else self._partitions.get(partition, -1)
            if place < 0 or not self._low <= partition < self._high:
                continue
            order = clustering_key(view, key[count:])
            if any(low <= order and (not high or order < high) for low, high in self._ranges):
                yield (place, partition + ROW + order), row


def _partition(view: Table, key: bytes) -> bytes:
    """A view, unlike a table, may have the empty partition key; its token is the smallest."""
    return partition_prefix(view, key) if key else token_prefix(view, MIN_TOKEN) + bytes(2)
