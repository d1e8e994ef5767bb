"""BATCH, as text and as the protocol's BATCH message: all of its writes go into one atomic batch of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smackbox.cassandra.execution.batch_size import check_size, writes_of
from smackbox.cassandra.execution.consistency import check_conditional, check_mutation
from smackbox.cassandra.execution.context import UNSET, Context
from smackbox.cassandra.execution.results import Result, Void
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.execution.transactions import applied_result
from smackbox.cassandra.execution.writes import ModificationPlan, partitions, write
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """BEGIN BATCH … APPLY BATCH, ready to run."""

    kind: str
    modifications: tuple[ModificationPlan, ...]
    timestamp: Term | None = None


def execute_batch_plan(plan: BatchPlan, context: Context) -> Result:
    """Execute a batch. Raises `Invalid`, `Unavailable` and `WriteFailure`."""
    if plan.timestamp is not None:
        value = plan.timestamp.evaluate(context, None)
        if isinstance(value, bytes):
            context.timestamp_us = BIGINT.decode(value)
        elif value is not UNSET:
            raise Invalid("Invalid null value of timestamp")
    return execute_batch(plan.kind, plan.modifications, [context] * len(plan.modifications), context)


def check_batch(kind: str, modifications: Sequence[ModificationPlan]) -> None:
    """Raises `Invalid` for a mixture of statements that Cassandra rejects."""
    counters = [modification.table.is_counter for modification in modifications]
    if kind == "counter" and not all(counters):
        raise Invalid("Cannot include non-counter statement in a counter batch")
    if kind == "logged" and any(counters):
        raise Invalid("Cannot include a counter statement in a logged batch")
    if any(counters) and not all(counters):
        raise Invalid("Counter and non-counter mutations cannot exist in the same batch")


def execute_batch(
    kind: str, modifications: Sequence[ModificationPlan], contexts: Sequence[Context], context: Context
) -> Result:
    """Run the statements, each with its own values, with the timestamp of `context`; conditions first."""
    if any(modification.conditions for modification in modifications):
        return _conditional(modifications, contexts, context)
    engine = context.state.engine
    if any(modification.needs_row for modification in modifications):
        engine.flush()
    engine.begin()
    try:
        for modification, own in zip(modifications, contexts, strict=True):
            write(modification, own, context.timestamp_us)
        if kind != "counter":
            tables = {modification.table.number: modification.table for modification in modifications}
            check_size(context, kind, writes_of(tables.values(), engine.staged()))
        for modification in modifications:
            check_mutation(context, modification.table)
    except BaseException:
        engine.abandon()
        raise
    engine.commit()
    return Void()


def _conditional(modifications: Sequence[ModificationPlan], contexts: Sequence[Context], context: Context) -> Result:
    for modification in modifications:
        check_conditional(context, modification.table)
    first: tuple[str, bytes] | None = None
    for modification, own in zip(modifications, contexts, strict=True):
        for partition in partitions(modification, own):
            owner = (f"{modification.table.keyspace}.{modification.table.name}", partition)
            if first is None:
                first = owner
            elif owner[0] != first[0]:
                raise Invalid("Batch with conditions cannot span multiple tables")
            elif owner != first:
                raise Invalid("Batch with conditions cannot span multiple partitions")
    return applied_result(modifications, contexts, context, is_batch=True)
