"""`smack cql export`, `import`, `tablestats` and `status` over the CQL protocol, on ours and on a real Cassandra."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cassandra.cluster import Session
from click.testing import CliRunner

from smackbox.base.errors import UserError
from smackbox.cli.main import group

COLUMNS = """
    k int, c text, a ascii, b bigint, bl blob, bo boolean, d date, de decimal, do double, du duration, f float, i inet,
    s smallint, t time, ts timestamp, tu timeuuid, ty tinyint, u uuid, v varint, "Big Name" int, li list<double>,
    se set<text>, ma map<text, frozen<list<int>>>, tp tuple<int, text>, ud frozen<pair>, PRIMARY KEY (k, c)
"""
ROW = """
    'x', 12345678901234, 0x00ff, true, '2024-02-29', 1.10, 1.5e300, 1mo2d3ns, 0.25, '10.0.0.1', -3,
    '12:00:00.000000001', '2024-01-02 03:04:05.678+0000', 50554d6e-29bb-11e5-b345-feff819cdc9f, -1,
    123e4567-e89b-12d3-a456-426614174000, 123456789012345678901234567890, 7, [1.5, 2.25], {'a', 'b'}, {'k': [1, 2]},
    (1, 'one'), {x: 1, y: 'why'}
"""
NAMES = 'a, b, bl, bo, d, de, do, du, f, i, s, t, ts, tu, ty, u, v, "Big Name", li, se, ma, tp, ud'


def smack(address: tuple[str, int], *arguments: str) -> str:
    host, port = address
    result = CliRunner().invoke(group, ["cql", *arguments, "--cassandra", f"{host}:{port}"])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def tables(session: Session) -> tuple[str, str]:
    """A table of every type with three rows, and an empty one like it."""
    session.execute("CREATE TYPE pair (x int, y text)")
    for name in ("source", "target"):
        session.execute(f"CREATE TABLE {name} ({COLUMNS})")
    session.execute(f"INSERT INTO source (k, c, {NAMES}) VALUES (1, 'all', {ROW})")
    session.execute("INSERT INTO source (k, c, a) VALUES (1, 'a, \"quoted\"\nline – ü', 'y')")
    session.execute("INSERT INTO source (k, c) VALUES (2, 'keys alone')")
    return f"{session.keyspace}.source", f"{session.keyspace}.target"


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_is_exported_is_imported(
    session: Session, tables: tuple[str, str], cassandra_address: tuple[str, int], tmp_path: Path, form: str
) -> None:
    source, target = tables
    file = tmp_path / f"rows.{form}"
    assert smack(cassandra_address, "export", source, str(file)).startswith("3 rows of")
    assert smack(cassandra_address, "import", target, str(file)).startswith("3 rows of")
    assert list(session.execute("SELECT * FROM target")) == list(session.execute("SELECT * FROM source"))
    written = [tuple(row) for row in session.execute("SELECT writetime(a) FROM target WHERE k = 2")]
    assert written == [(None,)]
    stats = smack(cassandra_address, "tablestats", session.keyspace).splitlines()
    assert stats == ["table\tpartitions\trows", f"{source}\t2\t3", f"{target}\t2\t3"]


def test_the_files_are_what_others_read(
    tables: tuple[str, str], cassandra_address: tuple[str, int], tmp_path: Path
) -> None:
    from pyarrow import parquet

    source, _ = tables
    for form in ("csv", "jsonl", "parquet"):
        smack(cassandra_address, "export", source, str(tmp_path / f"rows.{form}"))
    header, *_ = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith('k,c,"""Big Name""",a,b,bl')
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"k": 1, "c": "all", "bl": "0x00ff", "se": ["a", "b"]}.items() <= next(
        line for line in lines if line["c"] == "all"
    ).items()
    table = parquet.read_table(tmp_path / "rows.parquet")
    row = next(row for row in table.to_pylist() if row["c"] == "all")
    assert (row["k"], row["bl"], row["do"], row["Big Name"]) == (1, b"\x00\xff", 1.5e300, 7)
    assert row["ts"].isoformat() == "2024-01-02T03:04:05.678000+00:00"


def test_many_rows(session: Session, cassandra_address: tuple[str, int], tmp_path: Path) -> None:
    session.execute("CREATE TABLE many (k int PRIMARY KEY, v text)")
    file = tmp_path / "many.csv"
    file.write_text("k,v\n" + "".join(f"{number},v{number}\n" for number in range(12_345)), encoding="utf-8")
    table = f"{session.keyspace}.many"
    assert smack(cassandra_address, "import", table, str(file)).startswith("12345 rows of")
    assert smack(cassandra_address, "tablestats", table).splitlines()[1] == f"{table}\t12345\t12345"
    copy = tmp_path / "copy.jsonl"
    smack(cassandra_address, "export", table, str(copy))
    assert len(copy.read_text(encoding="utf-8").splitlines()) == 12_345


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.csv", "k,v\n1,2\nx,3\n", "row 2 of .* was refused"),
        ("more.csv", "k,v\n1\n", "has 1 fields, not 2"),
        ("unknown.csv", "k,w\n1,2\n", "columns that the table has not: w"),
        ("bad.jsonl", '{"k": 1}\n{"k": \n', "line 2 of .* is not JSON"),
        ("list.jsonl", "[1]\n", "is not a JSON object"),
        ("rows.txt", "", "what is .* to be"),
    ],
)
def test_files_that_cannot_be_imported(
    session: Session, cassandra_address: tuple[str, int], tmp_path: Path, name: str, content: str, message: str
) -> None:
    session.execute("CREATE TABLE IF NOT EXISTS few (k int PRIMARY KEY, v int)")
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        smack(cassandra_address, "import", f"{session.keyspace}.few", str(file))


def test_tables_that_are_not_there(session: Session, cassandra_address: tuple[str, int], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no table nowhere.t"):
        smack(cassandra_address, "export", "nowhere.t", str(tmp_path / "t.csv"))
    with pytest.raises(UserError, match=r"a table is like keyspace\.table"):
        smack(cassandra_address, "export", "t", str(tmp_path / "t.csv"))
    session.execute("CREATE TABLE counted (k int PRIMARY KEY, n counter)")
    (tmp_path / "n.csv").write_text("k,n\n1,1\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds counters"):
        smack(cassandra_address, "import", f"{session.keyspace}.counted", str(tmp_path / "n.csv"))


def test_the_status_of_the_node(session: Session, cassandra_address: tuple[str, int]) -> None:
    head, line = smack(cassandra_address, "status").splitlines()
    shown = dict(zip(head.split("\t"), line.split("\t"), strict=True))
    row = session.execute("SELECT * FROM system.local").one()
    host, port = cassandra_address
    assert shown.pop("load").endswith(" MiB")
    assert shown == {
        "state": "UN",
        "address": f"{host}:{port}",
        "tokens": str(len(row.tokens)),
        "host id": str(row.host_id),
        "rack": row.rack,
        "data center": row.data_center,
        "release": row.release_version,
    }


def test_what_is_no_verb_is_a_statement(session: Session, cassandra_address: tuple[str, int]) -> None:
    assert "local" in smack(cassandra_address, "SELECT key FROM system.local")
    session.execute("CREATE TABLE status (a int PRIMARY KEY)")
    session.execute("INSERT INTO status (a) VALUES (42)")
    assert "42" in smack(cassandra_address, "--keyspace", session.keyspace, "SELECT a FROM status")
