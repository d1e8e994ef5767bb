"""Differential fuzzing of schemas: tables of any shape are made, filled, altered, indexed, read and dropped on both.

As `test_fuzz`: with `make real` alone, both servers, equal answers. Each example is a keyspace's worth of statements on
tables of its own, valid and invalid: types are mixed up, columns are named that are not there, names come twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.contract.cassandra.golden import SERVER_ERROR, Player
from tests.contract.cassandra.test_fuzz import EXAMPLES, REAL, _comparable, both_after
from tests.contract.cassandra.test_fuzz_values import LITERALS

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL is None, reason="compares with a real Cassandra: make real"),
]

SCALARS = (
    "int",
    "text",
    "bigint",
    "boolean",
    "blob",
    "date",
    "double",
    "inet",
    "timestamp",
    "timeuuid",
    "uuid",
    "varint",
)
KEYS = ("int", "text", "bigint", "blob", "date", "timestamp", "uuid", "varint")
COLUMNS = ("a", "b", "c", "d", "e", "f")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def players() -> Iterator[tuple[Player, Player]]:
    with both_after(["CREATE TYPE pair (x int, y text)"]) as pair:
        yield pair


scalar = st.sampled_from(SCALARS)
cell_type = st.one_of(
    scalar,
    scalar,
    st.builds("{}<{}>".format, st.sampled_from(["list", "set", "frozen<list", "frozen<set"]), scalar).map(
        lambda kind: kind + ">" * (kind.count("<") - kind.count(">"))
    ),
    st.builds("map<{}, {}>".format, st.sampled_from(KEYS), scalar),
    st.builds("tuple<{}, {}>".format, scalar, scalar),
    st.sampled_from(
        ["frozen<pair>", "pair", "vector<int, 2>", "counter", "frozen<map<text, frozen<pair>>>", "nonsense"]
    ),
)


class Shape:
    """A table as it was asked for; whether it was made, the servers say."""

    def __init__(self, types: dict[str, str], partition: list[str], clustering: list[str], static: list[str]) -> None:
        self.types = types
        self.partition = partition
        self.clustering = clustering
        self.static = static


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=6, unique=True))
    keys = draw(st.integers(1, min(4, len(names))))
    parts = draw(st.integers(1, min(2, keys)))
    types = {name: draw(st.sampled_from(KEYS)) for name in names[:keys]}
    if not draw(st.integers(0, 9)):
        types[names[keys - 1]] = draw(cell_type)
    counters = not draw(st.integers(0, 9))
    for name in names[keys:]:
        types[name] = "counter" if counters else draw(cell_type)
    static = [name for name in names[keys:] if not draw(st.integers(0, 4))]
    return Shape(types, names[:parts], names[parts:keys], static)


@st.composite
def create(draw: st.DrawFn, shape: Shape) -> str:
    columns = [f"{name} {kind}{' static' if name in shape.static else ''}" for name, kind in shape.types.items()]
    key = ", ".join([f"({', '.join(shape.partition)})", *shape.clustering])
    options = draw(
        st.sampled_from(
            ["", "", "comment = 'x'", "default_time_to_live = 1000", "gc_grace_seconds = 0", "gc_grace_seconds = -1",
             "bloom_filter_fp_chance = 2", "caching = {'keys': 'ALL'}", "caching = {'keys': 'SOME'}", "nothing = 1",
             "compaction = {'class': 'LeveledCompactionStrategy'}", "compaction = {'class': 'None'}",
             "compression = {'enabled': 'false'}", "speculative_retry = '99p'", "memtable = 'default'"]
        )
    )  # fmt: skip
    order = ", ".join(f"{name} {draw(st.sampled_from(['ASC', 'DESC']))}" for name in shape.clustering)
    clauses = ([f"CLUSTERING ORDER BY ({order})"] if order and draw(st.booleans()) else []) + (
        [options] if options else []
    )
    return (
        f"CREATE TABLE @t ({', '.join(columns)}, PRIMARY KEY ({key})){' WITH ' * bool(clauses)}{' AND '.join(clauses)}"
    )


@st.composite
def value(draw: st.DrawFn, kind: str) -> str:
    if not draw(st.integers(0, 19)) and not kind.startswith(("tuple", "vector")):  # see SKIPPED.md about those
        kind = draw(scalar)  # as likely as not of a wrong type
    bare = kind.removeprefix("frozen<").removesuffix(">") if kind.startswith("frozen<") else kind
    if bare in LITERALS:
        return draw(LITERALS[bare])
    if bare.startswith(("list<", "set<")):
        head, _, inner = bare[:-1].partition("<")
        items = draw(st.lists(value(inner), max_size=3))
        return ("[{}]" if head == "list" else "{{{}}}").format(", ".join(items))
    if bare.startswith("map<"):
        first, _, second = bare[4:-1].partition(", ")
        pairs = draw(st.lists(st.tuples(value(first), value(second)), max_size=2))
        return "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}"
    if bare.startswith("tuple<"):
        first, _, second = bare[6:-1].partition(", ")
        return f"({draw(value(first))}, {draw(value(second))})"
    if bare == "pair":
        return draw(st.sampled_from(["{x: 1, y: 'a'}", "{x: 2}", "{y: 'b'}", "{z: 1}", "(1, 'a')", "{}"]))
    if bare.startswith("vector"):
        return draw(st.sampled_from(["[1, 2]", "[1]", "[1, 2, 3]", "null"]))
    return "1"


@st.composite
def key_values(draw: st.DrawFn, shape: Shape) -> dict[str, str]:
    return {name: draw(value(shape.types[name])) for name in (*shape.partition, *shape.clustering)}


@st.composite
def write(draw: st.DrawFn, shape: Shape, keys: list[dict[str, str]]) -> str:
    key = dict(draw(st.sampled_from(keys)))
    if not draw(st.integers(0, 9)):
        key.pop(draw(st.sampled_from(sorted(key))))
    others = [name for name in shape.types if name not in shape.partition and name not in shape.clustering]
    chosen = draw(st.lists(st.sampled_from(others), max_size=3, unique=True)) if others else []
    where = " AND ".join(f"{name} = {item}" for name, item in key.items()) or "a = 1"
    kind = draw(st.integers(0, 5))
    if kind <= 2:
        cells = {name: draw(value(shape.types[name])) for name in chosen}
        names = {**key, **cells}
        using = f"USING TIMESTAMP {draw(st.integers(1, 9))}"
        return f"INSERT INTO @t ({', '.join(names)}) VALUES ({', '.join(names.values())}) {using}"
    if kind == 3 and chosen:
        if shape.types[chosen[0]] == "counter":
            return f"UPDATE @t SET {chosen[0]} = {chosen[0]} + 2 WHERE {where}"
        changes = ", ".join(f"{name} = {draw(value(shape.types[name]))}" for name in chosen)
        return f"UPDATE @t USING TIMESTAMP {draw(st.integers(1, 9))} SET {changes} WHERE {where}"
    target = ", ".join(chosen) if draw(st.booleans()) else ""
    return f"DELETE {target} FROM @t USING TIMESTAMP {draw(st.integers(1, 9))} WHERE {where}"


@st.composite
def change(draw: st.DrawFn, shape: Shape) -> str:
    name = draw(st.sampled_from([*shape.types, "g", "nothing"]))
    kind = draw(cell_type)
    return draw(
        st.sampled_from(
            [f"ALTER TABLE @t ADD g {kind}", f"ALTER TABLE @t ADD {name} {kind}", f"ALTER TABLE @t DROP {name}",
             f"ALTER TABLE @t RENAME {name} TO h", f"ALTER TABLE @t RENAME {shape.partition[0]} TO {name}",
             "ALTER TABLE @t WITH comment = 'y'", "ALTER TABLE @t WITH gc_grace_seconds = 5",
             f"CREATE INDEX @t_i ON @t ({name})", f"CREATE INDEX ON @t (VALUES({name}))",
             f"CREATE INDEX ON @t (KEYS({name}))", f"CREATE INDEX ON @t (FULL({name}))",
             f"CREATE INDEX @t_s ON @t ({name}) USING 'sai'", "DROP INDEX @t_i", "TRUNCATE @t",
             f"CREATE TABLE IF NOT EXISTS @t ({name} int PRIMARY KEY)", f"CREATE TABLE @t ({name} int PRIMARY KEY)",
             f"ALTER TABLE @t ALTER {name} TYPE blob", f"ALTER TABLE @t ADD IF NOT EXISTS {name} int",
             f"ALTER TABLE @t DROP IF EXISTS {name}"]
        )
    )  # fmt: skip


@st.composite
def question(draw: st.DrawFn, shape: Shape, keys: list[dict[str, str]]) -> str:
    key = draw(st.sampled_from(keys))
    names = draw(st.lists(st.sampled_from([*shape.types, "g"]), min_size=1, max_size=2, unique=True))
    columns = draw(
        st.sampled_from(["*", "*", ", ".join(names), f"count({names[0]})", f"max({names[0]})", f"JSON {names[0]}"])
    )
    conditions = []
    for name in (*shape.partition, *shape.clustering):
        operator = draw(st.sampled_from(["=", "=", "=", "=", "IN", ">", "<=", ""]))
        if operator == "IN":
            conditions.append(f"{name} IN ({key[name]}, {draw(value(shape.types[name]))})")
        elif operator:
            conditions.append(f"{name} {operator} {key[name]}")
    if not draw(st.integers(0, 3)):
        name = draw(st.sampled_from([*shape.types]))
        operator = draw(st.sampled_from(["=", ">", "CONTAINS", "CONTAINS KEY", "IN"]))
        item = draw(value(draw(st.sampled_from([shape.types[name], "int", "text"]))))
        conditions.append(f"{name} {operator} {f'({item})' if operator == 'IN' else item}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    tail = draw(
        st.sampled_from(
            ["", "", " LIMIT 2", " ALLOW FILTERING", " ALLOW FILTERING", " PER PARTITION LIMIT 1",
             *(f" ORDER BY {name} {way}" for name in shape.clustering for way in ("ASC", "DESC")),
             f" GROUP BY {', '.join(shape.partition)}", f" GROUP BY {', '.join((*shape.partition, *shape.clustering))}"]
        )
    )  # fmt: skip
    return f"SELECT {columns} FROM @t{where}{tail}"


@st.composite
def stories(draw: st.DrawFn) -> list[str]:
    """The life of one table."""
    shape = draw(shapes())
    keys = draw(st.lists(key_values(shape), min_size=1, max_size=4))
    statements = [draw(create(shape))]
    for _ in range(draw(st.integers(1, 3))):
        statements += draw(st.lists(write(shape, keys), max_size=5))
        statements += draw(st.lists(question(shape, keys), min_size=1, max_size=4))
        statements.append("SELECT * FROM @t")
        statements += draw(st.lists(change(shape), max_size=2))
    return [*statements, "SELECT * FROM @t", "DROP TABLE @t"]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink a story takes Cassandra minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(statements=stories())
def test_the_lives_of_tables(players: tuple[Player, Player], statements: list[str]) -> None:
    table = f"t{next(_numbers)}"
    history = []
    for template in statements:
        statement = template.replace("@t", table)
        history.append(statement)
        ours, real = (_comparable(player.play(statement)) for player in players)
        assert not ours.startswith(SERVER_ERROR), "\n".join(history)
        assert ours == real, "\n".join(["", *history, f"real: {real}", f"ours: {ours}"])
    for player in players:
        player.play(f"DROP TABLE IF EXISTS {table}")
