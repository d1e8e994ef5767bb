"""A backlog of a topic with several partitions is read in step, so that none of them is ages behind in event time."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.spark.conftest import Topic

from smackbox.flow import Count
from smackbox.flow.builder import Flow
from smackbox.spark.streaming.runner import MicroBatchRunner, Parts
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.source import KafkaSource

EVENTS = 12_000
LIMIT_S = 60.0


class Event(msgspec.Struct):
    """Ten a second in all, over twenty minutes."""

    at: int
    key: str


class Kept:
    """A target that keeps the rows of windows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def open(self, checkpoint: Any) -> None: ...

    def close(self) -> None: ...

    def put(self, batch: Any) -> None:
        self.rows.extend(batch.rows)


def read_all(topic: Topic, folder: Path, rows_a_batch: int) -> tuple[int, int, int]:
    """Rows read, rows late, and batches."""
    source: Any = type("Source", (), {"name": topic.name, "event": Event})()
    flow = Flow.of([source]).with_watermark("at", timedelta(seconds=60))
    windows = flow.group_by("key").tumbling_window(timedelta(seconds=10))
    parts = Parts(flow=windows.agg(n=Count()).final(), table=False, events={topic.name: Event}, outputs=[Kept()])
    settings = StreamSettings(
        name="step", kafka=topic.kafka, topic=topic.name, cassandra="none:1", keyspace="k", table="t",
        checkpoint_dir=folder, every_s=0.0, max_rows_per_batch=rows_a_batch,
    )  # fmt: skip
    read = late = batches = 0
    until = time.monotonic() + LIMIT_S
    with MicroBatchRunner(settings, Event, parts=parts) as runner:
        while read < EVENTS:
            assert time.monotonic() < until, f"{read} of {EVENTS} were read"
            report = runner.step()
            if report is not None:
                read, late, batches = read + report.rows, late + report.late, batches + 1
    return read, late, batches


@pytest.mark.parametrize("rows_a_batch", [10_000, 1_500])
def test_no_event_of_a_backlog_is_late(kafka: str, tmp_path: Path, rows_a_batch: int) -> None:
    """Its partitions hold the same twenty minutes; one read ahead of the others would make theirs late."""
    topic = Topic(kafka, 4)
    topic.put(*[Event(number * 100, f"k{number % 4}") for number in range(EVENTS)])
    read, late, batches = read_all(topic, tmp_path / "checkpoint", rows_a_batch)
    assert (read, late) == (EVENTS, 0)
    assert batches >= EVENTS / rows_a_batch


def test_each_partition_has_its_share_of_a_batch(kafka: str) -> None:
    """By what waits in it; and nothing is lost or read twice over batches that end in the midst of what was fetched."""
    topic = Topic(kafka, 3)
    for partition, records in ((0, 4_000), (1, 2_000), (2, 1_000)):
        topic.put(*[b"%d" % number for number in range(records)], partition=partition)
    source = KafkaSource(
        kafka, topic.name, "shares", starting="earliest", on_data_loss="fail", read_timeout_s=10.0, options={}
    )
    try:
        source.assign({0: 0, 1: 0, 2: 0})
        seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
        until = time.monotonic() + LIMIT_S
        batches = []
        while sum(map(len, seen.values())) < 7_000:
            assert time.monotonic() < until
            messages = source.collect(time.monotonic(), 700, 1 << 24, lambda: False, eager=True)
            for message in messages:
                seen[message.partition()].append(int(message.value()))
            if messages:
                batches.append([sum(m.partition() == number for m in messages) for number in range(3)])
        assert batches[0] == [400, 200, 100]
        assert [seen[number] for number in range(3)] == [[*range(4_000)], [*range(2_000)], [*range(1_000)]]
    finally:
        source.close()
