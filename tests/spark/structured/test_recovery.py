"""Streams that are killed: nothing is lost, nothing is there twice, totals are exact."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

DRIVER = Path(__file__).with_name("stream_driver.py")
STEPS = ("planned", "read", "written", "committed")
TIMEOUT_S = 90
KEYS = 7


def drive(topic: Any, out: Any, folder: Path, step: str, count: int) -> int:
    command = [sys.executable, str(DRIVER), topic.kafka, topic.name, out.name, str(folder), step, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return done.returncode


def committed_values(topic: Any) -> list[int]:
    """All records of committed transactions."""
    reader = Consumer(
        {
            "bootstrap.servers": topic.kafka,
            "group.id": "check",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
        }
    )
    reader.assign([TopicPartition(topic.name, number, 0) for number in range(topic.partitions)])
    values: list[int] = []
    ends = 0
    while ends < topic.partitions:
        for message in reader.consume(500, 1.0):
            if message.error() is not None:
                ends += 1
            else:
                values.append(int(message.value()))
    reader.close()
    return values


def check(kafka: str, make_topic: Callable[..., Any], folder: Path, rounds: list[tuple[str, int]], rows: int) -> None:
    from confluent_kafka import Producer

    topic, out = make_topic(3), make_topic(2)
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    sent = kills = 0
    for step, count in [*rounds, ("none", 0)]:
        for number in range(sent, sent + rows):
            key = f"k{number % KEYS}"
            producer.produce(topic.name, str(number), key, partition=number % topic.partitions)
            total[key][0] += number
            total[key][1] += 1
        assert producer.flush(TIMEOUT_S) == 0
        sent += rows
        kills += drive(topic, out, folder, step, count) != 0
    assert kills == len(rounds)
    assert sorted(committed_values(out)) == list(range(sent))
    found: dict[str, list[int]] = {}
    for file in sorted((folder / "totals").iterdir()):
        found.update({row["k"]: [row["s"], row["n"]] for row in json.loads(file.read_text())})
    assert found == dict(total)


def test_totals_and_copies_are_exact_after_kills(kafka: str, make_topic: Callable[..., Any], tmp_path: Path) -> None:
    # the copy is killed after its transaction, the totals after a batch is computed
    check(kafka, make_topic, tmp_path, [("written", 1), ("written", 6)], 60)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_totals_and_copies_are_exact_after_100_kills(
    kafka: str, make_topic: Callable[..., Any], tmp_path: Path
) -> None:
    chance = random.Random(1)
    rounds = [(chance.choice(STEPS), chance.randrange(6)) for _ in range(100)]
    check(kafka, make_topic, tmp_path, rounds, 60)


def test_state_goes_on_after_a_stop(spark: Any, streams: Any, tmp_path: Path) -> None:
    batches = [[(1, 1), (2, 2)], [(3, 1)]]
    df = streams.source(batches[:1]).groupBy("value").count()
    rows, first = streams.run(df, "update", checkpointLocation=str(tmp_path))
    assert sorted(tuple(row) for row in rows) == [(1, 1), (2, 1)]
    df = streams.source(batches).groupBy("value").count()
    rows, second = streams.run(df, "update", checkpointLocation=str(tmp_path))
    assert [tuple(row) for row in rows] == [(1, 2)]
    assert (first.id, second.lastProgress.batchId) == (second.id, 1)
    assert second.lastProgress.stateOperators[0].numRowsTotal == 2


def test_a_failed_batch_is_repeated_with_the_same_rows(
    spark: Any, json_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = json_folder('{"a":1}')
    seen = tmp_path / "seen"

    def fails_once(batch: Any, number: int) -> None:
        with seen.open("a") as file:
            file.write(f"{number}:{sorted(row.a for row in batch.collect())}\n")
        if len(seen.read_text().splitlines()) == 1:
            raise ValueError("the first time")

    def run() -> Any:
        df = spark.readStream.schema("a int").json(str(folder))
        writer = df.writeStream.foreachBatch(fails_once).option("checkpointLocation", str(tmp_path / "c"))
        return writer.trigger(availableNow=True).start()

    query = run()
    with pytest.raises(Exception, match="the first time"):
        query.awaitTermination(TIMEOUT_S)
    json_folder('{"a":2}')
    assert run().awaitTermination(TIMEOUT_S)
    assert seen.read_text().splitlines() == ["0:[1]", "0:[1]", "1:[2]"]
