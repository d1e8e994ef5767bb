"""Differential fuzzing of values: literals of every type, casts, functions, arithmetic, JSON, clustering order.

As `test_fuzz`: with `make real` alone, both servers, equal answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.cassandra.golden import SERVER_ERROR, Player
from tests.contract.cassandra.test_fuzz import EXAMPLES, REAL, both_after

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL is None, reason="compares with a real Cassandra: make real"),
]

TYPES = (
    "ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint",
    "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
)  # fmt: skip
ORDERED = tuple(kind for kind in TYPES if kind != "duration")
_keys = itertools.count(1)


@pytest.fixture(scope="module")
def players() -> Iterator[tuple[Player, Player]]:
    columns = ", ".join(f"c_{kind} {kind}" for kind in TYPES)
    tables = [f"CREATE TABLE v (k int PRIMARY KEY, {columns})"]
    tables += [
        f"CREATE TABLE o_{kind} (k int, c {kind}, n int, PRIMARY KEY (k, c)) "
        f"WITH CLUSTERING ORDER BY (c {'DESC' if len(kind) % 2 else 'ASC'})"
        for kind in ORDERED
    ]
    with both_after(tables) as pair:
        yield pair


integers = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**63 - 1, 2**63, -(2**63), 10**20, -(10**25), 32767, -32768]),
).map(str)
# of few digits: see SKIPPED.md about the text form of others
floats = st.one_of(
    st.builds("{}.{:02d}".format, st.integers(-999, 999), st.integers(0, 99)),
    st.sampled_from(["0.0", "-0.0", "12345.125", "0.001", "1.0E-3"]),
)
texts = st.text(alphabet="ab'é \"\\\n\x01€", max_size=5).map(lambda value: "'" + value.replace("'", "''") + "'")
dates = st.builds(
    "'{:04d}-{:02d}-{:02d}'".format,
    st.sampled_from([1970, 1969, 2024, 2000, 1900]),
    st.integers(1, 12),
    st.integers(1, 31),
)
times = st.builds(
    "'{:02d}:{:02d}:{:02d}.{}'".format,
    st.integers(0, 24),
    st.integers(0, 59),
    st.integers(0, 59),
    st.sampled_from(["0", "123", "000000001"]),
)
stamps = st.builds(
    "'{:04d}-{:02d}-{:02d}{}'".format,
    st.sampled_from([1970, 2024, 1969]),
    st.integers(1, 12),
    st.integers(1, 29),
    st.sampled_from(["", " 12:30+0000", "T01:02:03.456Z", " 23:59:59-0530", "T10:00:00.1+01:00", " 05:06:07.999+0000"]),
)
hexes = st.binary(max_size=6).map(lambda value: "0x" + value.hex())
uuids = st.uuids().map(str)
timeuuids = st.builds(
    "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}".format,
    st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.integers(0x1B5, 0x1FF),
    st.sampled_from([0x8000, 0xBFFF, 0x9010]),
    st.sampled_from([0, 1, 2**48 - 1, 0x80FF7F01]),
)
inets = st.one_of(
    st.ip_addresses(v=4).map(lambda value: f"'{value}'"), st.ip_addresses(v=6).map(lambda value: f"'{value}'")
)
durations = st.one_of(
    st.builds(
        "{}{}{}{}".format,
        st.integers(0, 20),
        st.sampled_from(["y", "mo", "w", "d"]),
        st.integers(0, 90),
        st.sampled_from(["h", "m", "s", "ms", "us", "ns"]),
    ),
    st.sampled_from(["P1Y2M", "PT5S", "P2W", "-3d", "1h30m", "P0001-02-03T04:05:06"]),
)
LITERALS = {
    "ascii": texts, "text": texts, "bigint": integers, "int": integers, "smallint": integers, "tinyint": integers,
    "varint": integers, "blob": hexes, "boolean": st.sampled_from(["true", "false", "TRUE"]), "date": dates,
    "decimal": st.one_of(floats, integers), "double": st.one_of(floats, st.sampled_from(["NaN", "-Infinity", "7"])),
    "float": st.one_of(floats, st.sampled_from(["NaN", "Infinity", "7"])), "duration": durations, "inet": inets,
    "time": times, "timestamp": st.one_of(stamps, st.integers(-(10**12), 10**13).map(str)), "timeuuid": timeuuids,
    "uuid": st.one_of(uuids, timeuuids),
}  # fmt: skip
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@st.composite
def typed(draw: st.DrawFn, kinds: tuple[str, ...] = TYPES) -> tuple[str, str]:
    """A type and a literal, most often one of that type."""
    kind = draw(st.sampled_from(kinds))
    # the driver itself cannot show every date that a number can stand for
    alike = draw(st.integers(0, 9)) or kind in {"date", "double", "float", "time", "timestamp", "tinyint"}
    source = kind if alike else draw(st.sampled_from(TYPES))
    return kind, draw(LITERALS[source])


@st.composite
def expression(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(TYPES))
    other = draw(st.sampled_from(TYPES))
    number = draw(st.sampled_from(["int", "bigint", "tinyint", "smallint", "varint", "decimal", "double", "float"]))
    second = draw(st.sampled_from(["int", "bigint", "tinyint", "varint", "decimal", "double", "float"]))
    return draw(
        st.sampled_from(
            [
                f"c_{kind}",
                f"cast(c_{kind} AS {other})",
                f"cast(c_{number} AS {second})",
                f"cast(c_{kind} AS text)",
                f"toJson(c_{kind})",
                f"{kind}asblob(c_{kind})",
                f"blobas{number}({number}asblob(c_{number}))",
                f"c_{number} + c_{second}",
                f"c_{number} - c_{second}",
                f"c_{number} * c_{second}",
                f"c_{number} / c_{second}",
                f"c_{number} % c_{second}",
                f"c_{number} + 1",
                f"-c_{number}",
                f"abs(c_{number})",
                f"round(c_{number})",
                f"max(c_{kind if kind != 'timeuuid' else 'uuid'})",
                f"sum(c_{number})",
                f"avg(c_{number})",
                f"count(c_{kind})",
                f"cast(toDate(c_{kind}) AS text)",
                f"cast(toTimestamp(c_{kind}) AS text)",
                f"toUnixTimestamp(c_{kind})",
                "c_timestamp + c_duration",
                "c_date - 1mo2d",
                "token(k)",
            ]
        )
    )


def compare(players: tuple[Player, Player], statements: list[str]) -> None:
    for number, statement in enumerate(statements):
        ours, real = (player.play(statement) for player in players)
        assert not ours.startswith(SERVER_ERROR), "\n".join([*statements[: number + 1], ours])
        if ours.startswith("error ") and real.startswith("error "):
            ours, real = ours[:10], real[:10]
        assert ours == real, "\n".join(["", *statements[: number + 1], f"real: {real}", f"ours: {ours}"])


@SETTINGS
@given(values=st.lists(typed(), min_size=1, max_size=8), questions=st.lists(expression(), min_size=1, max_size=6))
def test_values_and_expressions(
    players: tuple[Player, Player], values: list[tuple[str, str]], questions: list[str]
) -> None:
    key = next(_keys)
    inserts = [f"INSERT INTO v (k, c_{kind}) VALUES ({key}, {literal})" for kind, literal in values]
    compare(
        players,
        [*inserts, f"SELECT * FROM v WHERE k = {key}", f"SELECT JSON * FROM v WHERE k = {key}"]
        + [f"SELECT {question} FROM v WHERE k = {key}" for question in questions],
    )


def one_form_each(decimals: list[str]) -> list[str]:
    """The same numbers, equal ones in the form in which the first was given."""
    first: dict[Decimal, str] = {}
    return [first.setdefault(Decimal(literal), literal) for literal in decimals]


@SETTINGS
@given(data=st.data(), kind=st.sampled_from(ORDERED))
def test_clustering_order_and_slices(players: tuple[Player, Player], data: st.DataObject, kind: str) -> None:
    key = next(_keys)
    literals = data.draw(st.lists(LITERALS[kind], min_size=1, max_size=8))
    bound = data.draw(LITERALS[kind])
    if kind == "decimal":  # see SKIPPED.md about the text form of equal ones
        *literals, bound = one_form_each([*literals, bound])
    statements = [
        f"INSERT INTO o_{kind} (k, c, n) VALUES ({key}, {literal}, {number})" for number, literal in enumerate(literals)
    ]
    statements += [
        f"SELECT c, n FROM o_{kind} WHERE k = {key}{where}"
        for where in ("", f" AND c > {bound}", f" AND c <= {bound}", f" AND c = {literals[0]}")
    ]
    statements.append(f"SELECT c FROM o_{kind} WHERE k = {key} ORDER BY c DESC LIMIT 3")
    if kind != "timeuuid":  # see SKIPPED.md
        statements.append(f"SELECT min(c), max(c) FROM o_{kind} WHERE k = {key}")
    compare(players, statements)
