"""What a session has changed in its Sail server, in order, so that another server can be brought to the same state.

Kept are settings, registered functions and data sources, views of DataFrames, and SQL that changes nothing but the
session (`SET`, `USE`, temporary views and functions, databases of the catalog in memory). A command that cannot be
repeated (a table that is made or filled, a checkpoint) pins the session: it stays on its server until it ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

ENTRIES_LIMIT = 10_000
BYTES_LIMIT = 64 * 1024 * 1024
"""A session with a longer journal is pinned."""

_COMMENTS = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/|\()*", re.DOTALL)
_READS = re.compile(
    r"(SELECT|WITH|FROM|VALUES|TABLE|SHOW|DESC|DESCRIBE|EXPLAIN|MAP|REDUCE|REFRESH|CACHE|UNCACHE|CLEAR)\b",
    re.IGNORECASE,
)
_REPEATED = re.compile(
    r"(SET|RESET|USE|DECLARE"
    r"|CREATE\s+(OR\s+REPLACE\s+)?(GLOBAL\s+)?TEMP(ORARY)?\s+(VIEW|FUNCTION)"
    r"|DROP\s+(TEMPORARY\s+)?(VIEW|FUNCTION)"
    r"|CREATE\s+(DATABASE|SCHEMA|NAMESPACE)|DROP\s+(DATABASE|SCHEMA|NAMESPACE))\b",
    re.IGNORECASE,
)
_WRITES = re.compile(r"\bINSERT\b", re.IGNORECASE)
_REPEATED_COMMANDS = frozenset(
    {"register_function", "register_table_function", "register_data_source", "create_dataframe_view"}
)
_HARMLESS_COMMANDS = frozenset({"get_resources_command", "remove_cached_remote_relation_command"})
_CATALOG_CHANGES = frozenset(
    {"set_current_database", "set_current_catalog", "drop_temp_view", "drop_global_temp_view", "create_database"}
    | {"drop_database"}
)
_CATALOG_PINS = frozenset(
    {"create_table", "create_external_table", "recover_partitions", "drop_table", "drop_view", "truncate_table"}
)


@dataclass
class Journal:
    """Requests by method, as they are to be sent again."""

    entries: list[tuple[str, str, bytes]] = field(default_factory=list)  # method, key, request
    size: int = 0
    pinned: bool = False

    def add(self, method: str, key: str, request: bytes, *, refers: bool = False) -> None:
        """`key` names what an entry replaces, "" for nothing; `refers`: the request itself uses what it replaces."""
        if key and not refers:
            self._drop(key)
        self.entries.append((method, key, request))
        self.size += len(request)
        if len(self.entries) > ENTRIES_LIMIT or self.size > BYTES_LIMIT:
            self.pinned = True

    def _drop(self, key: str) -> None:
        """Forget the entry that is replaced, unless a later entry may be built on it."""
        for number in range(len(self.entries) - 1, -1, -1):
            if self.entries[number][1] == key:
                name = key.rpartition(":")[2].encode()
                later = [entry[2] for entry in self.entries[number + 1 :]]
                if not any(name in text for text in later):
                    self.size -= len(self.entries.pop(number)[2])
                return


def effect(plan: Any) -> tuple[str, str]:
    """What executing `plan` (a `Plan`) changes: ("none" | "keep" | "pin", the key of a kept entry)."""
    if plan.WhichOneof("op_type") == "root":
        kind = plan.root.WhichOneof("rel_type")
        if kind != "catalog":
            return "none", ""
        change = plan.root.catalog.WhichOneof("cat_type")
        if change in _CATALOG_PINS:
            return "pin", ""
        return ("keep", "") if change in _CATALOG_CHANGES else ("none", "")
    command = plan.command
    kind = command.WhichOneof("command_type")
    if kind in _REPEATED_COMMANDS:
        return "keep", f"{kind}:{_name(command, kind)}"
    if kind in _HARMLESS_COMMANDS:
        return "none", ""
    if kind == "write_operation":
        return ("pin" if command.write_operation.WhichOneof("save_type") == "table" else "none"), ""
    if kind == "sql_command":
        return sql_effect(_sql(command.sql_command)), ""
    return "pin", ""


def sql_effect(query: str) -> str:
    """What a statement changes: "none", "keep" (it can be repeated) or "pin"."""
    text = query[_COMMENTS.match(query).end() :]  # type: ignore[union-attr]
    if _REPEATED.match(text):
        return "keep"
    if _READS.match(text):
        return "pin" if _WRITES.search(text) else "none"
    return "pin"


def _sql(command: Any) -> str:
    if command.HasField("input"):
        relation = command.input
        while relation.WhichOneof("rel_type") == "with_relations":
            relation = relation.with_relations.root
        return relation.sql.query  # type: ignore[no-any-return]
    return command.sql  # type: ignore[no-any-return]


def _name(command: Any, kind: str) -> str:
    part = getattr(command, kind)
    return str(part.name if hasattr(part, "name") else part.function_name)
