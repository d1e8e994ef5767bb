"""A stream in a process of its own, which kills itself at a step, on a fork server that has imported everything.

Steps: `planned`, `writing` (before a target takes a batch; in a topic's transaction, before its commit), `put` (the
target has it, and nobody knows), `written`, `committed`, or `none`.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3  # noqa: F401 - once for all children
import msgspec
from tests.flow.model import Source
from tests.kills import killing

from smackbox.flow import Count
from smackbox.flow.builder import Flow
from smackbox.spark.streaming.feed import InputsFeed
from smackbox.spark.streaming.inputs.files import FilesInput
from smackbox.spark.streaming.inputs.kinesis import KinesisInput, client_maker
from smackbox.spark.streaming.inputs.rate import RateInput
from smackbox.spark.streaming.inputs.socket import SocketInput
from smackbox.spark.streaming.inputs.topic import TopicInput
from smackbox.spark.streaming.outputs.files import FileOutput
from smackbox.spark.streaming.outputs.http import HttpOutput
from smackbox.spark.streaming.outputs.topic import TopicOutput
from smackbox.spark.streaming.runner import MicroBatchRunner, Parts, kafka_source
from smackbox.spark.streaming.settings import StreamSettings

PROCESS_TIMEOUT_S = 60
STEPS = ("planned", "writing", "put", "written", "committed")
IDLE_S = 0.5
FLOW_DELAY_MS, FLOW_WINDOW_MS, FLOW_STEP_MS, FLOW_GAP_MS = 5_000, 40_000, 20_000, 3_000


class Number(msgspec.Struct, frozen=True):
    id: int
    key: str = ""


class Value(msgspec.Struct, frozen=True):
    """What a rate gives, as an event with an `id`."""

    id: int = msgspec.field(name="value")


class Timed(msgspec.Struct, frozen=True):
    """An event at `at` ms since 1970."""

    id: int
    key: str
    at: int


class Given(msgspec.Struct, frozen=True):
    """What a flow gives of a key: of the window that begins at `at`, or of an event and its partner."""

    key: str
    at: int
    n: int


class Other(msgspec.Struct, frozen=True):
    """An event of the right side of a join."""

    key: str
    at: int
    n: int


class Seen(msgspec.Struct):
    """The state of a key: how many events since its last timer, and the moment of the first of them."""

    n: int = 0
    first: int = 0


def flow_of(kind: str, names: list[str]) -> Flow:
    """A flow over events of at most `FLOW_DELAY_MS` disorder."""
    marked = Flow.of([Source(names[0], Timed)]).with_watermark("at", timedelta(milliseconds=FLOW_DELAY_MS))
    grouped = marked.group_by("key")
    if kind == "windows":
        windows = grouped.hopping_window(timedelta(milliseconds=FLOW_WINDOW_MS), timedelta(milliseconds=FLOW_STEP_MS))
        return windows.agg(n=Count()).final().map(_of_window, to=Given)
    if kind == "sessions":
        windows = grouped.session_window(timedelta(milliseconds=FLOW_GAP_MS))
        return windows.agg(n=Count()).final().map(_of_window, to=Given)
    if kind == "timers":
        return grouped.stateful(_count, state=Seen, to=Given, on_timer=_tell)
    assert kind == "joins"
    right = Flow.of([Source(names[1], Timed)]).map(lambda row: Other(row.key, row.at, row.id), to=Other)
    limit = timedelta(milliseconds=FLOW_GAP_MS)
    right = right.with_watermark("at", timedelta(milliseconds=FLOW_DELAY_MS))
    return marked.join(right, on="key", before=limit, after=limit, into=Pair, how="left")


class Pair(msgspec.Struct, frozen=True):
    """An event of the left side and its partner on the right one; None where it has none."""

    key: str
    id: int
    n: int | None


def _of_window(row: Any) -> Given:
    return Given(row.key, round(row.window_start.timestamp() * 1000), row.n)


def _count(_key: str, rows: list[Timed], state: Any) -> list[Given]:
    seen = state.get() or Seen()
    if not seen.n:
        seen.first = min(row.at for row in rows)
        state.set_timer(datetime.fromtimestamp((seen.first + FLOW_WINDOW_MS) / 1000, UTC))
    seen.n += len(rows)
    state.set(seen)
    return []


def _tell(key: str, _timer: Any, state: Any) -> list[Given]:
    seen = state.get()
    state.clear()
    return [Given(key, 0, seen.n)]


class Killing:
    """A target that kills the process around what another one does."""

    def __init__(self, inner: Any, at: Callable[[str], None]) -> None:
        self._inner = inner
        self._at = at
        self.open = inner.open
        self.close = inner.close

    def put(self, batch: Any) -> None:
        transactions = getattr(self._inner, "_transactions", None)
        if transactions is None:
            self._at("writing")
        else:
            commit = transactions._producer.commit_transaction
            transactions._producer = _Producer(transactions._producer, commit, self._at)
        self._inner.put(batch)
        self._at("put")


class _Producer:
    """The client's producer, which is C and takes no attributes."""

    def __init__(self, inner: Any, commit: Any, at: Callable[[str], None]) -> None:
        self._inner = inner
        self._commit = commit
        self._kill_at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit_transaction(self, *arguments: Any) -> None:
        self._inner.flush(10)
        self._kill_at("writing")
        self._commit(*arguments)


