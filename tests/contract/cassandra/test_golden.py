"""Every golden script, statement by statement, on the server under test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.cassandra.golden import SCRIPTS, Player, Step, read_script

pytestmark = pytest.mark.contract

INDEX_TRIES = 2000
READ_FAILURE = "error 1300"
DEPENDENT = re.compile(r"(.* dependent secondary indexes \()([^)]*)(\).*)")
JSON_REASON = re.compile(r"(error 1400 .*Could not decode JSON string '.*?'):.*")
SIGNATURES = re.compile(r"(error 2200 .*signatures: system\.)(.*)(\).*)")


@pytest.fixture
def player(cassandra_address: tuple[str, int]) -> Iterator[Player]:
    found = Player(cassandra_address)
    yield found
    found.close()


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.cql")), ids=lambda path: path.stem)
def test_answers_as_cassandra_does(path: Path, player: Player) -> None:
    _, steps = read_script(path)
    assert steps
    differences = []
    for step in steps:
        answer = answered(player, step)
        if comparable(answer) != comparable(step.answer):
            differences.append(f"> {step.statement}\n    Cassandra: {step.answer}\n    here:      {answer}")
    assert not differences, "\n".join(differences)


def answered(player: Player, step: Step) -> str:
    """Cassandra builds an index in the background, and a SELECT that needs it fails until then."""
    for _ in range(INDEX_TRIES):
        answer = player.play(step.statement)
        if not (answer.startswith(READ_FAILURE) and step.statement.startswith("SELECT")) or answer == step.answer:
            break
    return answer


def comparable(answer: str) -> str:
    """The text of a syntax error is the parser generator's own, that of a failure names a node: only the code counts.
    Why a JSON text cannot be read is said by the library that reads it.

    Cassandra lists the signatures of a function, and the indexes of a column, in the order of a hash table, which
    differs from start to start.
    """
    if answer.startswith(("error 2000", "error 1300", "error 1500")):
        return answer[:10]
    answer = JSON_REASON.sub(r"\1", answer)
    dependent = DEPENDENT.fullmatch(answer)
    if dependent is not None:
        head, listed, tail = dependent.groups()
        return head + ", ".join(sorted(listed.split(", "))) + tail
    found = SIGNATURES.fullmatch(answer)
    if found is None:
        return answer
    head, listed, tail = found.groups()
    return head + ", ".join(sorted(listed.split(", system."))) + tail
