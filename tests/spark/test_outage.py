"""Streams into a Cassandra that is killed with -9 under them: they wait, and every row and total is exact."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smackbox.spark.cql_session import CqlSession
from smackbox.spark.streaming import MicroBatchRunner

TIMEOUT_S = 30.0
ROWS = 900

SERVER = """
import sys
from pathlib import Path
from smackbox.cassandra.server import CassandraServer
from smackbox.cassandra.settings import CassandraSettings
from smackbox.net.service import run
run(CassandraServer(CassandraSettings(port=int(sys.argv[1]), dir=Path(sys.argv[2]))))
"""


class Cassandra:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self._port), str(self._directory)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        ready = self.process.stdout.readline().split()
        assert ready[:2] == ["ready", "cassandra"], ready
        self.url = ready[2]
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(TIMEOUT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def cassandra(tmp_path: Path) -> Iterator[Cassandra]:
    server = Cassandra(tmp_path / "cassandra")
    cql = CqlSession(server.url)
    cql.session.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    cql.session.execute("CREATE TABLE ks.event (id uuid PRIMARY KEY, campaign text, type text, amount bigint)")
    cql.session.execute("CREATE TABLE ks.total (campaign text PRIMARY KEY, views bigint, clicks bigint)")
    cql.close()
    yield server
    server.kill()


def select(cassandra: Cassandra, query: str) -> list[tuple[Any, ...]]:
    cql = CqlSession(cassandra.url)
    try:
        return sorted(tuple(row) for row in cql.session.execute(query))
    finally:
        cql.close()


@pytest.mark.parametrize("step", ["planned", "written"])
@pytest.mark.parametrize("kind", ["copy", "totals"])
def test_a_killed_cassandra_costs_time_only(
    streams: Any, make_topic: Any, cassandra: Cassandra, step: str, kind: str
) -> None:
    topic = make_topic(2)
    events = [streams.event(number) for number in range(ROWS)]
    topic.put(*events)
    killed: list[str] = []

    def at(here: str) -> None:
        if here == step and not killed:
            killed.append(here)
            cassandra.kill()
            cassandra.start()

    settings = streams.make_settings(
        topic=topic.name,
        cassandra=cassandra.url,
        table="event" if kind == "copy" else "total",
        max_rows_per_batch=200,
        unique="id",
        write_timeout_s=5.0,
    )
    function: Callable[[Any], Any] | None = None if kind == "copy" else count
    with MicroBatchRunner(settings, streams.Event, function, at=at) as runner:
        streams.drain(runner, ROWS)
    assert killed
    if kind == "copy":
        found = select(cassandra, "SELECT id, campaign, type, amount FROM ks.event")
        assert found == sorted((e.id, e.campaign, e.type, e.amount) for e in events)
    else:
        counts = Counter((e.campaign, e.type) for e in events)
        found = select(cassandra, "SELECT campaign, views, clicks FROM ks.total")
        assert found == [(name, counts[name, "view"], counts[name, "click"]) for name in ("c0", "c1", "c2")]


def count(batch: Any) -> Any:
    from pyspark.sql.functions import count, when

    return batch.groupBy("campaign").agg(
        count(when(batch.type == "view", 1)).alias("views"), count(when(batch.type == "click", 1)).alias("clicks")
    )
