"""A program over event time on the events of a batch: its state is committed with the batch's offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import msgspec

from smackbox.base.errors import SmackError
from smackbox.base.settings import near
from smackbox.flow.builder import WINDOW_COLUMNS, Flow
from smackbox.flow.errors import FlowFunctionError, FlowResultError, FlowStateError
from smackbox.flow.lookups import Reader
from smackbox.flow.program import Output as FlowOutput
from smackbox.flow.program import Program
from smackbox.flow.state import StateView
from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.delivery import Delivery
from smackbox.spark.streaming.errors import StreamError, UnfitEventsError
from smackbox.spark.streaming.patience import Patience
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.sift import PROBES, sift
from smackbox.spark.streaming.work import Outcome

Event = tuple[str, Any]
"""The source of an event, and the event."""


class Flowing:
    """Rows of the flow's last step. A table gets them as upserts; of the window's columns those that it has."""

    required: Sequence[str] = ()

    def __init__(
        self,
        settings: StreamSettings,
        flow: Flow,
        delivery: Delivery,
        patience: Patience,
        readers: Mapping[str, Reader],
    ) -> None:
        self._settings = settings
        self._flow = flow
        self._delivery = delivery
        self._patience = patience
        self._readers = readers
        divided_by = settings.divided_by if flow.keys is not None else None
        self._program = Program(flow, readers, divided_by=divided_by)
        self._columns: list[str] = []
        self._is_dirty = False
        self._is_behind: bool | None = None
        """None: not known, for the batches before were another process'."""

    def prepare(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.flow_state()
        try:
            self._program.check(state)
        except FlowStateError as error:
            raise StreamError(f"stream {self._settings.name}: {error}") from error
        self._is_dirty = bool(state.changes)
        target = self._delivery.table
        if target is None:
            return
        if self._flow.keys is not None:
            self._settings.check_division(target.key_types)
        table = f"{self._settings.keyspace}.{self._settings.table}"
        known = [*target.key_types, *target.value_types]
        fields = self._flow.rows.__struct_fields__
        for name in fields:
            if name not in known and name not in WINDOW_COLUMNS:
                raise StreamError(f"{table} has no column {name!r}{near(name, known)}")
        for name in target.key_types:
            if name not in fields:
                raise StreamError(
                    f"the rows lack {name!r}, a part of the primary key of {table}; they have {', '.join(fields)}"
                )
        self._columns = [name for name in fields if name in known]

    def run(self, events: Mapping[str, list[Any]], plan: Plan, checkpoint: Checkpoint) -> Outcome:
        arrived = [(source, event) for source, found in events.items() for event in found]
        work = partial(self._process, checkpoint, plan)
        unfit: list[tuple[Any, str]] = []
        try:
            output, state = work(arrived)
        except UnfitEventsError as error:
            (output, state), refused = sift(arrived, work, error, self._patience.raise_if_stopping)
            if isinstance(error.__cause__, FlowFunctionError) and len(refused) == len(arrived) >= PROBES:
                raise  # it is not the events
            unfit = [(event, reason) for (_, event), reason in refused]
        self._is_behind = output.is_behind
        self._write(output.rows, plan)
        self._delivery.put_late(output.late, plan)
        if self._is_dirty:
            self._program.check(state)
            self._is_dirty = False
        return Outcome(
            len(output.rows), {}, state.changes, unfit, len(output.late), output.duplicates, output.watermark_ms
        )

    def is_behind(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        if self._is_behind is None:
            self._is_behind = self._program.is_behind(checkpoint.flow_state(), now_ms)
        return self._is_behind

    def is_due(self, checkpoint: Checkpoint, now_ms: int) -> bool:
        return self._program.is_due(checkpoint.flow_state(), now_ms, checkpoint.began_ms)

    def _process(self, checkpoint: Checkpoint, plan: Plan, events: list[Event]) -> tuple[FlowOutput, StateView]:
        by_source: dict[str, list[Any]] = {}
        for source, event in events:
            by_source.setdefault(source, []).append(event)

        def attempt() -> tuple[FlowOutput, StateView]:
            state = checkpoint.flow_state()
            return self._program.run(by_source, state, plan.now_ms, plan.since_ms), state

        try:
            output, changed = self._patience.retry(attempt)
        except FlowFunctionError as error:
            raise UnfitEventsError(f"the functions of stream {self._settings.name}: {error}") from error
        except (FlowStateError, FlowResultError) as error:
            raise StreamError(f"stream {self._settings.name}: {error}") from error
        except SmackError:
            raise
        except (ArithmeticError, ValueError, TypeError, msgspec.MsgspecError) as error:
            raise UnfitEventsError(f"the event cannot be processed: {type(error).__name__}: {error}") from error
        if not self._program.gives_later:
            self._check_keys(output.rows)
        return output, changed

    def _check_keys(self, rows: Sequence[Any]) -> None:
        """Rows that events of this batch made must have the table's key, or these events are unfit."""
        if self._delivery.table is None:
            return
        for name in self._delivery.table.key_types:
            if any(getattr(row, name) is None for row in rows):
                raise UnfitEventsError(f"{name} is null and a part of the primary key of {self._settings.table}")

    def _write(self, rows: Sequence[Any], plan: Plan) -> None:
        if rows and self._delivery.table is not None:
            get = attrgetter(*self._columns)
            # of two rows with one key the later one holds, whatever the order in which they are written
            keys = attrgetter(*self._delivery.table.key_types)
            latest = list({keys(row): row for row in rows}.values())
            values = [get(row) if len(self._columns) > 1 else (get(row),) for row in latest]
            refused = self._delivery.write(self._columns, values, plan, absolute=True)
            if refused:
                index, reason = next(iter(refused.items()))
                raise StreamError(f"{self._settings.keyspace}.{self._settings.table} refuses {latest[index]}: {reason}")
        self._delivery.put(rows, plan)
