"""A session, and streams whose batches a test names."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from smackbox.spark import session
from smackbox.spark.structured.sources.rate import SCHEMA
from smackbox.spark.structured.sources.source import Batch

TIMEOUT_S = 60
Row = tuple[int, int]
"""Seconds after 2026-01-01, value."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    one = session(app_name="structured")
    one.conf.set("spark.sql.session.timeZone", "UTC")
    yield one
    one.stop()


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


class ListSource:
    """Stands for the rate source: each batch is a list of rows. An offset is the number of batches read."""

    description = "ListSource"

    def __init__(self, batches: Sequence[Sequence[Row]]) -> None:
        self._batches = list(batches)

    def initial(self) -> int:
        return 0

    def latest(self, start: int, *, limited: bool) -> int:
        return min(start + 1, len(self._batches)) if limited else len(self._batches)

    def freeze(self) -> None: ...

    def batch(self, start: int, end: int) -> Batch:
        rows = [row for batch in self._batches[start:end] for row in batch]
        columns = [pa.array([at(s) for s, _ in rows], SCHEMA.types[0]), pa.array([v for _, v in rows], pa.int64())]
        return Batch(pa.table(columns, schema=SCHEMA), rows=len(rows))

    def commit(self, end: int) -> None: ...

    def stop(self) -> None: ...


class Streams:
    """Runs streams over given batches to their end."""

    def __init__(self, spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spark = spark
        self._patch = monkeypatch

    def source(self, batches: Sequence[Sequence[Row]]) -> Any:
        """A streaming DataFrame (timestamp, value) of these batches."""
        self._patch.setattr("smackbox.spark.structured.start.open_source", lambda *_: ListSource(batches))
        return self.spark.readStream.format("rate").load()

    def run(self, df: Any, mode: str = "append", **options: str) -> tuple[list[Any], Any]:
        """All rows that the stream gave, and its query."""
        name = f"t{uuid.uuid4().hex}"
        writer = df.writeStream.outputMode(mode).format("memory").queryName(name).options(**options)
        query = writer.trigger(availableNow=True).start()
        assert query.awaitTermination(TIMEOUT_S)
        return self.spark.table(name).collect(), query


@pytest.fixture
def streams(spark: Any, monkeypatch: pytest.MonkeyPatch) -> Streams:
    return Streams(spark, monkeypatch)


@pytest.fixture
def json_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes files of JSON lines into one folder, each later than the one before."""
    folder = tmp_path / "in"
    folder.mkdir()
    count = iter(range(1_000))

    def write(*lines: str) -> Path:
        import os

        number = next(count)
        path = folder / f"{number:03d}.json"
        path.write_text("".join(line + "\n" for line in lines))
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
        return folder

    return write
