"""One instance of a stream, in a process of its own: counts by key into a table of a file, and rows into a topic."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cassandra import cqltypes
from tests.spark.streams.program import Number, forked

from smackbox.flow.aggregates import Count, Sum
from smackbox.flow.builder import Flow
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.instances import SharedRunner
from smackbox.spark.streaming.outputs.topic import TopicOutput
from smackbox.spark.streaming.runner import MicroBatchRunner, Parts
from smackbox.spark.streaming.settings import StreamSettings


class SharedFileTable:
    """A table in a file that several processes append to, one write a batch; the later timestamp of a key wins."""

    partition_columns = 1

    def __init__(self, path: Path) -> None:
        self._path = path
        self.key_types = {"key": cqltypes.UTF8Type}
        self.value_types = {"n": cqltypes.LongType, "total": cqltypes.LongType}

    def open(self) -> None: ...

    def write(self, columns: Any, rows: Any, timestamp_us: int, *, absolute: bool) -> dict[int, str]:
        lines = [json.dumps([timestamp_us, dict(zip(columns, row, strict=True))]) for row in rows]
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(fd, ("\n".join(lines) + "\n").encode())
        os.close(fd)
        return {}

    def rows(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, tuple[int, int]]] = {}
        for line in self._path.read_text().splitlines():
            stamp, row = json.loads(line)
            if stamp >= found.get(row["key"], (0, (0, 0)))[0]:
                found[row["key"]] = (stamp, (row["n"], row["total"]))
        return {key: row for key, (_, row) in found.items()}

    def close(self) -> None: ...


class Source:
    name = "numbers"
    event = Number


def runner_of(spec: Mapping[str, Any]) -> SharedRunner:
    settings = StreamSettings(
        name="shared",
        kafka=spec["kafka"],
        topic=spec["topic"],
        cassandra="nowhere:1",
        keyspace="ks",
        table="t",
        checkpoint_dir=Path(spec["dir"]) / "checkpoint",
        every_s=0.02,
        max_rows_per_batch=50,
        divided_by="key",
    )
    source = Source()
    source.name = spec["topic"]
    flow = Flow.of([source]).group_by("key").agg(n=Count(), total=Sum("id"))

    def make(own: StreamSettings, number: int, engine: StreamEngine, metrics: Any) -> MicroBatchRunner:
        output = TopicOutput(spec["kafka"], spec["copy"], f"shared.{number}", flow.rows, None, {})
        parts = Parts(flow=flow, outputs=[output], events={spec["topic"]: Number})
        table = SharedFileTable(Path(spec["dir"]) / "table")
        return MicroBatchRunner(own, Number, target=table, parts=parts, engine=engine, metrics=metrics)

    return SharedRunner(settings, make, keyed=True)


def run_instance(spec: Mapping[str, Any], stop: Any) -> None:
    """Run until `stop` is set, or killed."""
    ended = threading.Event()
    threading.Thread(target=lambda: (stop.wait(), ended.set()), daemon=True).start()
    runner_of(spec).run(ended)
    sys.stdout.flush()


def start_instance(spec: Mapping[str, Any]) -> tuple[Any, Any]:
    """The process of an instance, and the event that stops it."""
    stop = multiprocessing.get_context("forkserver").Event()
    return forked(run_instance, dict(spec), stop), stop
