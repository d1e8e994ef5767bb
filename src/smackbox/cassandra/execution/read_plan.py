"""What a SELECT reads: the rows of one table, or of a view, that a WHERE asks for, in which order."""

from __future__ import annotations

from dataclasses import dataclass

from smackbox.cassandra.execution.index_reading import IndexChoice
from smackbox.cassandra.execution.reading import RowReader
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.state.schema import Table


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The rows of `table` under `restrictions`.

    `index` finds them. With `stamps` they bring their timestamps, with `reverse` they come against the clustering
    order, with `sorts` in that order over several partitions, with `distinct` one of each partition. `view` says how
    they are made, where the table is a view.
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
    """How the rows of a view are made of its base table's.

    `ordinals` has for each column of the view that of the base table's column; the first `keys` of them are the primary
    key of the view.
    """

    base: ReadPlan
    ordinals: tuple[int, ...]
    keys: int
