"""BATCH, as text and as the protocol's BATCH message: all of its writes go into one atomic batch of the store."""

from __future__ import annotations

from collections.abc import Sequence

from smackbox.cassandra.analysis.modify import PreparedModification
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.batch_size import check_size, writes_of
from smackbox.cassandra.execution.consistency import check_conditional, check_mutation
from smackbox.cassandra.execution.context import UNSET, Context
from smackbox.cassandra.execution.results import ColumnSpec, Result, Void
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.execution.transactions import applied_result
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT


class PreparedBatch:
    """BEGIN BATCH … APPLY BATCH, ready to run."""

    def __init__(
        self, batch: ast.Batch, modifications: list[PreparedModification], specs: list[ColumnSpec | None]
    ) -> None:
        """Raises `Invalid` for a combination that Cassandra refuses."""
        self.kind = batch.kind
        self.modifications = modifications
        self.timestamp: Term | None = None
        check_batch(batch.kind, modifications)
        if batch.using.ttl is not None:
            raise Invalid("Global TTL on the BATCH statement is not supported.")
        if batch.using.timestamp is not None:
            if batch.kind == "counter":
                raise Invalid("Cannot provide custom timestamp for counter BATCH")
            if any(modification.timestamp is not None for modification in modifications):
                raise Invalid("Timestamp must be set either on BATCH or individual statements")
            if any(modification.conditions for modification in modifications):
                raise Invalid("Cannot provide custom timestamp for conditional BATCH")
            if modifications:
                scope = Scope(modifications[0].scope.keyspace, modifications[0].table, len(specs))
                self.timestamp = Compiler(scope).compile(batch.using.timestamp, BIGINT, "[timestamp]")
                for index, bind in enumerate(scope.binds):
                    if bind is not None:
                        specs[index] = ColumnSpec(bind.table.keyspace, bind.table.name, bind.name, bind.kind)

    def execute(self, context: Context) -> Result:
        if self.timestamp is not None:
            value = self.timestamp.evaluate(context, None)
            if isinstance(value, bytes):
                context.timestamp_us = BIGINT.decode(value)
            elif value is not UNSET:
                raise Invalid("Invalid null value of timestamp")
        return execute_batch(self.kind, self.modifications, [context] * len(self.modifications), context)


def check_batch(kind: str, modifications: Sequence[PreparedModification]) -> None:
    """Raises `Invalid` for a mixture that Cassandra refuses."""
    counters = [modification.table.is_counter for modification in modifications]
    if kind == "counter" and not all(counters):
        raise Invalid("Cannot include non-counter statement in a counter batch")
    if kind == "logged" and any(counters):
        raise Invalid("Cannot include a counter statement in a logged batch")
    if any(counters) and not all(counters):
        raise Invalid("Counter and non-counter mutations cannot exist in the same batch")


def execute_batch(
    kind: str, modifications: Sequence[PreparedModification], contexts: Sequence[Context], context: Context
) -> Result:
    """Run the statements, each with its own values, with the timestamp of `context`; conditions first."""
    if any(modification.conditions for modification in modifications):
        return _conditional(modifications, contexts, context)
    engine = context.room.engine
    if any(modification.needs_row for modification in modifications):
        engine.flush()
    engine.begin()
    try:
        for modification, own in zip(modifications, contexts, strict=True):
            modification.write(own, context.timestamp_us)
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


def _conditional(
    modifications: Sequence[PreparedModification], contexts: Sequence[Context], context: Context
) -> Result:
    for modification in modifications:
        check_conditional(context, modification.table)
    first: tuple[str, bytes] | None = None
    for modification, own in zip(modifications, contexts, strict=True):
        for partition in modification.partitions(own):
            owner = (f"{modification.table.keyspace}.{modification.table.name}", partition)
            if first is None:
                first = owner
            elif owner[0] != first[0]:
                raise Invalid("Batch with conditions cannot span multiple tables")
            elif owner != first:
                raise Invalid("Batch with conditions cannot span multiple partitions")
    return applied_result(modifications, contexts, context, is_batch=True)
