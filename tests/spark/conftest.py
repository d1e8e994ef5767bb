"""What the Spark room's tests share: servers, topics with records, and a table that lives in a file."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from cassandra import cqltypes

from smackbox.net.service import ServiceThread
from smackbox.spark.streaming import MicroBatchRunner, StreamSettings
from smackbox.spark.streaming.errors import AwayError

TIMEOUT_S = 20.0


class Event(msgspec.Struct, frozen=True):
    id: UUID
    campaign: str
    type: Literal["view", "click"]
    amount: int = 1


def event(number: int, **changes: Any) -> Event:
    fields = {"id": UUID(int=number), "campaign": f"c{number % 3}", "type": "click" if number % 4 == 0 else "view"}
    return Event(**{**fields, **changes})


class MemoryTable:
    """A table as Cassandra keeps one: a cell with a later timestamp wins. `away` is how often it does not answer."""

    partition_columns = 1

    def __init__(self, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self.key_types = key
        self.value_types = values
        self.cells: dict[tuple[Any, ...], dict[str, tuple[int, Any]]] = {}
        self.away = 0
        self.writes: list[tuple[int, int]] = []

    def open(self) -> None:
        self._maybe_away()

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> dict[int, str]:
        self._maybe_away()
        self.writes.append((timestamp_us, len(rows)))
        for row in rows:
            self.put(dict(zip(columns, row, strict=True)), timestamp_us)
        return {}

    def put(self, row: dict[str, Any], timestamp_us: int) -> None:
        key = tuple(str(row.pop(name)) for name in self.key_types)
        cells = self.cells.setdefault(key, {})
        for name, value in row.items():
            if timestamp_us >= cells.get(name, (0, None))[0]:
                cells[name] = (timestamp_us, value)

    @property
    def rows(self) -> dict[Any, Any]:
        """Key -> values in the order of the columns; single ones without their tuple."""
        found = {}
        for key, cells in self.cells.items():
            values = tuple(cells[name][1] if name in cells else None for name in self.value_types)
            found[key if len(key) > 1 else key[0]] = values if len(values) > 1 else values[0]
        return found

    def close(self) -> None: ...

    def _maybe_away(self) -> None:
        if self.away:
            self.away -= 1
            raise AwayError("out for lunch")


class FileTable(MemoryTable):
    """The same in a file, which outlives a killed process. `after_half` is called in the midst of a write."""

    def __init__(self, path: Path, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        super().__init__(key, values)
        self.path = path
        self.after_half: Callable[[], None] = lambda: None

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> dict[int, str]:
        with self.path.open("a") as file:
            for number, row in enumerate(rows):
                if number == len(rows) // 2:
                    file.flush()
                    self.after_half()
                values = [str(value) if isinstance(value, UUID) else value for value in row]
                line = dict(zip(columns, values, strict=True))
                file.write(json.dumps([timestamp_us, line]) + "\n")
        return {}

    def load(self) -> MemoryTable:
        for line in self.path.read_text().splitlines():
            timestamp_us, row = json.loads(line)
            self.put(row, timestamp_us)
        return self


def event_table() -> MemoryTable:
    text, big = cqltypes.UTF8Type, cqltypes.LongType
    return MemoryTable({"id": cqltypes.UUIDType}, {"campaign": text, "type": text, "amount": big})


def total_table() -> MemoryTable:
    return MemoryTable({"campaign": cqltypes.UTF8Type}, {"views": cqltypes.LongType, "clicks": cqltypes.LongType})


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    if real := os.environ.get("SMACK_REAL_KAFKA"):
        yield real
        return
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    with ServiceThread(KafkaServer(KafkaSettings())) as server:
        yield server.url


class Topic:
    """A topic of its own for each test."""

    def __init__(self, kafka: str, partitions: int, name: str | None = None) -> None:
        from confluent_kafka import Producer
        from confluent_kafka.admin import AdminClient, NewTopic

        self.kafka = kafka
        self.name = name or f"topic-{uuid.uuid4().hex}"
        self._admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
        (future,) = self._admin.create_topics([NewTopic(self.name, partitions, 1)]).values()
        future.result(TIMEOUT_S)
        self._producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0, "log_level": 0})
        self.partitions = partitions

    def put(self, *records: Any, partition: int | None = None) -> None:
        """Events, or bytes as they are; dealt out to the partitions in turn."""
        failures: list[Any] = []
        for number, record in enumerate(records):
            value = record if isinstance(record, bytes) or record is None else msgspec.json.encode(record)
            self._producer.produce(
                self.name,
                value,
                partition=number % self.partitions if partition is None else partition,
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
        assert self._producer.flush(TIMEOUT_S) == 0
        assert failures == []

    def make_anew(self) -> None:
        (future,) = self._admin.delete_topics([self.name]).values()
        future.result(TIMEOUT_S)
        self.__init__(self.kafka, self.partitions, self.name)  # type: ignore[misc]


@pytest.fixture
def make_topic(kafka: str) -> Callable[..., Topic]:
    return lambda partitions=1: Topic(kafka, partitions)


@pytest.fixture
def topic(make_topic: Callable[..., Topic]) -> Topic:
    return make_topic()


@pytest.fixture
def make_settings(topic: Topic, tmp_path: Path) -> Callable[..., StreamSettings]:
    def make(**changes: Any) -> StreamSettings:
        known: dict[str, Any] = {
            "name": "stream",
            "kafka": topic.kafka,
            "topic": topic.name,
            "cassandra": "nowhere:1",
            "keyspace": "ks",
            "table": "t",
            "checkpoint_dir": tmp_path / "checkpoint",
            "every_s": 0.2,
        }
        return StreamSettings(**{**known, **changes})

    return make


class Streams:
    """Makes runners on a table in memory, and runs them until the topic is read."""

    Event = Event
    event = staticmethod(event)
    event_table = staticmethod(event_table)
    total_table = staticmethod(total_table)
    FileTable = FileTable

    def __init__(self, make_settings: Callable[..., StreamSettings]) -> None:
        self.make_settings = make_settings

    def runner(
        self, table: Any, function: Any = None, *, at: Any = None, event_type: Any = Event, **changes: Any
    ) -> MicroBatchRunner:
        return MicroBatchRunner(self.make_settings(**changes), event_type, function, table, at=at)

    def drain(self, runner: MicroBatchRunner, rows: int) -> list[Any]:
        """Steps until `rows` records are read. Their reports."""
        reports: list[Any] = []
        deadline = time.monotonic() + TIMEOUT_S
        while sum(report.rows for report in reports) < rows:
            assert time.monotonic() < deadline, f"nothing more came after {reports}"
            report = runner.step()
            if report is not None:
                reports.append(report)
        return reports


@pytest.fixture
def streams(make_settings: Callable[..., StreamSettings]) -> Streams:
    return Streams(make_settings)
