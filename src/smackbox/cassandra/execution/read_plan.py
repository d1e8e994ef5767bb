"""What a SELECT reads: the rows of one table or view that a WHERE clause selects, and their order."""

from __future__ import annotations

from dataclasses import dataclass

from smackbox.cassandra.execution.index_reading import IndexChoice
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.state.schema import Table


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The rows of `table` under `restrictions`.

    `index` finds them. `stamps` adds their timestamps, `reverse` reverses the clustering order, `sorts` applies that
    order across several partitions, and `distinct` returns one row for each partition. If the table is a view, `view`
    describes how its rows are computed.
    """

    table: Table
    restrictions: Restrictions
    reader: RowReader
    index: IndexChoice | None = None
    stamps: bool = False
    reverse: bool = False
    sorts: bool = False
    distinct: bool = False
    view: ViewPlan | None = None


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """How the rows of a view are computed from its base table's.

    `ordinals` has the base table's column ordinal for each column of the view; the first `keys` of them are the view's
    primary key.
    """

    base: ReadPlan
    ordinals: tuple[int, ...]
    keys: int
