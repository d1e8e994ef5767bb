"""ORDER BY … ANN OF: checks at execution, and the rows with the most similar vectors.

If the WHERE clause names a partition or restricts tokens, its rows are compared one by one. Otherwise the index's
vectors are searched (`state/vectors`), and each row found is read to check that it still has that vector and matches
the WHERE clause. If too few rows remain, the rows that the WHERE clause selects are compared.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from smackbox.cassandra.execution.consistency import (
    ANY,
    LOCAL_QUORUM,
    LOCAL_SERIAL,
    NAMES,
    SERIAL,
    check_replicas,
)  # fmt: skip
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.paging import NO_LIMIT
from smackbox.cassandra.execution.read_plan import ReadPlan
from smackbox.cassandra.execution.reading import rows_at
from smackbox.cassandra.execution.row_view import KeyedRow
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, Column
from smackbox.cassandra.state.index_target import IndexTarget, is_vector_index, similarity_of
from smackbox.cassandra.state.keys import SECTION_STATIC, partition_of
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.state.vectors import VectorIndex
from smackbox.cassandra.values.similarity import similarity, unsearchable
from smackbox.cassandra.wire.errors import Invalid, ReadFailure, WriteFailure

TOP_LIMIT = 1000
ONE = 0x01
LOCAL_ONE = 0x0A
_AT_ONE = frozenset({ONE, LOCAL_ONE, 0x0B})
# how many rows are read before falling back to the WHERE clause
LOOKED_AT_LIMIT = 4096
WIDER = 4


@dataclass(frozen=True, slots=True)
class VectorOrder:
    """The ANN ordering of one SELECT by the vectors in `column`: their distance from the vector of `query`, as `target`
    measures it.
    """

    table: Table
    column: Column
    query: Term
    target: IndexTarget | None

    def admit(self, context: Context, limit: int, *, per_partition: int, grouped: bool, keyspace: Keyspace) -> None:
        """Raises `Invalid` if the statement may not run. Adjusts the page size and the level, with a warning."""
        if context.consistency == ANY:
            raise Invalid("ANY ConsistencyLevel is only supported for writes")
        if grouped:
            raise Invalid("Top-K queries can not be run with aggregation")
        if per_partition != NO_LIMIT:
            raise Invalid("Top-K queries do not support per-partition limits")
        if limit == NO_LIMIT:
            raise Invalid(
                "Top-K queries must have a limit specified and the limit must be less than the query page size"
            )
        level = context.consistency
        if level in {SERIAL, LOCAL_SERIAL}:
            raise Invalid(
                "Top-K queries can only be run with consistency level ONE/LOCAL_ONE. "
                f"Consistency level {NAMES[level]} was used."
            )
        if level not in _AT_ONE:
            context.consistency = LOCAL_ONE if level == LOCAL_QUORUM else ONE
            context.warnings.append(
                "Top-K queries can only be run with consistency level ONE / LOCAL_ONE / NODE_LOCAL. Consistency level "
                f"{NAMES[level]} was requested. Downgrading the consistency level to {NAMES[context.consistency]}."
            )
        check_replicas(context, keyspace, context.consistency)
        if 0 < context.page_size < limit:
            context.warnings.append(
                f"Top-K queries do not support paging and the page size is set to {context.page_size}, which is less "
                f"than LIMIT {limit}. The page size has been set to {limit} to match the LIMIT."
            )
        if limit > TOP_LIMIT:
            raise Invalid(
                f"Use of ANN OF in an ORDER BY clause requires a LIMIT that is not greater than {TOP_LIMIT}. "
                f"LIMIT was {limit}"
            )

    def rows(
        self, context: Context, read: ReadPlan, stored: Callable[[], Iterator[KeyedRow]], limit: int
    ) -> list[KeyedRow]:
        """The rows with the most similar vectors, best first; `stored` yields all rows that the WHERE clause selects.

        Raises `ReadFailure` for a query vector without a similarity.
        """
        query = self._query(context)
        restrictions = read.restrictions
        narrow = restrictions.key_is_whole or restrictions.tokens or restrictions.clustering
        if not narrow and self.target is not None:
            index = context.state.vectors.up_to_date(self.table, self.target, context.statement_time_s)
            if index is not None:
                nearest = self._searched(context, read, index, query, limit)
                if nearest is not None:
                    return nearest
        return self._compared(stored(), query, limit)

    def _query(self, context: Context) -> bytes:
        value = self.query.evaluate(context, None)
        if not isinstance(value, bytes):
            raise Invalid(f"Unsupported {'null' if value is None else 'unset'} value for column {self.column.name}")
        measure = similarity_of(self.target) if self.target is not None else "cosine"
        reason = unsearchable(self.column.type.decode(value), measure)
        if reason is not None:
            raise ReadFailure(reason, context.consistency)
        return value

    def _compared(self, stored: Iterator[KeyedRow], query: bytes, limit: int) -> list[KeyedRow]:
        kind = self.column.type
        query_vector = kind.decode(query)
        name = similarity_of(self.target) if self.target is not None else "cosine"
        measure = similarity(name)
        assert measure is not None

        def scored() -> Iterator[tuple[float, KeyedRow]]:
            for key, view in stored:
                value = view.values[self.column.ordinal]
                if value is None or key[len(partition_of(key))] == SECTION_STATIC:
                    continue
                vector = kind.decode(value)
                if unsearchable(vector, name) is None:
                    yield measure(query_vector, vector), (key, view)

        best = heapq.nlargest(limit, scored(), key=lambda pair: pair[0])
        return [keyed_row for _, keyed_row in best]

    def _searched(
        self, context: Context, read: ReadPlan, index: VectorIndex, query: bytes, limit: int
    ) -> list[KeyedRow] | None:
        """The rows found by the index; None when too few of them match the WHERE clause."""
        engine = context.state.engine
        now_s = context.statement_time_s
        predicates = read.restrictions.predicates(context)
        ordinal = self.column.ordinal
        stamps = read.stamps
        nearest: list[KeyedRow] = []
        count = limit if not predicates else WIDER * limit
        while True:
            for label in index.nearest(query, count):
                rows = list(rows_at(engine, self.table, read.reader, index.keys[label], now_s, stamps=stamps))
                value = rows[0][1].values[ordinal] if rows else None
                if value is None or value != index.value(label):
                    index.remove(label)
                    continue
                nearest += [
                    (key, view) for key, view in rows
                    if key[len(partition_of(key))] != SECTION_STATIC and all(matches(view) for matches in predicates)
                ]  # fmt: skip
                if len(nearest) >= limit:
                    return nearest[:limit]
            if count >= len(index):
                return nearest[:limit]
            if count >= LOOKED_AT_LIMIT:
                return None if predicates else nearest
            nearest = []
            count *= WIDER


def check_vectors(
    context: Context,
    table: Table,
    cells: Mapping[int, bytes | None],
    partition_key: Sequence[bytes],
    clustering: Sequence[bytes],
) -> None:
    """Raises `WriteFailure` for a row with a vector that its index cannot hold."""
    for target in table.index_targets:
        if not is_vector_index(target):
            continue
        column = target.column
        value = cells.get(column.number)
        if column.kind == PARTITION_KEY:
            value = partition_key[column.position]
        elif column.kind == CLUSTERING:
            value = clustering[column.position] if clustering else None
        if value is not None:
            reason = unsearchable(column.type.decode(value), similarity_of(target))
            if reason is not None:
                raise WriteFailure(reason, context.consistency)
