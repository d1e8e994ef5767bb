"""Materialized views with the Python driver, on a server of their own that has them: ours, or a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cassandra import InvalidRequest
from cassandra.protocol import ErrorMessage
from cassandra.query import SimpleStatement
from tests.contract.cassandra.golden import Player, Step, read_script
from tests.contract.cassandra.test_golden import comparable

SCRIPT = Path(__file__).parents[2] / "golden" / "cassandra_views" / "views.cql"
Address = tuple[str, int]
# a real view is built, and follows its table, a moment later; ours at once
FOLLOWS_WITHIN_S = 20.0
pytestmark = pytest.mark.contract


def ours(_: Path, stack: ExitStack) -> Address:
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings
    from smackbox.net.service import ServiceThread

    server = CassandraServer(CassandraSettings(materialized_views_enabled=True))
    host, _, port = stack.enter_context(ServiceThread(server)).url.rpartition(":")
    return host, int(port)


def real(directory: Path, stack: ExitStack) -> Address:
    from bench.engines.real_cassandra import RealCassandra

    return stack.enter_context(RealCassandra(directory, {"materialized_views_enabled": "true"})).address


@pytest.fixture(scope="module")
def with_views(on_real_cassandra: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with ExitStack() as stack:
        yield (real if on_real_cassandra else ours)(tmp_path_factory.mktemp("views"), stack)


@pytest.fixture
def player(with_views: Address) -> Iterator[Player]:
    found = Player(with_views)
    yield found
    found.close()


@pytest.fixture
def by_city(player: Player) -> Callable[[str], list[tuple[object, ...]]]:
    """A table of people and a view of it by city: what is in a city."""
    player.session.execute("CREATE TABLE people (id int PRIMARY KEY, city text, name text)")
    player.session.execute(
        "CREATE MATERIALIZED VIEW by_city AS SELECT * FROM people WHERE city IS NOT NULL AND id IS NOT NULL "
        "PRIMARY KEY (city, id)"
    )
    prepared = player.session.prepare("SELECT id, name FROM by_city WHERE city = ?")
    return lambda city: list(player.session.execute(prepared, (city,)))


People = Callable[[str], list[tuple[object, ...]]]


def settled(player: Player, step: Step, seconds: float) -> str:
    """The answer; a SELECT is asked again until its answer is the awaited one, for a real view follows its table."""
    deadline = time.monotonic() + seconds
    while True:
        answer = player.play(step.statement)
        reading = step.statement.startswith("SELECT")
        if comparable(answer) == comparable(step.answer) or not reading or time.monotonic() >= deadline:
            return answer


def test_answers_as_cassandra_does(player: Player, on_real_cassandra: bool) -> None:
    _, steps = read_script(SCRIPT)
    assert steps
    differences = []
    for step in steps:
        answer = settled(player, step, FOLLOWS_WITHIN_S if on_real_cassandra else 0)
        if comparable(answer) != comparable(step.answer):
            differences.append(f"> {step.statement}\n    Cassandra: {step.answer}\n    here:      {answer}")
    assert not differences, "\n".join(differences)


def test_prepared_reads_follow_the_table(player: Player, by_city: People) -> None:
    insert = player.session.prepare("INSERT INTO people (id, city, name) VALUES (?, ?, ?)")
    for number in range(4):
        player.session.execute(insert, (number, "Rome" if number % 2 else "Bern", f"n{number}"))
    assert by_city("Rome") == [(1, "n1"), (3, "n3")]
    player.session.execute(insert, (1, "Bern", "moved"))
    assert by_city("Rome") == [(3, "n3")]
    assert by_city("Bern") == [(0, "n0"), (1, "moved"), (2, "n2")]
    one = player.session.prepare("SELECT name FROM by_city WHERE city = ? AND id = ?")
    assert list(player.session.execute(one, ("Bern", 1))) == [("moved",)]
    assert list(player.session.execute(one, ("Rome", 1))) == []


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_pages_of_a_view_are_whole_and_in_order(player: Player, by_city: People, order: str) -> None:
    insert = player.session.prepare("INSERT INTO people (id, city, name) VALUES (?, ?, ?)")
    for number in range(25):
        player.session.execute(insert, (number, "Rome", "x"))
    query = SimpleStatement(f"SELECT id FROM by_city WHERE city = 'Rome' ORDER BY id {order}", fetch_size=7)
    found = [number for (number,) in player.session.execute(query)]
    assert found == sorted(range(25), reverse=order == "DESC")
    cities = SimpleStatement("SELECT id FROM by_city WHERE city IN ('Bern', 'Rome') LIMIT 20", fetch_size=6)
    assert [number for (number,) in player.session.execute(cities)] == list(range(20))
    whole = SimpleStatement("SELECT id FROM by_city", fetch_size=3)
    assert sorted(number for (number,) in player.session.execute(whole)) == list(range(25))


def test_expiry_and_timestamps_are_those_of_the_table(player: Player, by_city: People) -> None:
    player.session.execute("INSERT INTO people (id, city, name) VALUES (1, 'Rome', 'a') USING TTL 5000")
    player.session.execute("UPDATE people USING TIMESTAMP 9000000000000000 SET name = 'b' WHERE id = 1")
    written, left = player.session.execute("SELECT writetime(name), ttl(name) FROM by_city WHERE city = 'Rome'").one()
    assert (written, left) == (9000000000000000, None)
    player.session.execute("INSERT INTO people (id, city, name) VALUES (2, 'Bern', 'c') USING TTL 5000")
    (left,) = player.session.execute("SELECT ttl(name) FROM by_city WHERE city = 'Bern'").one()
    assert 0 < left <= 5000


def test_defining_one_warns(player: Player, by_city: People) -> None:
    future = player.session.execute_async(
        "CREATE MATERIALIZED VIEW by_name AS SELECT id, name FROM people WHERE name IS NOT NULL AND id IS NOT NULL "
        "PRIMARY KEY (name, id)"
    )
    future.result()
    assert future.warnings == ["Materialized views are experimental and are not recommended for production use."]


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        ("id, city AS x", "Cannot use aliases when defining a materialized view"),
        ("id, ttl(city)", "Can only select columns by name when defining a materialized view"),
    ],
)
def test_only_columns_by_name_are_selected(player: Player, by_city: People, selected: str, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        player.session.execute(
            f"CREATE MATERIALIZED VIEW other AS SELECT {selected} FROM people "
            "WHERE city IS NOT NULL AND id IS NOT NULL PRIMARY KEY (city, id)"
        )


def test_what_is_built_is_known(player: Player, by_city: Callable[[str], list[tuple[object, ...]]]) -> None:
    assert by_city("Berlin") == []
    host = player.session.execute("SELECT host_id FROM system.local").one()[0]
    views = f"WHERE keyspace_name = '{player.keyspace}' AND view_name = 'by_city'"
    built: list[object] = []
    while built != [(True,)]:  # Cassandra builds it in the background
        built = list(player.session.execute(f"SELECT status_replicated FROM system.built_views {views}"))
    status = player.session.execute(f"SELECT host_id, status FROM system_distributed.view_build_status {views}")
    assert list(status) == [(host, "SUCCESS")]


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("v" * 222, ""),
        ("v" * 223, "Table name must not be more than 222 characters long (got 223 characters"),
        ("a-b", "Table name must not be empty or not contain non-alphanumeric-underscore characters"),
    ],
)
def test_a_view_has_a_tables_name(player: Player, name: str, refusal: str) -> None:
    player.session.execute("CREATE TABLE named (a int, b int, PRIMARY KEY (a, b))")
    where = "WHERE a IS NOT NULL AND b IS NOT NULL PRIMARY KEY (b, a)"
    create = f'CREATE MATERIALIZED VIEW "{name}" AS SELECT * FROM named {where}'
    if not refusal:
        player.session.execute(create)
        assert list(player.session.execute(f'SELECT a FROM "{name}"')) == []
        return
    with pytest.raises(ErrorMessage) as raised:
        player.session.execute(create)
    assert raised.value.code == 0x2300
    assert refusal in raised.value.message
