"""Instances of a stream: totals stay exact while they are killed, added and taken away; each has its fair share."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.spark.streams.instance_program import SharedFileTable, runner_of, start_instance

from smackbox.spark.streaming import instances
from smackbox.spark.streaming.errors import StreamError

TIMEOUT_S = 60.0
PARTITIONS = 4
KEYS = 12


@pytest.fixture
def spec(kafka: str, make_topic: Callable[..., Any], tmp_path: Path) -> dict[str, Any]:
    return {"kafka": kafka, "topic": make_topic(PARTITIONS).name, "copy": make_topic().name, "dir": str(tmp_path)}


def put(kafka: str, topic: str, first: int, last: int) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
    for number in range(first, last):
        key = f"k{number % KEYS}"
        event = b'{"id": %d, "key": "%s"}' % (number, key.encode())
        producer.produce(topic, event, partition=number % KEYS % PARTITIONS)
    assert producer.flush(TIMEOUT_S) == 0


def add_partition(spec: dict[str, Any]) -> None:
    from confluent_kafka.admin import AdminClient, NewPartitions

    admin = AdminClient({"bootstrap.servers": spec["kafka"]})
    (done,) = admin.create_partitions([NewPartitions(spec["topic"], PARTITIONS + 1)]).values()
    done.result(TIMEOUT_S)


def expected(count: int) -> dict[str, tuple[int, int]]:
    return {
        f"k{key}": (len(range(key, count, KEYS)), sum(range(key, count, KEYS))) for key in range(KEYS) if key < count
    }


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def last_rows(kafka: str, topic: str) -> tuple[dict[str, int], bool]:
    """The last count of each key in the topic of results, and whether every count of a key is larger than before."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": "c", "isolation.level": "read_committed", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: dict[str, int] = {}
    rises = True
    while (message := consumer.poll(TIMEOUT_S)) is not None and message.error() is None:
        row = json.loads(message.value())
        rises &= row["n"] > found.get(row["key"], 0)
        found[row["key"]] = row["n"]
    consumer.close()
    return found, rises


@pytest.mark.parametrize("rounds", [pytest.param(5, id="5"), pytest.param(30, id="30", marks=pytest.mark.slow)])
def test_totals_are_exact_while_instances_come_and_go(spec: dict[str, Any], rounds: int) -> None:
    """Each round puts events and then kills an instance, adds one, or stops one in order."""
    chance = random.Random(rounds)
    each = 240
    table = SharedFileTable(Path(spec["dir"]) / "table")
    with ExitStack() as ending:
        alive: list[tuple[Any, Any]] = []

        def start() -> None:
            process, stop = start_instance(spec)
            ending.callback(process.join)
            ending.callback(process.kill)
            alive.append((process, stop))

        start()
        start()
        for number in range(rounds):
            put(spec["kafka"], spec["topic"], number * each, (number + 1) * each)
            some = sum(n for n, _ in expected(number * each + each // 3).values())
            wait_for(
                lambda some=some: Path(table._path).exists() and sum(n for n, _ in table.rows().values()) >= some,
                "the instances make no progress",
            )
            process, stop = alive.pop(chance.randrange(len(alive)))
            if number % 3 == 1:
                stop.set()
                process.join(TIMEOUT_S)
                assert process.exitcode == 0
            else:
                process.kill()
            while len(alive) < 1 + number % 3:
                start()
        wait_for(lambda: table.rows() == expected(rounds * each), "the totals are not exact")
        for process, stop in alive:
            stop.set()
            process.join(TIMEOUT_S)
            assert process.exitcode == 0
    counts, rises = last_rows(spec["kafka"], spec["copy"])
    assert counts == {key: n for key, (n, _) in expected(rounds * each).items()}
    assert rises, "no batch is in the topic twice"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "BALANCE_INTERVAL_S", 0.05)


@pytest.mark.usefixtures("soon")
def test_partitions_are_shared_out_and_given_back(spec: dict[str, Any]) -> None:
    def settle(*runners: Any) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while sorted(len(runner.held) for runner in runners) != shares:
            assert time.monotonic() < deadline
            for runner in runners:
                runner.step(0.01)

    with runner_of(spec) as first:
        assert sorted(first.held) == [0, 1, 2, 3]
        with runner_of(spec) as second, runner_of(spec) as third:
            shares = [1, 1, 2]
            settle(first, second, third)
            held = [number for runner in (first, second, third) for number in runner.held]
            assert sorted(held) == [0, 1, 2, 3]
        shares = [4]
        settle(first)


@pytest.mark.usefixtures("soon")
def test_more_instances_than_partitions_wait(spec: dict[str, Any]) -> None:
    with ExitStack() as stack:
        runners = [stack.enter_context(runner_of(spec)) for _ in range(PARTITIONS + 2)]
        deadline = time.monotonic() + TIMEOUT_S
        while sorted(len(runner.held) for runner in runners) != [0, 0, 1, 1, 1, 1]:
            assert time.monotonic() < deadline
            for runner in runners:
                runner.step(0.01)


@pytest.mark.usefixtures("soon")
def test_partitions_that_come_while_a_stream_runs_end_it_where_its_totals_are_divided(
    spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "PARTITIONS_CHECK_S", 0.05)
    with runner_of(spec) as keyed:
        copying = runner_of({**spec, "dir": f"{spec['dir']}/copying"})
        copying._keyed = False
        with copying:
            add_partition(spec)
            deadline = time.monotonic() + TIMEOUT_S
            while len(copying.held) <= PARTITIONS:
                assert time.monotonic() < deadline
                copying.step(0.01)
            with pytest.raises(StreamError, match="divided by 4 partitions"):
                while True:
                    assert time.monotonic() < deadline
                    keyed.step(0.01)


def test_a_changed_division_is_refused_before_anything_is_counted(spec: dict[str, Any], tmp_path: Path) -> None:
    with runner_of(spec):
        pass
    add_partition(spec)
    with (
        pytest.raises(StreamError, match=r"divided by 4 partitions, .* has 5: .*Remove .* to count again"),
        runner_of(spec),
    ):
        pass


def test_one_process_and_instances_do_not_take_each_others_checkpoints(
    spec: dict[str, Any], streams: Any, tmp_path: Path
) -> None:
    with streams.runner(streams.event_table()):
        pass
    with pytest.raises(StreamError, match="ran as one process"), runner_of(spec):
        pass
    divided = {**spec, "dir": str(tmp_path / "other")}
    with runner_of(divided):
        pass
    one = streams.runner(streams.event_table(), checkpoint_dir=tmp_path / "other" / "checkpoint")
    with pytest.raises(StreamError, match="is divided among instances: .*instances="), one:
        pass


def test_a_total_whose_key_is_not_divided_is_refused(spec: dict[str, Any]) -> None:
    import msgspec

    runner = runner_of(spec)
    runner._settings = msgspec.structs.replace(runner._settings, divided_by="id")
    with pytest.raises(StreamError, match="divide the events by id, which is not in the primary key"), runner:
        pass
