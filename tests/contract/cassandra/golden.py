"""Golden scripts: statements and what Cassandra 5 answered, replayed on whichever server is under test.

A script is a text file. Lines before the first statement are a comment. A statement starts with `> ` (it goes on until
`---`), its answer follows: `ok`, a table of `name type` columns and one line a row, or `error CODE message`.
The keyspace is made for each run; where its name shows in an answer it is written KS.

Recorded from a real Cassandra with `SMACK_REAL_CASSANDRA=host:port python -m tests.contract.cassandra.golden FILE…`.
"""

from __future__ import annotations

import os
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import RoundRobinPolicy
from cassandra.protocol import ErrorMessage
from cassandra.query import tuple_factory

INDEX_TRIES = 2000
SCRIPTS = Path(__file__).parents[2] / "golden" / "cassandra"


@dataclass(frozen=True)
class Step:
    statement: str
    answer: str


SERVER_ERROR = "error 0000"


def read_script(path: Path) -> tuple[str, list[Step]]:
    """The comment at the top, and the steps."""
    comment: list[str] = []
    steps: list[Step] = []
    statement: list[str] = []
    answer: list[str] = []
    part = comment
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("> "):
            if statement:
                steps.append(Step("\n".join(statement), "\n".join(answer).strip("\n")))
            statement, answer = [line[2:]], []
            part = statement
        elif line == "---" and part is statement:
            part = answer
        else:
            part.append(line)
    if statement:
        steps.append(Step("\n".join(statement), "\n".join(answer).strip("\n")))
    return "\n".join(comment).strip("\n"), steps


def write_script(path: Path, comment: str, steps: list[Step]) -> None:
    parts = [comment] if comment else []
    parts += [f"> {step.statement}\n---\n{step.answer}" for step in steps]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


class Player:
    """A session on the server under test, in a keyspace of its own."""

    def __init__(self, address: tuple[str, int]) -> None:
        profile = ExecutionProfile(
            row_factory=tuple_factory,
            request_timeout=60,
            load_balancing_policy=RoundRobinPolicy(),
            consistency_level=ConsistencyLevel.ONE,
        )
        self.cluster = Cluster(
            [address[0]],
            port=address[1],
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=60,
            control_connection_timeout=60,
            schema_metadata_enabled=False,
            token_metadata_enabled=False,
        )
        self.session: Session = self.cluster.connect()
        self.keyspace = f"golden_{uuid.uuid4().hex[:12]}"
        self.session.execute(
            f"CREATE KEYSPACE {self.keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        )
        self.session.set_keyspace(self.keyspace)

    def close(self) -> None:
        self.session.execute(f"DROP KEYSPACE {self.keyspace}")
        self.cluster.shutdown()

    def play(self, statement: str) -> str:
        """Execute one statement and write its answer down."""
        try:
            result = self.session.execute(statement.replace("KS", self.keyspace))
        except Exception as error:  # noqa: BLE001 - whatever the server answers is written down
            return self._error(error)
        if not result.column_names:
            return "ok"
        kinds = [kind.cql_parameterized_type() for kind in result.column_types]
        head = " | ".join(f"{name} {kind}" for name, kind in zip(result.column_names, kinds, strict=True))
        lines = [head, *(" | ".join(map(_shown, row)) for row in result)]
        return "\n".join(lines).replace(self.keyspace, "KS")

    def _error(self, error: Exception) -> str:
        code = getattr(error, "code", None)
        cause = error
        for candidate in (error, error.__cause__, error.__context__):
            if isinstance(candidate, ErrorMessage):
                cause = candidate
                code = candidate.code
        message = getattr(cause, "message", None) or str(error)
        if code is None and "code=" in str(error):
            code = int(str(error).split("code=")[1][:4], 16)
            message = str(error).split('message="', 1)[-1].removesuffix('"')
        shown = f"error {code:04x} {message}" if code is not None else f"error {type(error).__name__} {message}"
        return shown.replace(self.keyspace, "KS").replace("\n", " ")


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if type(value).__name__ == "OrderedMapSerializedKey":
        return "{" + ", ".join(f"{_shown(key)}: {_shown(item)}" for key, item in value.items()) + "}"
    if type(value).__name__ == "SortedSet":
        return "{" + ", ".join(map(_shown, value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_shown, value)) + ")"
    return repr(value)


def record(paths: list[Path], address: tuple[str, int]) -> None:
    for path in paths:
        comment, steps = read_script(path)
        player = Player(address)
        try:
            steps = [Step(step.statement, answered(player, step.statement)) for step in steps]
        finally:
            player.close()
        write_script(path, comment, steps)


def answered(player: Player, statement: str) -> str:
    """Cassandra builds an index in the background, and a SELECT that needs it fails until then."""
    for _ in range(INDEX_TRIES):
        answer = player.play(statement)
        if "INDEX_NOT_AVAILABLE" not in answer:
            break
    return answer


if __name__ == "__main__":
    host, _, port = os.environ["SMACK_REAL_CASSANDRA"].rpartition(":")
    record([Path(name) for name in sys.argv[1:]], (host, int(port)))
