"""The rows of a materialized view, made of its base table's rows when the view is read.

No row is stored of a view, so it is never behind its table, and what the table's rows say of timestamps and expiry
holds in the view. Writes of the base table leave an entry of an index by a column of the view's partition key (see
`state.indexes.view_target`), so one partition of a view is read by that index, or from one partition of the base
table. Anything wider, such as IN or a range of tokens, costs a scan of the base table for each page.

A view shows the base rows that are alive, fulfil its WHERE and have a value in each column of its key: that is
when Cassandra keeps a view row alive, by the base row or by the one column that the view's key adds.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from smackbox.cassandra.analysis.index_reading import choose_index
from smackbox.cassandra.analysis.terms import Scope
from smackbox.cassandra.execution.context import Context
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
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.parser import parse

if TYPE_CHECKING:
    from smackbox.cassandra.analysis.select import PreparedSelect

# rows held at once; a view of more takes another scan of the base table for each of so many
SORTED_CHUNK = 100_000
NOT_NULL = "IS NOT NULL"

# place of the partition in the answer, key of the row
Order = tuple[int, bytes]


def where_of(view: Table) -> tuple[ast.Relation, ...]:
    """The relations of a view's definition."""
    parsed, _ = parse(f"SELECT * FROM base WHERE {view.record.where_clause}")  # noqa: S608 - read, not executed
    assert isinstance(parsed, ast.Select)
    return parsed.where


class ViewReader:
    """Reads one view for one statement."""

    __slots__ = ("_base", "_keys", "_ordinals", "_view")

    def __init__(self, scope: Scope, where: Sequence[ast.Relation], *, stamps: bool) -> None:
        """`where`: what the statement asks of the view; `stamps`: whether rows have to bring their timestamps."""
        from smackbox.cassandra.analysis.select import PreparedSelect

        view = scope.table
        assert view.base_table is not None
        base = scope.keyspace.tables[view.base_table]
        relations = [relation for relation in where_of(view) if relation.operator != NOT_NULL]
        restricted = {name for relation in relations for name in relation.columns}
        keys = {column.name for column in (*view.partition_key, *view.clustering)}
        for relation in where:
            name = relation.columns[0]
            plain = not (relation.token or relation.multi) and relation.element is None
            if relation.operator == "=" and plain and name in keys and name not in restricted:
                relations.append(relation)
        select = ast.Select(base.keyspace, base.name, where=tuple(relations), allow_filtering=True)
        # markers are declared by the statement itself
        self._base: PreparedSelect = PreparedSelect(select, Scope(scope.keyspace, base, len(scope.binds)))
        self._base.selection.needs_stamps = stamps
        if self._base.index is None:
            self._base.index = choose_index(base, self._base.restrictions, base.view_targets)
        self._view = view
        self._ordinals = tuple(base.column(column.name).ordinal for column in view.columns)
        self._keys = len(keys)

    def found(
        self, context: Context, restrictions: Restrictions, resume: bytes, *, reverse: bool
    ) -> Iterator[KeyedRow]:
        """The rows of the partitions and slices that are asked for, in order, after the one with the key `resume`."""
        partitions: dict[bytes, int] | None = None
        if restrictions.key_is_whole:
            keys = restrictions.partition_keys(context)
            partitions = {partition_prefix(self._view, key): place for place, key in enumerate(keys)}
        placed = _Places(self._view, context, restrictions, partitions)
        after: Order | None = None
        if resume:
            after = (partitions or {}).get(partition_of(resume), 0), resume
        if self._has_empty_key(context):
            return
        chosen = heapq.nlargest if reverse else heapq.nsmallest
        sign = -1 if reverse else 1
        if after is not None:
            after = sign * after[0], after[1]
        while True:
            candidates = (((sign * place, key), view) for (place, key), view in placed.of(self._rows(context)))
            wanted = (pair for pair in candidates if after is None or (pair[0] < after if reverse else pair[0] > after))
            chunk = chosen(SORTED_CHUNK, wanted, key=lambda pair: pair[0])
            for (_, key), view in chunk:
                yield key, view
            if len(chunk) < SORTED_CHUNK:
                return
            after = chunk[-1][0]

    def _has_empty_key(self, context: Context) -> bool:
        """Whether the base table's partition key is asked to be empty, which no row's is."""
        restrictions = self._base.restrictions
        alone = len(restrictions.table.partition_key) == 1
        return alone and restrictions.key_is_whole and b"" in _values(restrictions, context)

    def _rows(self, context: Context) -> Iterator[RowView]:
        ordinals = self._ordinals
        keys = self._keys
        for _, row in self._base.rows(context):
            values = [row.values[ordinal] for ordinal in ordinals]
            if None not in values[:keys]:
                yield RowView(values, row.merged, None, row.now_s)


def _values(restrictions: Restrictions, context: Context) -> list[bytes]:
    return restrictions.partition[restrictions.table.partition_key[0].name].values(context)


class _Places:
    """Which rows a WHERE asks for, and their place in the answer."""

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
