"""`CREATE [OR REPLACE] [GLOBAL] TEMPORARY VIEW name USING cassandra OPTIONS (…)`, which Sail takes for files only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pyspark.errors import ParseException
from pyspark.sql.connect.proto import Command, Relation

from smackbox.spark.sources import OWN_NAMES

_CREATE_VIEW = re.compile(
    r"""\s*CREATE\s+(?P<replace>OR\s+REPLACE\s+)?(?P<global>GLOBAL\s+)?TEMP(?:ORARY)?\s+VIEW\s+
    (?P<name>`(?:[^`]|``)+`|\w+)\s+USING\s+`?(?P<source>[\w.]+)`?\s*
    (?:OPTIONS\s*\((?P<options>.*)\))?\s*;?\s*""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_TEXT = r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\""""
_OPTION = re.compile(
    rf"""\s*(?P<key>{_TEXT}|[\w.]+)\s*(?:=\s*|\s)\s*(?P<value>{_TEXT}|[-\w.]+)\s*(?P<end>,|$)""", re.DOTALL
)


def view_command(query: str) -> Any:
    """The Connect command of such a statement; None for any other, and for other sources.

    Raises `ParseException` for options that are no pairs.
    """
    match = _CREATE_VIEW.fullmatch(query)
    if match is None or match["source"].lower() not in OWN_NAMES:
        return None
    relation = Relation()
    relation.read.data_source.format = match["source"].lower()
    for key, value in _options(match["options"] or ""):
        relation.read.data_source.options[key] = value
    name = match["name"]
    command = Command()
    command.create_dataframe_view.input.CopyFrom(relation)
    command.create_dataframe_view.name = name[1:-1].replace("``", "`") if name.startswith("`") else name
    command.create_dataframe_view.is_global = bool(match["global"])
    command.create_dataframe_view.replace = bool(match["replace"])
    return command


def _options(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while text[position:].strip():
        option = _OPTION.match(text, position)
        if option is None:
            raise ParseException(f"OPTIONS (…): a key and a value are expected at {text[position:].strip()!r}")
        yield _unquoted(option["key"]), _unquoted(option["value"])
        position = option.end()


def _unquoted(text: str) -> str:
    if text[0] not in "'\"":
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1].replace(text[0] * 2, text[0]), flags=re.DOTALL)
