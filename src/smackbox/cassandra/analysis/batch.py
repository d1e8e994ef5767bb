"""BATCH from syntax to a plan."""

from __future__ import annotations

from collections.abc import Sequence

from smackbox.cassandra.analysis.terms import Compiler, Functions, Scope
from smackbox.cassandra.execution.batch import BatchPlan, check_batch
from smackbox.cassandra.execution.results import ColumnSpec
from smackbox.cassandra.execution.writes import ModificationPlan
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT


def plan_batch(
    batch: ast.Batch, modifications: Sequence[ModificationPlan], specs: list[ColumnSpec | None], functions: Functions
) -> BatchPlan:
    """`specs` describes the markers; the timestamp's marker is filled in here.

    Raises `Invalid` for a combination that Cassandra rejects.
    """
    check_batch(batch.kind, modifications)
    if batch.using.ttl is not None:
        raise Invalid("Global TTL on the BATCH statement is not supported.")
    if batch.using.timestamp is None:
        return BatchPlan(batch.kind, tuple(modifications))
    if batch.kind == "counter":
        raise Invalid("Cannot provide custom timestamp for counter BATCH")
    if any(modification.timestamp is not None for modification in modifications):
        raise Invalid("Timestamp must be set either on BATCH or individual statements")
    if any(modification.conditions for modification in modifications):
        raise Invalid("Cannot provide custom timestamp for conditional BATCH")
    if not modifications:
        return BatchPlan(batch.kind, ())
    scope = Scope(modifications[0].keyspace, modifications[0].table, len(specs), functions)
    timestamp = Compiler(scope).compile(batch.using.timestamp, BIGINT, "[timestamp]")
    for index, bind in enumerate(scope.binds):
        if bind is not None:
            specs[index] = ColumnSpec(bind.table.keyspace, bind.table.name, bind.name, bind.kind)
    return BatchPlan(batch.kind, tuple(modifications), timestamp)
