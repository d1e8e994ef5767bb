"""The sources on a real Spark 4.1: the same programs as on ours, against the same servers, with the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from bench.engines import real_spark
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import RoundRobinPolicy
from confluent_kafka.admin import AdminClient, NewTopic
from tests.contract.spark import source_programs

pytestmark = [pytest.mark.contract, pytest.mark.polyglot, pytest.mark.slow, pytest.mark.timeout(900)]
SCRIPT = Path(source_programs.__file__)
TIMEOUT_S = 400
ALL = (
    "id uuid PRIMARY KEY, a ascii, bi bigint, bl blob, bo boolean, da date, de decimal, dou double, du duration, "
    "fl float, i inet, n int, s smallint, te text, ti time, ts timestamp, tu timeuuid, ty tinyint, va varint, "
    "li list<uuid>, se set<int>, ma map<text, bigint>, tup tuple<int, text>"
)
TABLES = {
    "pairs": "a int, b text, c int, v int, PRIMARY KEY ((a, b), c)",
    "words": "k int PRIMARY KEY, v text",
    "spare": "k int PRIMARY KEY, v text",
    "counts": "k int PRIMARY KEY, n counter",
    "everything": ALL,
    "everything_copy": ALL,
}
ROW = (
    "INSERT INTO {}.everything (id, a, bi, bl, bo, da, de, dou, du, fl, i, n, s, te, ti, ts, tu, ty, va, li, se, "
    "ma, tup) VALUES "
    "(00000000-0000-0000-0000-000000000001, 'a', -2, 0x0102, true, '2015-10-01', -1.5, 0.25, 1y2mo3d4h, 0.5, "
    "'::1', 3, 4, 'ä', '12:30:00.000000001', '2015-10-01T12:00:00.123Z', 50554d6e-29bb-11e5-b345-feff819cdc9f, 5, "
    "-12345678901234567890, [00000000-0000-0000-0000-000000000001], {{2, 1}}, {{'k': 5}}, (1, 'x'))"
)


@pytest.fixture(scope="module")
def results(
    tmp_path_factory: pytest.TempPathFactory, cassandra_address: tuple[str, int], kafka_bootstrap: str
) -> dict[str, dict[str, Any]]:
    if reason := real_spark.missing():
        pytest.skip(reason)
    host, port = cassandra_address
    found = {}
    for engine, python in (("smackbox", Path(sys.executable)), ("pyspark", real_spark.python())):
        name = f"{engine}_{uuid.uuid4().hex[:8]}"
        profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=30)
        with Cluster([host], port=port, execution_profiles={EXEC_PROFILE_DEFAULT: profile}) as cluster:
            cql = cluster.connect()
            cql.execute(
                f"CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
            )
            for table, columns in TABLES.items():
                cql.execute(f"CREATE TABLE {name}.{table} ({columns})")
            cql.execute(ROW.format(name))
        admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
        admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
        folder = tmp_path_factory.mktemp(engine)
        environ = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src"),
            "TZ": "UTC",
            "PYSPARK_PYTHON": str(python),
        }
        command = [str(python), str(SCRIPT), engine, str(folder), f"{host}:{port}", kafka_bootstrap, name]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        found[engine] = json.loads((folder / "results.json").read_text())
    return found


@pytest.mark.parametrize("name", source_programs.PROGRAMS)
def test_the_sources_do_the_same_on_pyspark(results: dict[str, dict[str, Any]], name: str) -> None:
    assert isinstance(results["smackbox"][name], list), results["smackbox"][name]
    assert results["pyspark"][name] == results["smackbox"][name]
