"""Definitions of a pipeline in SQL files.

    CREATE MATERIALIZED VIEW name AS query          CREATE TEMPORARY VIEW name AS query
    CREATE STREAMING TABLE name [AS query]          CREATE FLOW name AS INSERT INTO table BY NAME query

Between name and AS: columns in parentheses, COMMENT (passed over), USING, PARTITIONED BY, TBLPROPERTIES. In a query
`STREAM name` and `STREAM(name)` read what is new in a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from smackbox.spark.front.errors import SparkError, not_there
from smackbox.spark.front.rewrite import tables_in

_TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`]|``)*`|;", re.DOTALL)
_NAME = r"(?P<name>(?:`[^`]+`|\w+)(?:\s*\.\s*(?:`[^`]+`|\w+))*)"
_CREATE = re.compile(
    rf"\s*CREATE\s+(?:OR\s+(?:REPLACE|REFRESH)\s+)?(?P<kind>MATERIALIZED\s+VIEW|STREAMING\s+TABLE|TEMP(?:ORARY)?\s+VIEW)"
    rf"\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}(?P<clauses>.*?)"
    r"(?:\bAS\s*(?P<query>(?=SELECT\b|WITH\b|FROM\b|VALUES\b|TABLE\b|\().*))?",
    re.IGNORECASE | re.DOTALL,
)
_CLAUSE = re.compile(
    r"\s*(?:(?P<columns>\((?:[^()]|\([^()]*\))*\))|COMMENT\s+'_*'|USING\s+(?P<format>\w+)"
    r"|PARTITIONED\s+BY\s*\((?P<partition>[^()]*)\)|TBLPROPERTIES\s*\((?P<properties>[^()]*)\))\s*",
    re.IGNORECASE,
)
_PROPERTY = re.compile(r"""\s*['"`]?(?P<key>[\w.-]+)['"`]?\s*(?:=|\s)\s*['"]?(?P<value>[^'",]*)['"]?\s*(?:,|$)""")
_FLOW = re.compile(
    rf"\s*CREATE\s+FLOW\s+{_NAME}\s+(?:COMMENT\s+\S+\s+)?AS\s+INSERT\s+INTO\s+(?P<target>(?:`[^`]+`|[\w.])+)"
    r"(?:\s+BY\s+NAME)?\s+(?P<query>.*)",
    re.IGNORECASE | re.DOTALL,
)
_STREAM = re.compile(r"\bSTREAM\s*(?:\(\s*(?P<inner>[\w.`]+)\s*\)|\s(?P<plain>[\w.`]+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Definition:
    """`kind` is MATERIALIZED VIEW, STREAMING TABLE, TEMPORARY VIEW or FLOW; a table may have no query."""

    kind: str
    name: str
    target: str
    query: str | None
    schema: str | None = None
    partition_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    format: str = ""


def definitions(text: str, path: str) -> Iterator[Definition]:
    """Those of a file. Raises `SparkError` for a statement that is none."""
    for statement in _statements(text):
        # matched without what is in quotes, then cut from the statement itself
        blank = _blank(statement)
        flow = _FLOW.fullmatch(blank)
        if flow is not None:
            yield Definition("FLOW", flow["name"], flow["target"], statement[flow.start("query") :].strip())
            continue
        create = _CREATE.fullmatch(blank)
        if create is None:
            raise SparkError(
                f"{path}: unsupported statement in a pipeline: {' '.join(statement.split())[:100]!r}. There are CREATE "
                "MATERIALIZED VIEW, CREATE STREAMING TABLE, CREATE TEMPORARY VIEW and CREATE FLOW."
            )
        kind = " ".join(create["kind"].upper().split()).replace("TEMP VIEW", "TEMPORARY VIEW")
        query = None if create["query"] is None else statement[create.start("query") :].strip()
        if query is None and kind != "STREAMING TABLE":
            raise SparkError(f"{path}: {kind} {create['name']} needs AS and a query")
        yield replace(
            _clauses(statement, create.start("clauses"), create["clauses"], path),
            kind=kind,
            name=create["name"],
            target=create["name"],
            query=query,
        )


def _clauses(statement: str, start: int, blank: str, path: str) -> Definition:
    """A definition with what stands between name and AS. Raises `SparkError` for what is not known there."""
    found = Definition("", "", "", None)
    at = 0
    while blank[at:].strip():
        clause = _CLAUSE.match(blank, at)
        if clause is None:
            rest = " ".join(statement[start + at : start + len(blank)].split())
            raise not_there(
                f"{path}: {rest[:100]!r}", "There are columns, COMMENT, USING, PARTITIONED BY, TBLPROPERTIES."
            )
        at = clause.end()
        text = {name: statement[start + clause.start(name) : start + clause.end(name)] for name in clause.groupdict()}
        if clause["columns"] is not None:
            found = replace(found, schema=text["columns"][1:-1])
        elif clause["format"] is not None:
            found = replace(found, format=text["format"])
        elif clause["partition"] is not None:
            found = replace(found, partition_by=tuple(one.strip().strip("`") for one in text["partition"].split(",")))
        elif clause["properties"] is not None:
            found = replace(
                found, properties={one["key"]: one["value"] for one in _PROPERTY.finditer(text["properties"])}
            )
    return found


def streams_of(query: str) -> tuple[str, list[str]]:
    """The query without `STREAM`, and the names that it was said of."""
    found: list[str] = []
    pieces: list[str] = []
    start = 0
    for match in _STREAM.finditer(_blank(query)):
        name = match["inner"] or match["plain"]
        found.append(name)
        pieces += [query[start : match.start()], name]
        start = match.end()
    return "".join([*pieces, query[start:]]), found


def names_in(query: str) -> set[str]:
    """The tables that a query names, without a database before them."""
    return set(tables_in(streams_of(_blank(query))[0]))


def _blank(text: str) -> str:
    """The same length, with texts in quotes and comments blank."""
    return _TOKEN.sub(lambda token: token[0] if token[0][0] in "`;" else "'" + "_" * (len(token[0]) - 2) + "'", text)


def _statements(text: str) -> Iterator[str]:
    """Cut at semicolons outside of texts; comments are blank."""
    start = 0
    pieces: list[str] = []
    for token in _TOKEN.finditer(text):
        found = token[0]
        if found == ";" or found.startswith(("--", "/*")):
            pieces.append(text[start : token.start()])
            start = token.end()
            if found == ";":
                if "".join(pieces).strip():
                    yield "".join(pieces)
                pieces = []
            else:
                pieces.append(" ")
    pieces.append(text[start:])
    if "".join(pieces).strip():
        yield "".join(pieces)
