"""What a sink of a stream is to a query, and the simple ones: noop, console, memory."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, Protocol

import pyarrow as pa

from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.structured.batch import BatchRun, Rows
from smackbox.spark.structured.sail import Sail

UNKNOWN_ROWS = -1
"""`numOutputRows` of a sink that does not count."""


class Sink(Protocol):
    """`add` may be called again with a batch whose commit was lost; a sink says how often rows arrive then."""

    description: str

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        """Write a batch; the number of its rows. What it raises ends the query."""

    def stop(self) -> None:
        """The query has ended."""


class NoopSink(Sink):
    """Computes the rows, and forgets them."""

    description = "org.apache.spark.sql.execution.datasources.noop.NoopTable$"

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        return run.table(rows).num_rows  # type: ignore[no-any-return]

    def stop(self) -> None: ...


class ConsoleSink(Sink):
    """Prints each batch as Spark does. Options: `numRows` (20), `truncate` (true, or a width)."""

    description = "org.apache.spark.sql.execution.streaming.ConsoleTable$"

    def __init__(self, options: Mapping[str, str], sail: Sail) -> None:
        self._rows = int(options.get("numrows", "20"))
        text = options.get("truncate", "true").lower()
        self._width = {"true": 20, "false": 0}.get(text) if text in {"true", "false"} else int(text)
        self._sail = sail

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        table = run.table(rows)
        shown = relations_pb2.Relation()
        shown.show_string.input.CopyFrom(self._sail.local(table))
        shown.show_string.num_rows = self._rows
        shown.show_string.truncate = self._width or 0
        text = self._sail.run(shown).column(0)[0].as_py()
        line = "-" * 43
        sys.stdout.write(f"{line}\nBatch: {batch}\n{line}\n{text}\n")
        sys.stdout.flush()
        return table.num_rows  # type: ignore[no-any-return]

    def stop(self) -> None: ...


class MemorySink(Sink):
    """A table of the session under the query's name; it stays when the query ends. Complete mode replaces its rows."""

    description = "MemorySink"

    def __init__(self, schema: pa.Schema, sail: Sail, *, replaces: bool) -> None:
        self._tables = [schema.empty_table()]
        self._sail = sail
        self._replaces = replaces
        self._relation: Any = None
        self._last = -1
        self._lock = threading.Lock()

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        table = run.table(rows)
        with self._lock:
            if batch > self._last or self._replaces:
                self._tables = [table] if self._replaces else [*self._tables, table]
                self._last = batch
                self._relation = None
        return table.num_rows  # type: ignore[no-any-return]

    def relation(self) -> Any:
        """The rows so far."""
        with self._lock:
            if self._relation is None:
                whole = pa.concat_tables(self._tables, promote_options="permissive")
                self._tables = [whole]
                self._relation = self._sail.local(whole)
            return self._relation

    def stop(self) -> None: ...
