"""cqlsh: statements, DESCRIBE, COPY out and in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.contract


@pytest.fixture
def cqlsh(cassandra_address: tuple[str, int]) -> Callable[[str], str]:
    """Run statements in cqlsh and give what it printed."""
    program = Path(sys.executable).with_name("cqlsh")

    def run(statements: str) -> str:
        done = subprocess.run(
            [str(program), "--no-color", cassandra_address[0], str(cassandra_address[1])],
            input=statements,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_statements_and_describe(cqlsh: Callable[[str], str], unique: Callable[[str], str]) -> None:
    keyspace = unique("shell")
    printed = cqlsh(
        f"""
        CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}};
        USE {keyspace};
        CREATE TABLE t (k int, c text, v map<text, int>, PRIMARY KEY (k, c)) WITH comment = 'shown';
        INSERT INTO t (k, c, v) VALUES (1, 'a', {{'x': 1}});
        SELECT * FROM t;
        DESCRIBE TABLES;
        DESCRIBE TABLE t;
        DESCRIBE KEYSPACE {keyspace};
        CONSISTENCY QUORUM;
        EXPAND ON;
        SELECT * FROM t;
        DROP KEYSPACE {keyspace};
        """
    )
    assert "{'x': 1}" in printed
    assert f"CREATE TABLE {keyspace}.t (" in printed
    assert "PRIMARY KEY (k, c)" in printed
    assert "comment = 'shown'" in printed
    assert "Consistency level set to QUORUM." in printed
    assert "@ Row 1" in printed


def test_copy_out_and_in(cqlsh: Callable[[str], str], unique: Callable[[str], str], tmp_path: Path) -> None:
    keyspace = unique("copied")
    file = tmp_path / "rows.csv"
    rows = "\n".join(
        f"INSERT INTO t (k, v, w) VALUES ({number}, 'text {number}', {number / 2});" for number in range(50)
    )
    printed = cqlsh(
        f"""
        CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}};
        USE {keyspace};
        CREATE TABLE t (k int PRIMARY KEY, v text, w double);
        {rows}
        COPY t (k, v, w) TO '{file}';
        TRUNCATE t;
        SELECT count(*) FROM t;
        COPY t (k, v, w) FROM '{file}';
        SELECT sum(k), count(v), sum(w) FROM t;
        DROP KEYSPACE {keyspace};
        """
    )
    assert len(file.read_text().splitlines()) == 50
    assert "1225" in printed
    assert "612.5" in printed
