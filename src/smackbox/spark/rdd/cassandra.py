# ruff: noqa: N802 - the connector's names
"""`sc.cassandraTable("ks", "table", Event)`: a table as an RDD, read by token ranges or by its partition keys.

    views = sc.cassandraTable("ads", "event", Event).where("ts >= ?", start).map(…)

`select` and `where` go to the server. A `where` that names the whole partition key (`=` or `IN`) reads those partitions
and no token range. Options: `spark.cassandra.…` of the context (`cassandra_conf`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.rdd.cassandra_conf import CassandraConf
from smackbox.spark.rdd.cassandra_rows import RowMaker, columns_of
from smackbox.spark.rdd.cassandra_splits import Split, splits
from smackbox.spark.rdd.lineage import Node
from smackbox.spark.rdd.rdd import RDD
from smackbox.spark.rdd.task import Task

SPLITS_PER_CORE = 3
_OF_CELL = re.compile(r"(ttl|writetime)\(\s*\"?(\w+)\"?\s*\)", re.IGNORECASE)
_EQUALITY = re.compile(r"\"?(\w+)\"?\s*(?:=|\bIN\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is read of a table. `columns` empty: those of the row type, else all."""

    keyspace: str
    table: str
    row_type: type | None
    columns: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    per_partition: int | None = None

    @property
    def name(self) -> str:
        return f"{self.keyspace}.{self.table}"


@dataclass(slots=True, eq=False)
class CassandraScan(Node):
    """A partition is token ranges on the same replicas; one without any reads what the clauses name."""

    conf: CassandraConf
    selection: Selection
    names: list[str]
    key: list[str]
    splits: list[Split]

    def hosts(self, index: int) -> Sequence[str]:
        return self.splits[index].hosts

    def compute(self, index: int, task: Task) -> Iterator[Any]:
        selection = self.selection
        with self.conf.session(self.conf.read_consistency) as cql:
            statement = cql.session.prepare(self.statement(index, ", ".join(map(selected, self.names))))
            statement.fetch_size = self.conf.fetch_rows
            types = [kind for _, _, _, kind in statement.result_metadata]
            maker = RowMaker(selection.row_type, self.names, types)
            for values in self.bound(index):
                for page in cql.pages(statement.bind(values)):
                    yield from maker.rows(page)

    def counted(self, index: int) -> int:
        """How many rows a partition has, counted by the server."""
        with self.conf.session(self.conf.read_consistency) as cql:
            statement = cql.session.prepare(self.statement(index, "count(*)"))
            pages = (page for values in self.bound(index) for page in cql.pages(statement.bind(values)))
            return sum(row[0] for page in pages for row in page)

    def bound(self, index: int) -> list[tuple[Any, ...]]:
        """The values of a partition's statement, once for each of its ranges."""
        return [(*tokens, *self.selection.values) for tokens in self.splits[index].ranges or [()]]

    def statement(self, index: int, what: str) -> str:
        """The SELECT of a partition. The least token is no row's token, so `>` misses nothing."""
        selection = self.selection
        token = ", ".join(f'"{name}"' for name in self.key)
        clauses = [f"token({token}) > ? AND token({token}) <= ?"] if self.splits[index].ranges else []
        where = " AND ".join([*clauses, *selection.clauses])
        limit = f" PER PARTITION LIMIT {selection.per_partition}" if selection.per_partition else ""
        filtering = " ALLOW FILTERING" if selection.clauses else ""
        return f'SELECT {what} FROM "{selection.keyspace}"."{selection.table}" WHERE {where}{limit}{filtering}'  # noqa: S608


class CassandraTableRDD(RDD):
    """A table's rows. Each method gives another RDD; nothing is read before an action."""

    _node: CassandraScan

    def __init__(self, ctx: Any, selection: Selection) -> None:
        conf = CassandraConf.of(ctx.settings)
        with conf.session(conf.read_consistency) as cql:
            metadata = cql.table(selection.keyspace, selection.table)
            ring = cql.ring(selection.keyspace)
        columns = list(metadata.columns)
        names = list(selection.columns) or columns_of(selection.row_type, columns, selection.name)
        for name in names:
            column = column_of(name)
            if column not in columns:
                raise SettingError(f"the table {selection.name} has no column {column!r}{near(column, columns)}")
        key = [column.name for column in metadata.partition_key]
        parts = [Split((), ())]
        if not set(key) <= _equal_columns(selection.clauses):
            parts = splits(*ring, SPLITS_PER_CORE * ctx.defaultParallelism)
        self._selection = selection
        super().__init__(CassandraScan(ctx._new_id(), len(parts), conf, selection, names, key, parts), ctx)

    def select(self, *columns: str) -> CassandraTableRDD:
        """Only these columns; `ttl(name)` and `writetime(name)` are what a cell has left, and when it was written."""
        return self._with(columns=columns)

    def where(self, clause: str, *values: Any) -> CassandraTableRDD:
        """A CQL restriction, with a value for each `?`; several are joined by AND."""
        known = self._selection
        return self._with(clauses=(*known.clauses, clause), values=(*known.values, *values))

    def perPartitionLimit(self, count: int) -> CassandraTableRDD:
        """At most `count` rows of each of Cassandra's partitions."""
        if count < 1:
            raise ValueError(f"at least 1 row of each partition, not {count}")
        return self._with(per_partition=count)

    def cassandraCount(self) -> int:
        """The number of rows, counted by the server."""
        node = self._node
        return sum(self._run(lambda index, _: node.counted(index)))

    def _with(self, **changes: Any) -> CassandraTableRDD:
        return CassandraTableRDD(self.ctx, replace(self._selection, **changes))


def selected(name: str) -> str:
    """A column, or a function of a cell, as CQL."""
    of_cell = _OF_CELL.fullmatch(name)
    return f'"{name}"' if of_cell is None else f'{of_cell.group(1)}("{of_cell.group(2)}")'


def column_of(name: str) -> str:
    """The column that a selected name is about."""
    of_cell = _OF_CELL.fullmatch(name)
    return name if of_cell is None else of_cell.group(2)


def _equal_columns(clauses: Sequence[str]) -> set[str]:
    return {match.group(1) for clause in clauses for match in _EQUALITY.finditer(clause)}
