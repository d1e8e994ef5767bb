"""What each consistency level answers on one node: by replication, kind of statement, as text and prepared.

Recorded from a real Cassandra by `python -m tests.contract.cassandra.test_consistency`, with SMACK_REAL_CASSANDRA set.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cassandra import ConsistencyLevel, Unavailable
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import FallthroughRetryPolicy, RoundRobinPolicy
from cassandra.query import BatchStatement, SimpleStatement

pytestmark = pytest.mark.contract

RECORDED = Path(__file__).parents[2] / "golden" / "cassandra_consistency" / "levels.txt"
LEVELS = [*map(ConsistencyLevel.value_to_name.get, range(11))]
REPLICATION = {
    "simple_0": "{'class': 'SimpleStrategy', 'replication_factor': 0}",
    "simple_1": "{'class': 'SimpleStrategy', 'replication_factor': 1}",
    "simple_2": "{'class': 'SimpleStrategy', 'replication_factor': 2}",
    "center_1": "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}",
    "center_3": "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}",
}
ROW = "INSERT INTO KS.t (a, v) VALUES (%d, 1)"
STATEMENTS = {
    "select": "SELECT * FROM KS.t WHERE a = 1",
    "scan": "SELECT * FROM KS.t",
    "select_in": "SELECT * FROM KS.t WHERE a IN (1, 2)",
    "select_in_limit": "SELECT * FROM KS.t WHERE a IN (1, 2) LIMIT 1",
    "count_in": "SELECT count(*) FROM KS.t WHERE a IN (1, 2)",
    "insert": ROW,
    "counter": "UPDATE KS.n SET c = c + 1 WHERE a = 1",
    "batch": f"BEGIN BATCH {ROW}; {ROW} APPLY BATCH",
    "unlogged": f"BEGIN UNLOGGED BATCH {ROW}; {ROW} APPLY BATCH",
    "counters": "BEGIN COUNTER BATCH UPDATE KS.n SET c = c + 1 WHERE a = 1 APPLY BATCH",
    "applied": f"{ROW} IF NOT EXISTS",
    "applied_local": f"{ROW} IF NOT EXISTS",
    "refused": "UPDATE KS.t SET v = 2 WHERE a = -1 IF EXISTS",
    "truncate": "TRUNCATE KS.t",
}
# Cassandra times out where no replica is asked for, which ours never does
NOT_COMPARED = {("simple_0", kind, "ALL") for kind in ("insert", "batch", "unlogged", "prepared", "prepared_batch")} | {
    ("simple_0", "batch", "ANY"),
    ("simple_0", "prepared_batch", "ANY"),
}


def answers(session: Session) -> Iterator[tuple[str, str]]:
    """What was asked, in a few words, and what came back."""
    numbers = itertools.count()
    for name, replication in REPLICATION.items():
        keyspace = f"consistency_{name}"
        session.execute(f"DROP KEYSPACE IF EXISTS {keyspace}")
        session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}")
        session.execute(f"CREATE TABLE {keyspace}.t (a int PRIMARY KEY, v int)")
        session.execute(f"CREATE TABLE {keyspace}.n (a int PRIMARY KEY, c counter)")
        insert = session.prepare(f"INSERT INTO {keyspace}.t (a, v) VALUES (?, ?)")
        select = session.prepare(f"SELECT * FROM {keyspace}.t WHERE a = ?")
        for level in LEVELS:
            asked: dict[str, Any] = {}
            for kind, text in STATEMENTS.items():
                text = text.replace("KS", keyspace)
                while "%d" in text:
                    text = text.replace("%d", str(next(numbers)), 1)
                asked[kind] = SimpleStatement(text)
                if kind == "applied_local":
                    asked[kind].serial_consistency_level = ConsistencyLevel.LOCAL_SERIAL
            asked["prepared"] = insert.bind((next(numbers), 1))
            asked["prepared_select"] = select.bind((next(numbers),))
            asked["prepared_batch"] = BatchStatement()
            for _ in range(2):
                asked["prepared_batch"].add(insert, (next(numbers), 1))
            for kind, statement in asked.items():
                if (name, kind, level) not in NOT_COMPARED:
                    statement.consistency_level = ConsistencyLevel.name_to_value[level]
                    yield f"{name} {kind} {level}", _answer(session, statement)
        left = session.execute(f"SELECT count(*) FROM {keyspace}.t").one()[0] if name != "simple_0" else 0
        yield f"{name} rows left", str(left)
        session.execute(f"DROP KEYSPACE {keyspace}")
    for table in ("system.local", "system_schema.keyspaces", "system_views.settings"):
        for level in LEVELS:
            value = ConsistencyLevel.name_to_value[level]
            yield (
                f"{table} {level}",
                _answer(session, SimpleStatement(f"SELECT * FROM {table}", consistency_level=value)),
            )


def _answer(session: Session, statement: Any) -> str:
    try:
        session.execute(statement)
    except NoHostAvailable as error:
        return f"error {next(iter(error.errors.values()))}"
    except Unavailable as error:
        level = ConsistencyLevel.value_to_name[error.consistency]
        message = str(error).split('message="')[1].split('"')[0]
        return f"unavailable {level} {error.required_replicas} {error.alive_replicas} {message}"
    except Exception as error:  # noqa: BLE001 - whatever the server answers is written down
        return f"error {str(error).replace('consistency_', 'KS_')}"
    return "ok"


@pytest.fixture
def cluster(cassandra_address: tuple[str, int]) -> Iterator[Session]:
    with connected(cassandra_address) as found:
        yield found.connect()


def connected(address: tuple[str, int]) -> Cluster:
    profile = ExecutionProfile(
        load_balancing_policy=RoundRobinPolicy(), retry_policy=FallthroughRetryPolicy(), request_timeout=60
    )
    return Cluster([address[0]], port=address[1], execution_profiles={EXEC_PROFILE_DEFAULT: profile})


def test_each_level_answers_as_cassandra_does(cluster: Session) -> None:
    recorded = RECORDED.read_text(encoding="utf-8").splitlines()
    found = [f"{asked}: {answer}" for asked, answer in answers(cluster)]
    assert len(found) == len(recorded)
    assert [line for line in found if line not in recorded] == []


if __name__ == "__main__":
    host, _, port = os.environ["SMACK_REAL_CASSANDRA"].rpartition(":")
    with connected((host, int(port))) as real:
        RECORDED.parent.mkdir(exist_ok=True)
        lines = [f"{asked}: {answer}\n" for asked, answer in answers(real.connect())]
        RECORDED.write_text("".join(lines), encoding="utf-8")
