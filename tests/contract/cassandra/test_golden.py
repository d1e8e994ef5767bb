"""Every golden script, statement by statement, on the server under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.cassandra.golden import SCRIPTS, Player, read_script

pytestmark = pytest.mark.contract


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
        answer = player.play(step.statement)
        if comparable(answer) != comparable(step.answer):
            differences.append(f"> {step.statement}\n    Cassandra: {step.answer}\n    here:      {answer}")
    assert not differences, "\n".join(differences)


def comparable(answer: str) -> str:
    """The text of a syntax error is the parser generator's own: only its code counts."""
    return "error 2000" if answer.startswith("error 2000") else answer
