"""Whether a target can be written twice without a second effect: an interrupted batch is written again.

A target that cannot is refused at its declaration, with the reason and a repeatable alternative.
"""

from __future__ import annotations

import re

from smackbox.base.cql_lists import has_open_list
from smackbox.base.errors import SettingError

_TEXTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COUNTER = re.compile(r"\bcounter\b", re.IGNORECASE)
_NOW = re.compile(r"\b(now|uuid|current_timestamp|current_date|current_time|current_timeuuid)\s*\(\s*\)", re.IGNORECASE)
_SELF = re.compile(r"\b(\w+)\s*=\s*(?:\1\s*[+-]|[^,;=]*?[+]\s*\1\b)", re.IGNORECASE)
_APPENDED = re.compile(r"\b\w+\s*[+-]=", re.IGNORECASE)
_IF = re.compile(r"\bIF\b", re.IGNORECASE)


def check_table(name: str, cql: str) -> None:
    """Raises `SettingError` for a table that a stream cannot write: one with counters, or with lists to append to."""
    text = _TEXTS.sub("''", cql)
    if has_open_list(text):
        raise SettingError(
            f"table {name} has a list that is not frozen: a batch that is repeated writes it with the same timestamp, "
            "and Cassandra then has its items twice. Make it frozen<list<…>>, or a set"
        )
    if _COUNTER.search(text):
        raise SettingError(
            f"table {name} has counters, which a batch that is repeated would raise twice: make them bigint; a stream "
            "keeps the totals (merge=) and writes them whole"
        )


def check_statement(cql: str) -> None:
    """Raises `SettingError` for a statement that has another effect when it runs again."""
    text = _TEXTS.sub("''", cql)
    if not re.match(r"\s*(INSERT|UPDATE|DELETE)\b", text, re.IGNORECASE):
        raise SettingError(f"a target's statement is an INSERT, UPDATE or DELETE, not {cql.strip()[:60]!r}")
    found = _NOW.search(text)
    if found is not None:
        raise SettingError(
            f"{found[0]} gives another value when the batch is repeated, and so another row: put the moment or the id "
            "into the event, or use the event's time"
        )
    found = _SELF.search(text) or _APPENDED.search(text)
    if found is not None:
        raise SettingError(
            f"`{found[0].strip()}` adds once more when the batch is repeated: write whole values (a stream's totals), "
            "or for a collection a set or a map, whose elements are themselves their identity, set by `m[?] = ?`"
        )
    if _IF.search(text):
        raise SettingError("a condition (IF …) has another outcome when the batch is repeated: write without it")


def check_condition(what: str, condition: str) -> None:
    """Raises `SettingError` for a condition that may select other rows when it is evaluated again."""
    text = _TEXTS.sub("''", condition)
    found = _NOW.search(text)
    if found is not None:
        raise SettingError(
            f"{what}: {found[0]} chooses other rows when it is run again, after a stop or a kill: write the moment out"
        )
    if ";" in text:
        raise SettingError(f"{what}: where= is one condition of CQL, without a semicolon")
