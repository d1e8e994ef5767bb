"""The batches of one streaming query: what comes next, running it, committing it. No threads, no waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smackbox.spark.front.messages import relations_pb2
from smackbox.spark.structured import progress as shown
from smackbox.spark.structured.aggregation import GROUP_BY
from smackbox.spark.structured.analysis import Schemas
from smackbox.spark.structured.batch import BatchRun
from smackbox.spark.structured.checkpoint import Checkpoint
from smackbox.spark.structured.checks import COMPLETE
from smackbox.spark.structured.operator import Times
from smackbox.spark.structured.plan import Node, Plan, delay_us
from smackbox.spark.structured.sail import Sail
from smackbox.spark.structured.sinks.sink import Sink
from smackbox.spark.structured.sources.source import Batch, Source

Step = Callable[[str], None]


class StreamEngine:
    """`identity` is what progress is signed with: query id, run id, name. `at` is called at each step, for tests."""

    def __init__(
        self,
        plan: Plan,
        operators: list[Any],
        sources: list[Source],
        sink: Sink,
        checkpoint: Checkpoint,
        sail: Sail,
        schemas: Schemas,
        mode: str,
        identity: tuple[str, str, str | None],
        at: Step = lambda _: None,
    ) -> None:
        self._plan = plan
        self._operators = operators
        self._sources = sources
        self._sink = sink
        self._checkpoint = checkpoint
        self._sail = sail
        self._schemas = schemas
        self._mode = mode
        self._identity = identity
        self._at = at
        self._last_trigger: float | None = None
        self.status: Step = lambda _: None
        committed = checkpoint.commit_of(checkpoint.committed)
        self._watermarks_us: list[int] = committed.get("watermarks", [0] * len(plan.watermarks))
        self._late_us: int = committed.get("held", 0)
        self._totals: list[int] = committed.get("totals", [0] * len(operators))
        planned = checkpoint.planned()
        self._offsets: list[Any] | None = None if planned is None else planned[1]["end"]
        self._unfinished = planned if planned is not None and planned[0] > checkpoint.committed else None
        self._empty_batch_needed = bool(committed.get("again"))
        self.offsets_shown: list[Any] = self._offsets or [None] * len(sources)

    @property
    def watermark_us(self) -> int:
        """The least of all watermarks (`spark.sql.streaming.multipleWatermarkPolicy` is `min`)."""
        return min(self._watermarks_us, default=0)

    def explain(self) -> str:
        """The plan as a tree of its operators, the sources last."""
        lines = ["== Logical Plan =="]

        def show(node: Node, depth: int) -> None:
            mark = "~" if node.streaming else ""
            detail = f" {self._sources[node.number].description}" if node.is_source else ""
            name = "".join(part.capitalize() for part in node.kind.split("_"))
            lines.append(f"{'   ' * (depth - 1)}{'+- ' if depth else ''}{mark}{name}{detail}")
            for child in node.children:
                show(child, depth + 1)

        show(self._plan.root, 0)
        return "\n".join(lines)

    def freeze(self) -> None:
        """Do not go beyond what the sources have now."""
        for source in self._sources:
            source.freeze()

    def step(self, *, limited: bool = True, empty_batches: bool = True) -> str | None:
        """Run one batch, if there is one: its progress as JSON. None when there is nothing to do."""
        began = time.time() * 1000
        durations: dict[str, float] = {}
        with _Timed(durations, "triggerExecution"):
            number = self._checkpoint.committed + 1
            if self._unfinished is not None:
                number, plan = self._unfinished
            else:
                found = self._next(durations, limited=limited, empty_batches=empty_batches)
                if found is None:
                    self._last_trigger = began
                    return None
                plan = found
                with _Timed(durations, "walCommit"):
                    self._checkpoint.plan(number, plan)
                self._unfinished = (number, plan)
            self._at("planned")
            inputs, run, rows_out, commit_ms = self._run(number, plan, durations)
        since_s = None if self._last_trigger is None else (began - self._last_trigger) / 1000
        self._last_trigger = began
        self.offsets_shown = plan["end"]
        return self._progress(number, plan, inputs, run, rows_out, began, durations, since_s, commit_ms)

    def _next(self, durations: dict[str, float], *, limited: bool, empty_batches: bool) -> dict[str, Any] | None:
        """The plan of the next batch; None when there is neither data nor a watermark to act on."""
        first = self._offsets is None
        with _Timed(durations, "latestOffset"):
            if self._offsets is None:
                self._offsets = [source.initial() for source in self._sources]
            ends = []
            for source, start in zip(self._sources, self._offsets, strict=True):
                self.status(f"Getting offsets from {source.description}")
                ends.append(source.latest(start, limited=limited))
        # as in Spark, the first batch of a source that knows its offsets runs without rows too
        new = ends != self._offsets or (first and any(end is not None for end in ends))
        if empty_batches and not new and not first:
            self._empty_batch_needed = self._empty_batch_needed or self._timers_due()
        if not new and not (self._empty_batch_needed and empty_batches):
            if first:
                self._offsets = None
            return None
        return {
            "start": self._offsets,
            "end": ends,
            "time": int(time.time() * 1000),
            "watermark": self.watermark_us,
            "late": self._late_us,
        }

    def _timers_due(self) -> bool:
        """Whether an operator has to act by the clock."""
        clocked = [operator for operator in self._operators if hasattr(operator, "due")]
        if not clocked:
            return False
        state, now_ms = self._checkpoint.state(), int(time.time() * 1000)
        return any(operator.due(state, now_ms) for operator in clocked)

    def _run(
        self, number: int, plan: dict[str, Any], durations: dict[str, float]
    ) -> tuple[list[int], BatchRun, int, float]:
        self.status("Processing new data")
        with _Timed(durations, "getBatch"):
            inputs = [
                source.batch(start, end)
                for source, start, end in zip(self._sources, plan["start"], plan["end"], strict=True)
            ]
            rows_in = [self._count(batch) for batch in inputs]
        self._at("read")
        run = BatchRun(
            self._plan,
            self._operators,
            self._sail,
            self._schemas,
            inputs=inputs,
            state=self._checkpoint.state(),
            times=Times(
                plan["late"] if self._plan.watermarks else None,
                plan["watermark"] if self._plan.watermarks else None,
                plan["time"],
                first=number == 0,
            ),
            mode=self._mode,
            totals=self._totals,
        )
        with _Timed(durations, "addBatch"):
            rows_out = self._sink.add(number, run.rows(self._plan.root), run)
        self._at("written")
        with _Timed(durations, "commitOffsets"):
            self._commit(number, plan, run)
        self._at("committed")
        return rows_in, run, rows_out, durations["commitOffsets"]

    def _commit(self, number: int, plan: dict[str, Any], run: BatchRun) -> None:
        before = plan["watermark"]
        for watermark, times in run.event_times.items():
            delay = delay_us(self._plan.watermarks[watermark].relation.with_watermark)
            reached = times.greatest // 1000 * 1000 - delay
            self._watermarks_us[watermark] = max(self._watermarks_us[watermark], reached)
        self._totals = [metrics.total for metrics in run.metrics]
        evicts = self._mode != COMPLETE and any(node.children[0].marks for node in self._plan.operators)
        self._empty_batch_needed = evicts and self.watermark_us > before
        self._late_us = before
        record = {"watermarks": self._watermarks_us, "held": before, "totals": self._totals}
        record["again"] = self._empty_batch_needed
        self._checkpoint.commit(number, run.state, record)
        for source, end in zip(self._sources, plan["end"], strict=True):
            source.commit(end)
        self._offsets = plan["end"]
        self._unfinished = None

    def _count(self, batch: Batch) -> int:
        """The rows of a batch; Sail counts those that it reads by itself."""
        if batch.rows is None:
            relation = relations_pb2.Relation()
            relation.aggregate.group_type = GROUP_BY
            relation.aggregate.input.CopyFrom(batch.relation)
            count = relation.aggregate.aggregate_expressions.add().unresolved_function
            count.function_name = "count"
            count.arguments.add().literal.integer = 1
            batch.rows = self._sail.run(relation).column(0)[0].as_py()
        return batch.rows

    def _progress(
        self,
        number: int,
        plan: dict[str, Any],
        rows_in: list[int],
        run: BatchRun,
        rows_out: int,
        began_ms: float,
        durations: dict[str, float],
        since_s: float | None,
        commit_ms: float,
    ) -> str:
        seconds = durations["triggerExecution"] / 1000
        query_id, run_id, name = self._identity
        sources = [
            shown.source(source.description, start, end, end, rows, since_s, seconds)
            for source, start, end, rows in zip(self._sources, plan["start"], plan["end"], rows_in, strict=True)
        ]
        times = shown.event_times(run.event_times, plan["watermark"]) if self._plan.watermarks else None
        return shown.progress(
            query_id=query_id,
            run_id=run_id,
            name=name,
            batch=number,
            began_ms=began_ms,
            durations_ms=durations,
            event_time=times,
            operators=[shown.operator(metrics, commit_ms) for metrics in run.metrics],
            sources=sources,
            sink=self._sink.description,
            rows_out=rows_out,
        )


class _Timed:
    """Adds the milliseconds of a block to a name."""

    def __init__(self, durations: dict[str, float], name: str) -> None:
        self._durations = durations
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = (time.perf_counter() - self._began) * 1000
        self._durations[self._name] = self._durations.get(self._name, 0.0) + spent
