"""The talk's reports and its restore on RDDs, over the tables of its application."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from smackbox.app.load import load_app
from smackbox.net.service import ServiceThread
from smackbox.runtime.prepare import create_tables
from smackbox.spark.cql_session import CqlSession

TALK = Path(__file__).parents[2] / "examples" / "talk"
FIRST, SECOND = UUID(int=1), UUID(int=2)
AUGUST_31, SEPTEMBER_1, SEPTEMBER_30 = 1441065599999, 1441065600000, 1443657599999


def run(address: str, program: str, *arguments: str) -> list[str]:
    """What a program of the talk prints, started as its users start it."""
    command = [sys.executable, str(TALK / program), *arguments, "--master", "local[2]"]
    environment = {**os.environ, "SMACK_CASSANDRA": address}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def line(number: int, campaign: UUID, ts: int, kind: str) -> str:
    event = {"id": str(UUID(int=number)), "ad_id": str(UUID(int=7)), "campaign": str(campaign), "ts": ts, "type": kind}
    return json.dumps(event) + "\n"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    ads = load_app(TALK / "ads.py")
    if real := os.environ.get("SMACK_REAL_CASSANDRA"):
        create_tables(ads, real)
        yield real
        return
    with ServiceThread(CassandraServer(CassandraSettings())) as server:
        create_tables(ads, server.url)
        yield server.url


@pytest.fixture(scope="module")
def cql(address: str) -> Iterator[Any]:
    session = CqlSession(address, consistency="LOCAL_ONE")
    for table in ("event", "campaign", "campaign_report"):
        session.session.execute(f"TRUNCATE ads.{table}")
    yield session.session
    session.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    days = {
        "08/31": [line(1, FIRST, AUGUST_31, "view"), "{broken\n"],
        "09/01": [line(2, FIRST, SEPTEMBER_1, "view"), line(3, SECOND, SEPTEMBER_1, "click")],
        "09/30": [line(4, FIRST, SEPTEMBER_30, "view"), line(5, SECOND, SEPTEMBER_30, "view"), '{"id": "x"}\n'],
    }
    for day, lines in days.items():
        path = folder / "2015" / f"{day}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("".join(lines).encode()))
    return folder


def test_the_restore_and_the_reports(address: str, cql: Any, archive: Path, tmp_path: Path) -> None:
    for kept in ([], ["--broken", str(tmp_path / "broken")]):  # again writes the same rows
        said = run(address, "restore.py", f"{archive}/2015/*/*.gz", *kept)
        assert said == ["5 events restored, 2 lines are no events"]
    assert cql.execute("SELECT count(*) FROM ads.event").one()[0] == 5
    parts = sorted((tmp_path / "broken").glob("part-*"))
    aside = [text.split("\t")[1] for part in parts for text in part.read_text().splitlines()]
    assert aside == ["{broken", '{"id": "x"}']

    assert run(address, "reports.py", "views") == [f"{FIRST} 2", f"{SECOND} 1"]
    assert run(address, "reports.py", "views", "--month", "8") == [f"{FIRST} 1"]

    day = "INSERT INTO ads.campaign (id, year, month, day, views, clicks) VALUES (%s, 2015, 9, %s, %s, %s)"
    for campaign, number, views, clicks in ((FIRST, 1, 10, 2), (FIRST, 2, 5, 0), (UUID(int=9), 1, 99, 99)):
        cql.execute(day, (campaign, number, views, clicks))
    assert run(address, "reports.py", "lambda") == []
    report = {row.id: (row.views, row.clicks) for row in cql.execute("SELECT * FROM ads.campaign_report")}
    assert report == {FIRST: (18, 2)}


@contextmanager
def running(address: str, folder: Path, *arguments: str) -> Iterator[None]:
    """The talk's stream, killed at the end."""
    command = [sys.executable, str(TALK / "stream.py"), *arguments, "--every", "0.2", "--master", "local[1]"]
    command += ["--checkpoint", str(folder / "checkpoint")]
    environment = {**os.environ, "SMACK_CASSANDRA": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running, a batch each 0.2 s\n"
        yield
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def until_totals(cql: Any, expected: dict[tuple[Any, ...], tuple[int, int]]) -> None:
    deadline = time.monotonic() + 60
    totals: dict[tuple[Any, ...], tuple[int, int]] = {}
    while totals != expected:
        assert time.monotonic() < deadline, totals
        time.sleep(0.05)
        rows = cql.execute("SELECT id, month, day, views, clicks FROM ads.campaign")
        totals = {(row.id, row.month, row.day): (row.views, row.clicks) for row in rows}


@pytest.mark.parametrize("source", ["kafka", "kinesis"])
def test_the_stream_goes_on_after_a_kill(address: str, cql: Any, tmp_path: Path, source: str) -> None:
    for table in ("event", "campaign"):
        cql.execute(f"TRUNCATE ads.{table}")
    first = [line(1, FIRST, AUGUST_31, "view"), "no event", line(2, FIRST, SEPTEMBER_1, "view")]
    later = [line(3, FIRST, SEPTEMBER_1, "view"), line(4, SECOND, SEPTEMBER_30, "click")]
    with published(source) as (put, arguments):
        put(first)
        with running(address, tmp_path, source, *arguments):
            until_totals(cql, {(FIRST, 8, 31): (1, 0), (FIRST, 9, 1): (1, 0)})
        put(later)
        with running(address, tmp_path, source, *arguments):
            until_totals(cql, {(FIRST, 8, 31): (1, 0), (FIRST, 9, 1): (2, 0), (SECOND, 9, 30): (0, 1)})
    assert cql.execute("SELECT count(*) FROM ads.event").one()[0] == 4


@contextmanager
def published(source: str) -> Iterator[tuple[Callable[[list[str]], None], list[str]]]:
    """What publishes lines, and the program's arguments to read them."""
    if source == "kafka":
        from confluent_kafka import Producer

        from smackbox.kafka.server import KafkaServer
        from smackbox.kafka.settings import KafkaSettings

        with ServiceThread(KafkaServer(KafkaSettings())) as server:
            producer = Producer({"bootstrap.servers": server.url})

            def produce(lines: list[str]) -> None:
                for text in lines:
                    producer.produce("raw_events", text)
                producer.flush(30)

            yield produce, ["--servers", server.url]
        return
    import boto3
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "kinesis", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_stream(StreamName="events", ShardCount=2)

        def put(lines: list[str]) -> None:
            for number, text in enumerate(lines):
                client.put_record(StreamName="events", Data=text.encode(), PartitionKey=str(number))

        yield put, ["--stream", "events", "--region", "eu-west-1", "--endpoint", url]
    finally:
        moto.stop()
