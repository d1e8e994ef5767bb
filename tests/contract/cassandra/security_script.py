"""Scripts of `user| statement` lines, each followed by its answer, recorded from a real Cassandra.

`python -m tests.contract.cassandra.security_script HOST:PORT FILE` executes the statements of FILE on a server that is
empty and asks for logins, and writes the answers behind them. A user's password is the user's name.

An answer's lines begin with two blanks: `ok`, an error's code and message, or the columns, the rows and the warnings.
The rows of SELECT are sorted, those of LIST stand as they came.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, Session

_ERROR = re.compile(r'code=([0-9a-f]{4}) \[.*?\] message="(.*)"', re.DOTALL)
_SYNTAX = "2000"
# of these no rows are compared: they differ from node to node
_OF_THE_NODE = re.compile(r"\b(system|system_schema|system_virtual_schema)\.(?!mask_|column_masks)")


class Logins:
    """One driver session for each user."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._sessions: dict[str, Session] = {}

    def session(self, user: str) -> Session:
        if user not in self._sessions:
            self._sessions[user] = connect(self._address, user, user)
        return self._sessions[user]

    def __enter__(self) -> Logins:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions.values():
            session.cluster.shutdown()


def connect(address: tuple[str, int], user: str, password: str, **more: Any) -> Session:
    host, port = address
    provider = PlainTextAuthProvider(user, password)
    return Cluster([host], port=port, auth_provider=provider, **{"protocol_version": 5, **more}).connect()


def statements(script: str) -> Iterator[tuple[str, str, list[str]]]:
    """user, statement, the lines of the recorded answer."""
    found: list[tuple[str, str, list[str]]] = []
    for line in script.splitlines():
        if line.startswith("  "):
            found[-1][2].append(line)
        elif line:
            user, _, statement = line.partition("| ")
            found.append((user, statement, []))
    return iter(found)


def answer(session: Session, statement: str) -> list[str]:
    future = session.execute_async(statement)
    try:
        rows = list(future.result())
    except Exception as error:
        found = _ERROR.search(str(error))
        if found is None:
            raise
        # where in the text the parsers stopped is shown by the real one alone
        return [f"  error {found[1]}" + ("" if found[1] == _SYNTAX else f" {found[2]}")]
    lines = [f"  warning {warning}" for warning in future.warnings or ()]
    if not future._col_names:
        return [*lines, "  ok"]
    if _OF_THE_NODE.search(statement):
        return [*lines, "  rows"]
    kinds = [kind.cql_parameterized_type() for kind in future._col_types]
    shown = ["  " + " ".join(map(_text, row)) for row in rows]
    if not statement.startswith("LIST"):
        shown.sort()
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(future._col_names, kinds, strict=True))
    return [*lines, f"  columns {columns}", *shown]


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        return str(value)
    if isinstance(value, str):
        return repr(value)
    return repr(sorted(value))


def main(address: str, file: Path) -> None:
    host, _, port = address.rpartition(":")
    lines = []
    with Logins((host, int(port))) as logins:
        for user, statement, _ in statements(file.read_text(encoding="utf-8")):
            lines += [f"{user}| {statement}", *answer(logins.session(user), statement)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
