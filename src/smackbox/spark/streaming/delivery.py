"""Where a batch's rows go: to a table, to other targets, or to both; each written again whole until it answers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from smackbox.net.tracing import Tracing
from smackbox.spark.streaming.checkpoint import Plan
from smackbox.spark.streaming.outputs.output import Output, OutputBatch
from smackbox.spark.streaming.patience import Patience
from smackbox.spark.streaming.table import Target


class Delivery:
    """`table` None: the outputs alone; `late` takes rows that came too late."""

    def __init__(
        self, patience: Patience, table: Target | None, outputs: Sequence[Output], late: Output | None = None
    ) -> None:
        self._patience = patience
        self.table = table
        self.outputs = tuple(outputs)
        self._late = late
        self._checkpoint = ""
        self.tracing: Tracing | None = None

    def open(self, checkpoint: str) -> None:
        """Connect to all; the checkpoint's id."""
        self._checkpoint = checkpoint
        if self.table is not None:
            self._patience.retry(self.table.open)
        for output in self._all:
            self._patience.retry(lambda output=output: output.open(checkpoint))  # type: ignore[misc]

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], plan: Plan, *, absolute: bool
    ) -> dict[int, str]:
        """Upsert rows of the table; those that it cannot hold, by index, with the reason."""
        table = self.table
        assert table is not None
        with self._writing():
            return self._patience.retry(lambda: table.write(columns, rows, plan.timestamp_us, absolute=absolute))

    def put(self, rows: Sequence[Any], plan: Plan) -> None:
        """Give a batch to the outputs, one after the other."""
        for output in self.outputs:
            self._put(output, rows, plan)

    def put_late(self, rows: Sequence[Any], plan: Plan) -> None:
        """Give rows that came too late to their target, where one is named."""
        if self._late is not None and rows:
            self._put(self._late, rows, plan)

    def close(self) -> None:
        """Release all."""
        if self.table is not None:
            self.table.close()
        for output in self._all:
            output.close()

    @property
    def _all(self) -> list[Output]:
        return [*self.outputs, *([self._late] if self._late is not None else [])]

    def _writing(self) -> AbstractContextManager[Any]:
        return self.tracing.step("write") if self.tracing is not None else nullcontext()

    def _put(self, output: Output, rows: Sequence[Any], plan: Plan) -> None:
        batch = OutputBatch(plan.batch, self._checkpoint, rows)
        with self._writing():
            self._patience.retry(lambda: output.put(batch))
