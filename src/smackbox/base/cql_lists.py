"""Lists of CQL that have their items twice when they are written twice."""

from __future__ import annotations

import re

_TYPE_BRACKETS = re.compile(r"(\w+)\s*<|>")


def has_open_list(types: str) -> bool:
    """Whether column types, as CQL writes them, have a list that is in no `frozen<…>`.

    Writing such a list again with the same timestamp adds its items again: each gets a key of its own, and the deletion
    of what was there carries an earlier timestamp (Cassandra's `Lists.Setter`).
    """
    enclosing: list[str] = []
    for found in _TYPE_BRACKETS.finditer(types):
        if found[0] == ">":
            enclosing = enclosing[:-1]
            continue
        name = found[1].lower()
        if name == "list" and "frozen" not in enclosing:
            return True
        enclosing.append(name)
    return False
