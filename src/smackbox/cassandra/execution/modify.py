"""Executes INSERT, UPDATE and DELETE: as blind writes, or with IF as lightweight transactions."""

from __future__ import annotations

from smackbox.cassandra.execution.consistency import check_conditional, check_write
from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.execution.results import Result, Void
from smackbox.cassandra.execution.transactions import applied_result
from smackbox.cassandra.execution.writes import ModificationPlan, write


def execute_modification(plan: ModificationPlan, context: Context) -> Result:
    """Execute a modification. Raises `Invalid`, `Unavailable` and `WriteFailure`."""
    if plan.conditions:
        check_conditional(context, plan.table)
        return applied_result([plan], [context], context, is_batch=False)
    check_write(context, plan.table)
    if not plan.writes_several:
        write(plan, context, context.timestamp_us)
        return Void()
    engine = context.state.engine
    engine.begin()
    try:
        write(plan, context, context.timestamp_us)
    except BaseException:
        engine.abandon()
        raise
    engine.commit()
    return Void()