def settings_of(spec: Mapping[str, Any]) -> StreamSettings:
    return StreamSettings(
        name="killed",
        kafka=spec.get("kafka", "nowhere:1"),
        topic="killed",
        cassandra="nowhere:1",
        keyspace="ks",
        table="t",
        checkpoint_dir=Path(spec["dir"]) / "checkpoint",
        every_s=0.05,
        max_rows_per_batch=spec.get("batch", 100),
    )


def inputs_of(spec: Mapping[str, Any], settings: StreamSettings) -> list[Any]:
    source = spec["source"]
    match source["kind"]:
        case "kinesis":
            return [KinesisInput("numbers", client_maker("eu-west-1", source["url"], "k", "s"), "TRIM_HORIZON")]
        case "files":
            return [FilesInput("numbers", source["url"], None, tuple(map(tuple, source.get("storage", ()))))]
        case "rate":
            return [RateInput("numbers", 1e6, source["limit"])]
        case "socket":
            return [SocketInput("numbers", "127.0.0.1", source["port"])]
        case "topics":
            return [
                TopicInput(name, lambda name=name: kafka_source(settings, name))  # type: ignore[misc]
                for name in source["names"]
            ]
    raise AssertionError(source)


def output_of(spec: Mapping[str, Any], event: type[msgspec.Struct]) -> Any:
    target = spec["target"]
    match target["kind"]:
        case "topic":
            return TopicOutput(spec["kafka"], target["name"], "killed", event, None, {})
        case "files":
            storage = tuple(map(tuple, target.get("storage", ())))
            return FileOutput(target["url"], target.get("format", "json"), target.get("packed", "none"), storage)
        case "http":
            return HttpOutput(target["url"], "killed", {}, rows=30)
    raise AssertionError(target)


def run_stream(spec: Mapping[str, Any], kill: str) -> None:
    """Run until nothing more comes, or dead before."""
    at = killing(kill)
    settings = settings_of(spec)
    inputs = inputs_of(spec, settings)
    event = Value if spec["source"]["kind"] == "rate" else Timed if "flow" in spec else Number
    parts = Parts(
        flow=flow_of(spec["flow"], spec["source"]["names"]) if "flow" in spec else None,
        feed=InputsFeed(inputs),
        events={source.name: event for source in inputs},
        loose=frozenset(source.name for source in inputs if not source.strict),
        outputs=[Killing(output_of(spec, event), at)],
        table=False,
    )
    with MicroBatchRunner(settings, event, parts=parts, at=at) as runner:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < IDLE_S:
            if runner.step() is not None:
                idle_since = time.monotonic()


def forked(work: Callable[..., None], *arguments: Any) -> Any:
    """`work` in a started process of the fork server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=arguments)
    # a child imports its parent's main file again; a test worker has none, and other tests may have named one
    main = vars(sys.modules["__main__"])
    kept = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        process.start()
    finally:
        main.update(kept)
    return process


def run_killed(spec: Mapping[str, Any], kill: str) -> bool:
    """Whether the stream was killed there; it may have come to its end before."""
    process = forked(run_stream, dict(spec), kill)
    try:
        process.join(PROCESS_TIMEOUT_S)
        assert process.exitcode in {0, -signal.SIGKILL}, f"it ended with {process.exitcode}"
        return process.exitcode != 0
    finally:
        process.kill()
        process.join()
