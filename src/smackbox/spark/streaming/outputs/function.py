"""A function of the user as a target: `function(batch, rows)`, at least once, as Spark's `foreachBatch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.base.errors import SmackError
from smackbox.spark.streaming.errors import StreamError
from smackbox.spark.streaming.outputs.output import OutputBatch


class FunctionOutput:
    """`batch` is the same number when a batch is repeated; what it has done by then is the function's to find out."""

    def __init__(self, function: Callable[[int, list[Any]], Any]) -> None:
        self._function = function

    def open(self, checkpoint: str) -> None: ...

    def put(self, batch: OutputBatch) -> None:
        try:
            self._function(batch.number, list(batch.rows))
        except SmackError:
            raise
        except Exception as error:
            name = getattr(self._function, "__name__", type(self._function).__name__)
            raise StreamError(f"the target {name} failed on batch {batch.number}: {error!r}") from error

    def close(self) -> None: ...
