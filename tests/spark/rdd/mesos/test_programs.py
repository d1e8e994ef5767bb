"""RDD programs give on Mesos what they give on `local[2]`."""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.contract.pool import Pool
from tests.spark.rdd.mesos.conftest import SMALL

from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.spark_files import SparkFiles
from smackbox.testing.fixtures import SmackCassandra

WORDS = ["the quick brown fox", "jumps over", "the lazy dog", "the end"] * 50


def word_count(sc: SparkContext) -> Any:
    return sorted(sc.parallelize(WORDS, 4).flatMap(str.split).map(lambda word: (word, 1)).reduceByKey(add).collect())


def joins(sc: SparkContext) -> Any:
    left = sc.parallelize([(number % 7, number) for number in range(50)], 3)
    right = sc.parallelize([(number, str(number)) for number in range(3, 10)], 2)
    return (
        sorted(left.join(right).collect()),
        sorted(left.leftOuterJoin(right).collect()),
        sorted(left.fullOuterJoin(right).count() for _ in range(2)),
    )


def cogroup(sc: SparkContext) -> Any:
    left = sc.parallelize([(number % 5, number) for number in range(20)], 3)
    right = sc.parallelize([(number % 3, -number) for number in range(9)], 2)
    groups = left.cogroup(right, numPartitions=3).collect()
    return sorted((key, sorted(ours), sorted(theirs)) for key, (ours, theirs) in groups)


def sort_by_key(sc: SparkContext) -> Any:
    return (
        sc.parallelize([(number * 37 % 101, number) for number in range(101)], 5).sortByKey(numPartitions=3).collect()
    )


def shared_values(sc: SparkContext) -> Any:
    names = sc.broadcast({number: f"name {number}" for number in range(10)})
    seen = sc.accumulator(0)

    def named(number: int) -> tuple[str, int]:
        seen.add(number)
        return names.value[number % 10], number

    totals = sorted(sc.parallelize(range(1000), 6).map(named).reduceByKey(add).collect())
    return totals, seen.value


def a_large_collection_and_a_cache(sc: SparkContext) -> Any:
    rows = sc.parallelize([str(number) * 20 for number in range(5000)], 4).map(len).cache()
    return rows.count(), rows.sum(), rows.map(lambda size: (size, 1)).countByKey()


PROGRAMS = [word_count, joins, cogroup, sort_by_key, shared_values, a_large_collection_and_a_cache]


@pytest.fixture(scope="module")
def contexts(mesos: Pool) -> Any:
    with (
        SparkContext("local[2]", conf={"spark.default.parallelism": "4"}) as local,
        SparkContext(f"mesos://{mesos.master}", "programs", {**SMALL, "spark.cores.max": "4"}) as cluster,
    ):
        yield local, cluster


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_gives_the_same_on_both(contexts: Any, program: Callable[[SparkContext], Any]) -> None:
    local, cluster = contexts
    assert program(cluster) == program(local)


def test_a_table_of_cassandra_is_totalled(contexts: Any, smack_cassandra: SmackCassandra) -> None:
    session = smack_cassandra.connect()
    session.execute("CREATE KEYSPACE ads WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE ads.event (id uuid PRIMARY KEY, campaign text, amount int)")
    insert = session.prepare("INSERT INTO ads.event (id, campaign, amount) VALUES (?, ?, ?)")
    for number in range(60):
        session.execute(insert, (UUID(int=number), f"c{number % 3}", number))
    cluster = contexts[1]
    cluster._conf["spark.cassandra.connection.host"] = smack_cassandra.address
    rows = cluster.cassandraTable("ads", "event").select("campaign", "amount")
    totals = rows.map(lambda row: (row.campaign, row.amount)).reduceByKey(add).collect()
    assert sorted(totals) == [(f"c{number}", sum(range(number, 60, 3))) for number in range(3)]


def test_files_and_modules_of_the_driver_reach_the_tasks(contexts: Any, tmp_path: Path) -> None:
    cluster = contexts[1]
    (tmp_path / "smack_test_shapes.py").write_text(
        "def corners(shape):\n    return {'triangle': 3, 'square': 4}[shape]\n"
    )
    (tmp_path / "names.txt").write_text("triangle,square")
    cluster.addPyFile(str(tmp_path / "smack_test_shapes.py"))
    cluster.addFile(str(tmp_path / "names.txt"))
    (tmp_path / "names.txt").unlink()

    def corners(_: int) -> list[int]:
        import smack_test_shapes

        with open(SparkFiles.get("names.txt")) as file:
            return [smack_test_shapes.corners(shape) for shape in file.read().split(",")]

    assert cluster.parallelize([0, 1], 2).map(corners).collect() == [[3, 4], [3, 4]]


def test_a_cached_partition_is_computed_once_and_read_where_it_is(contexts: Any) -> None:
    cluster = contexts[1]
    computed = cluster.accumulator(0)

    def count(number: int) -> int:
        computed.add(1)
        return number

    rows = cluster.parallelize(range(40), 8).map(count).cache()
    assert [rows.sum() for _ in range(3)] == [780] * 3
    assert computed.value == 40
    tasks = [task for stage in cluster._observers.log.stages.values() for task in stage.tasks]
    assert {task.started.locality for task in tasks[-16:]} == {"PROCESS_LOCAL"}


def test_four_failures_abort_with_the_tasks_own_traceback(contexts: Any) -> None:
    def divide_by_nothing(number: int) -> float:
        return number / 0

    with pytest.raises(JobError, match=r"(?s)failed 4 times.*ZeroDivisionError.*in divide_by_nothing"):
        contexts[1].parallelize([7], 1).map(divide_by_nothing).collect()
