"""Values that are not set, null or empty, and markers, in places where they are out of the ordinary."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest
from tests.contract.cassandra.raw import UNSET, Answer, Prepared, RawClient

pytestmark = pytest.mark.contract

ONE, TWO, A = struct.pack(">i", 1), struct.pack(">i", 2), b"a"
IN_CONDITION = "Invalid 'unset' value in condition"
AMBIGUOUS = "Ambiguous '{}' operation with args {}: use type hint to disambiguate, example '(int) ?'"
IN_LITERAL = "Invalid {} literal for {}: bind variables are not supported inside collection literals"
ROW = "k = 1 AND c = 1"
NO_CHANGE = {
    "DELETE l[?] FROM @ WHERE " + ROW: [UNSET],
    "DELETE e[?] FROM @ WHERE " + ROW: [UNSET],
    "UPDATE @ SET l[0] = ? WHERE " + ROW: [UNSET],
    "UPDATE @ SET m[?] = ? WHERE " + ROW: [A, UNSET],
}
NOT_APPLIED = {
    "m[?] = ?": [UNSET, ONE],
    "e CONTAINS ?": [UNSET],
    "m CONTAINS KEY ?": [UNSET],
    "l[?] = ?": [struct.pack(">i", 9), ONE],
    "v IN (?, ?)": [TWO, UNSET],
}
REFUSED: dict[str, tuple[list[object], str]] = {
    "DELETE m[?] FROM @ WHERE " + ROW: ([UNSET], "Invalid unset map key"),
    "DELETE  m[?] FROM @ WHERE " + ROW: ([None], "Invalid null map key"),
    "DELETE e[?] FROM @ WHERE " + ROW: ([None], "Invalid null set element"),
    f"UPDATE @ SET l[?] = 1 WHERE {ROW}": ([UNSET], "Invalid unset value for list index"),
    f"UPDATE @ SET v = 1 WHERE {ROW} IF v IN ?": ([UNSET], IN_CONDITION),
    f"UPDATE @ SET v = 1 WHERE {ROW} IF l[?] IN ?": ([ONE, UNSET], IN_CONDITION),
    f"UPDATE @ SET v = 1 WHERE {ROW} IF v = -?": (
        [UNSET],
        "Invalid unset value for argument in call to function _negate",
    ),
    "INSERT INTO @ (k, c, g) VALUES (1, 1, [?, ?])": ([ONE, None], "null is not supported inside vectors"),
    "INSERT  INTO @ (k, c, g) VALUES (1, 1, [?, ?])": ([ONE, UNSET], "null is not supported inside vectors"),
}
NOT_PREPARED = {
    f"UPDATE @ SET v = ? + 1 WHERE {ROW}": AMBIGUOUS.format("+", "? and 1"),
    f"UPDATE @ SET v = ? + ? WHERE {ROW}": AMBIGUOUS.format("+", "? and ?"),
    f"UPDATE @ SET d = 1.5 * ? WHERE {ROW}": AMBIGUOUS.format("*", "1.5 and ?"),
    f"UPDATE @ SET w = ? + 'a' WHERE {ROW}": AMBIGUOUS.format("+", "? and 'a'"),
    f"UPDATE @ SET v = ? + 1.5 WHERE {ROW}": "the '+' operation is not supported between ? and 1.5",
    f"UPDATE @ SET w = ? + 1 WHERE {ROW}": "the '+' operation is not supported between ? and 1",
    f"UPDATE @ SET v = 1 WHERE {ROW} IF v > ? * 2": AMBIGUOUS.format("*", "? and 2"),
    "SELECT v FROM @ WHERE k = ? + 1": AMBIGUOUS.format("+", "? and 1"),
    "SELECT v + ? FROM @": AMBIGUOUS.format("+", "v and ?"),
    f"UPDATE @ SET l = [1, ?] WHERE {ROW}": IN_LITERAL.format("list", "l"),
    f"UPDATE @ SET l = l + [?] WHERE {ROW}": IN_LITERAL.format("list", "l"),
    f"UPDATE @ SET e = {{?}} WHERE {ROW}": IN_LITERAL.format("set", "e"),
    f"UPDATE @ SET m = {{?: 1}} WHERE {ROW}": IN_LITERAL.format("map", "m"),
    f"UPDATE @ SET v = 1 WHERE {ROW} IF l = [?]": IN_LITERAL.format("list", "l"),
}
PREPARED = (
    f"UPDATE @ SET t = ? + 1 WHERE {ROW}",
    f"UPDATE @ SET t = ? + ? WHERE {ROW}",
    f"UPDATE @ SET d = ? + (int)1 WHERE {ROW}",
    f"UPDATE @ SET v = ? * 2 + 1 WHERE {ROW}",
    f"UPDATE @ SET v = -? WHERE {ROW}",
    "INSERT INTO @ (k, c, g) VALUES (1, 1, [?, ?])",
)


class Table:
    def __init__(self, client: RawClient, keyspace: str) -> None:
        self.client = client
        self.name = f"{keyspace}.t"

    def prepare(self, text: str) -> Prepared | Answer:
        return self.client.prepare(text.replace("@", self.name))

    def execute(self, text: str, values: list[object]) -> Answer:
        prepared = self.prepare(text)
        assert isinstance(prepared, Prepared), prepared
        return self.client.execute(prepared, values, skip_metadata=False)

    def row(self) -> tuple[tuple[bytes | None, ...], ...]:
        return self.client.query(f"SELECT * FROM {self.name}").rows


@pytest.fixture
def table(cassandra_address: tuple[str, int], unique: Callable[[str], str]) -> Iterator[Table]:
    client = RawClient(cassandra_address, 5)
    keyspace = unique("unset")
    client.query(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    )
    columns = "v int, t tinyint, d double, w text, l list<int>, e set<int>, m map<text, int>, g vector<int, 2>"
    client.query(f"CREATE TABLE {keyspace}.t (k int, c int, {columns}, PRIMARY KEY (k, c))")
    client.query(f"INSERT INTO {keyspace}.t (k, c, v, l, e, m) VALUES (1, 1, 1, [1, 2], {{1}}, {{'a': 1}})")
    yield Table(client, keyspace)
    client.query(f"DROP KEYSPACE {keyspace}")
    client.close()


def test_what_is_not_set_changes_nothing(table: Table) -> None:
    before = table.row()
    for text, values in NO_CHANGE.items():
        assert not table.execute(text, values).is_error, text
        assert table.row() == before, text


def test_a_condition_on_what_is_not_set_does_not_hold(table: Table) -> None:
    for condition, values in NOT_APPLIED.items():
        answer = table.execute(f"UPDATE @ SET v = 5 WHERE {ROW} IF {condition}", values)
        assert answer.rows[0][0] == b"\x00", condition


def test_what_is_refused(table: Table) -> None:
    for text, (values, message) in REFUSED.items():
        answer = table.execute(text, values)
        assert (answer.error, answer.message) == (0x2200, message), text


def test_an_index_without_a_value_is_refused(table: Table) -> None:
    for text in (f"UPDATE @ SET l[?] = 1 WHERE {ROW}", f"UPDATE @ SET v = 1 WHERE {ROW} IF l[?] = 1"):
        assert table.execute(text, [b""]).is_error, text


def test_what_cannot_be_prepared(table: Table) -> None:
    for text, message in NOT_PREPARED.items():
        answer = table.prepare(text)
        assert isinstance(answer, Answer), text
        assert (answer.error, answer.message) == (0x2200, message), text


def test_what_can_be_prepared(table: Table) -> None:
    for text in PREPARED:
        assert isinstance(table.prepare(text), Prepared), text
