"""Every code block of the README and the docs runs as it stands, and every command in them is one that there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from smackbox.app.load import load_app
from smackbox.cli.main import VERBS
from smackbox.spark import session
from smackbox.testing.fixtures import Smack, SmackCassandra, SmackKafka

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TESTED = {"README.md", "testing.md", "flow.md", "replay.md", "spark-sources.md"}
COMMAND = re.compile(r"^(?:    )?smack ([a-z][a-z|]*)", re.MULTILINE)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_the_readmes_application_and_its_test(pytester: pytest.Pytester) -> None:
    application, test, _actors = blocks(ROOT / "README.md")
    pytester.makepyfile(ads=application, test_ads=test)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q", timeout=100)
    result.assert_outcomes(passed=1)
    app = load_app(pytester.path / "ads.py")
    assert [job.name for job in app.jobs] == ["report"]


def test_the_readmes_actors(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "actors"}
    exec(compile(blocks(ROOT / "README.md")[2], "README.md", "exec"), names)
    asyncio.run(names["main"]())
    assert capsys.readouterr().out == "{'a': 1}\n"


def test_code_elsewhere_has_a_test_of_its_own() -> None:
    assert [page.name for page in PAGES if blocks(page) and page.name not in TESTED] == []


def test_the_page_on_testing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ads=blocks(ROOT / "README.md")[0], test_page="\n".join(blocks(ROOT / "docs" / "testing.md")))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-q", timeout=100)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= 5


def test_the_page_on_spark_sources(smack_cassandra: SmackCassandra, smack_kafka: SmackKafka) -> None:
    cql = smack_cassandra.connect()
    cql.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    cql.execute("CREATE TABLE shop.orders (id int PRIMARY KEY, who text)")
    cql.execute("CREATE TABLE shop.customer (customer text PRIMARY KEY, name text)")
    cql.execute("INSERT INTO shop.customer (customer, name) VALUES ('c1', 'Ada')")
    producer = Producer({"bootstrap.servers": smack_kafka.bootstrap})
    producer.produce("clicks", b"x")
    assert producer.flush(30) == 0
    spark = session()
    try:
        (block,) = blocks(ROOT / "docs" / "spark-sources.md")
        text = block.replace("10.0.0.1", smack_cassandra.address).replace('"…"', repr(smack_kafka.bootstrap))
        names: dict[str, Any] = {"spark": spark}
        names["frame"] = spark.createDataFrame([(1, "c1"), (2, "c2")], "id int, who string")
        exec(compile(text, "spark-sources.md", "exec"), names)
        assert sorted(map(tuple, names["orders"].collect())) == [(1, "c1"), (2, "c2")]
        assert sorted(map(tuple, names["joined"].collect())) == [(1, "c1", "Ada"), (2, "c2", None)]
        assert names["clicks"].count() == 1
    finally:
        spark.stop()


def test_the_page_on_flows(smack: Smack, tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "architecture" / "flow.md")
    (tmp_path / "views_of_flows.py").write_text(block)
    running = smack.run(load_app(tmp_path / "views_of_flows.py"))
    for number, minute in ((1, 0), (1, 0), (2, 0), (3, 1), (4, 30), (5, 2)):
        view = {"id": number, "campaign": "a", "ts": f"2026-01-01T12:{minute:02}:30Z", "price": number}
        assert running.post("/views", view)[0] == 202
        running.settle()
    rows = smack.cassandra.connect("views").execute("SELECT views, spent FROM per_minute")
    assert [tuple(row) for row in rows] == [(2, 3), (1, 3), (1, 4)], "the repeated one and the late one are not counted"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=lambda page: page.name)
def test_every_command_that_a_page_names_is_there(page: Path) -> None:
    named = {verb for words in COMMAND.findall(page.read_text(encoding="utf-8")) for verb in words.split("|")}
    assert named <= VERBS.keys()
