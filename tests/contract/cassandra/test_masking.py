"""Dynamic data masking where it is switched on: what each of several users sees, recorded from a real Cassandra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.contract.cassandra.security_script import Logins, answer, statements
from tests.contract.cassandra.test_security import Address, ours, real

pytestmark = pytest.mark.contract

SCRIPT = Path(__file__).parents[2] / "golden" / "cassandra_security" / "masks.txt"


@pytest.fixture
def masking(on_real_cassandra: bool, tmp_path: Path) -> Iterator[Address]:
    with ExitStack() as stack:
        yield (real if on_real_cassandra else ours)(tmp_path, stack, masking=True)


def test_the_recorded_script(masking: Address) -> None:
    different = []
    with Logins(masking) as logins:
        for name, statement, recorded in statements(SCRIPT.read_text(encoding="utf-8")):
            found = answer(logins.session(name), statement)
            if found != recorded:
                different.append((name, statement, found, recorded))
    assert not different, "\n".join(map(str, different))
