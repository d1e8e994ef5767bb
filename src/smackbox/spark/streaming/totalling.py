"""The user's function on the DataFrame of a batch: what it returns is joined with a table's totals, or as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from smackbox.base.errors import StartError
from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.delivery import Delivery
from smackbox.spark.streaming.engine import StreamEngine
from smackbox.spark.streaming.errors import AwayError, StreamError, UnfitEventsError
from smackbox.spark.streaming.patience import Patience
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.sift import sift
from smackbox.spark.streaming.totals import Totals
from smackbox.spark.streaming.work import Outcome

LoadTotals = Callable[[list[bytes]], list[bytes | None]]
"""Saved totals by their keys."""


class Result(NamedTuple):
    """What a batch makes of the totals: rows of `columns` to write, and the totals to save."""

    rows: list[list[Any]]
    totals: dict[bytes, bytes]
    columns: list[str]


class Totalling:
    """With a table among the targets, all get the new totals; without one, what the function made of the batch."""

    required: Sequence[str] = ()

    def __init__(
        self,
        settings: StreamSettings,
        event_type: type[msgspec.Struct],
        function: Callable[[Any], Any],
        delivery: Delivery,
        patience: Patience,
        engine: StreamEngine,
    ) -> None:
        self._settings = settings
        self._event_type = event_type
        self._function = function
        self._delivery = delivery
        self._patience = patience
        self._engine = engine
        self._totals: Totals | None = None

    def prepare(self, checkpoint: Checkpoint) -> None:
        settings, target = self._settings, self._delivery.table
        if target is not None:
            settings.check_division(target.key_types)
            table = f"{settings.keyspace}.{settings.table}"
            self._totals = Totals(table, target.key_types, target.value_types, settings.merge, target.partition_columns)

    def connect(self) -> Any:
        """The session. Raises `AwayError` where Spark does not answer."""
        from smackbox.spark.connect import is_away

        try:
            return self._engine.session()
        except Exception as error:
            if is_away(error) or isinstance(error, StartError):
                raise AwayError(f"Spark at {self._settings.spark} does not answer: {error}") from error
            raise

    def run(self, events: Mapping[str, list[Any]], plan: Plan, checkpoint: Checkpoint) -> Outcome:
        arrived = [event for events_of_one in events.values() for event in events_of_one]
        if not arrived:
            return Outcome()
        total = partial(self._total, checkpoint.totals)
        unfit: list[tuple[Any, str]] = []
        try:
            result = total(arrived)
        except UnfitEventsError as error:
            result, unfit = sift(arrived, total, error, self._patience.raise_if_stopping)
        rows, totals, columns = result
        if rows and self._delivery.table is not None:
            refused = self._delivery.write(columns, rows, plan, absolute=True)
            if refused:
                index, reason = next(iter(refused.items()))
                key = dict(zip(columns, rows[index], strict=True))
                raise StreamError(f"{self._settings.keyspace}.{self._settings.table} refuses {key}: {reason}")
        if self._delivery.outputs:
            self._delivery.put([dict(zip(columns, row, strict=True)) for row in rows], plan)
        return Outcome(len(rows), totals, unfit=unfit)

    def is_behind(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        return False

    def is_due(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        return False

    def _total(self, load: LoadTotals, events: list[Any]) -> Result:
        """Totals after a batch of `events`, from those that `load` reads; writes nothing. Raises `UnfitEventsError`."""
        from smackbox.spark.arrow_schema import events_to_arrow

        try:
            table = events_to_arrow(self._event_type, events)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UnfitEventsError(f"an Arrow batch cannot hold the event: {error}") from error
        result = self._patience.retry(lambda: self._call(table))
        columns = list(result.column_names)
        if self._totals is None:
            return Result([list(row.values()) for row in result.to_pylist()], {}, columns)
        self._totals.check(columns)
        self._totals.check_types({field.name: str(field.type) for field in result.schema})
        rows, totals = self._totals.apply(result.to_pylist(), columns, load)
        return Result(rows, totals, self._totals.written_columns(columns))

    def _call(self, table: Any) -> Any:
        from smackbox.spark.connect import is_away

        spark = self.connect()
        try:
            result = self._function(spark.createDataFrame(table))
            if not hasattr(result, "toArrow"):
                raise StreamError(
                    f"the function of {self._settings.name} must return a DataFrame, not {type(result).__name__}"
                )
            return result.toArrow()
        except StreamError:
            raise
        except Exception as error:
            if is_away(error):
                self._engine.lost()
                raise AwayError(f"Spark does not answer: {error}") from error
            raise UnfitEventsError(f"the function of stream {self._settings.name} failed: {error}") from error
