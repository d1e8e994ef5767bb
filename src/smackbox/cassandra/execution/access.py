"""The permissions that a statement requires."""

from __future__ import annotations

from typing import NamedTuple

ALL_TABLES = "*"


class Access(NamedTuple):
    """A permission on a table, on all tables of a keyspace, on a keyspace (`table` empty) or on all (both empty).

    With `of_index`, `table` is the name of an index on that table.
    """

    permission: str
    keyspace: str = ""
    table: str = ""
    of_index: bool = False
