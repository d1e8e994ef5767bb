"""INSERT, UPDATE and DELETE from syntax to a plan."""

from __future__ import annotations

from dataclasses import replace

from smackbox.cassandra.analysis.conditions import compile_conditions
from smackbox.cassandra.analysis.operations import assign, deletion, operation
from smackbox.cassandra.analysis.restrictions import analyse
from smackbox.cassandra.analysis.terms import Compiler, Scope
from smackbox.cassandra.execution.conditions import Conditions
from smackbox.cassandra.execution.operations import Operation
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.terms import Term
from smackbox.cassandra.execution.writes import JsonRow, ModificationPlan
from smackbox.cassandra.state.columns import CLUSTERING, PARTITION_KEY, REGULAR, STATIC
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.errors import Invalid
from smackbox.cassandra.wire.types import BIGINT, INT, TEXT, CqlType


def plan_modification(statement: ast.Modification, scope: Scope) -> ModificationPlan:
    """Plan an INSERT, UPDATE or DELETE. Raises `Invalid` for a statement that cannot be executed."""
    table = scope.table
    if table.is_view:
        raise Invalid("Cannot directly modify a materialized view")
    if table.virtual:
        raise Invalid(f"Modification is not supported by table {table.keyspace}.{table.name}")
    compiler = Compiler(scope)
    operations: list[Operation] = []
    json: JsonRow | None = None
    if isinstance(statement, ast.Insert):
        kind = "insert"
        conditions = Conditions(not_exists=statement.if_not_exists)
        restrictions, json = _inserted_row(statement, compiler, operations)
    else:
        if isinstance(statement, ast.Update):
            kind = "update"
            operations += [operation(compiler, assignment) for assignment in statement.assignments]
        else:
            kind = "delete"
            operations += [deletion(compiler, target) for target in statement.targets]
        restrictions = analyse(statement.where, scope, kind=kind.upper())
        conditions = compile_conditions(statement.conditions, compiler, if_exists=statement.if_exists)
    timestamp = _using(compiler, statement.using.timestamp, "timestamp", BIGINT)
    ttl = _using(compiler, statement.using.ttl, "TTL", INT)
    if table.is_counter and conditions:
        raise Invalid("Conditions on counters are not supported")
    kinds = {effect.column.kind for effect in operations}
    plan = ModificationPlan(
        kind,
        scope.keyspace,
        table,
        restrictions,
        tuple(operations),
        conditions,
        timestamp,
        ttl,
        json,
        refuses_ranges=False,
        touches_static=STATIC in kinds,
        touches_regular=REGULAR in kinds,
        needs_row=any(effect.needs_row for effect in operations),
        writes_several=json is not None
        or restrictions.key_has_in
        or {STATIC, REGULAR} <= kinds
        or any(effect.operator == "IN" for effect in restrictions.clustering),
    )
    if json is None and _deletes_named_rows(plan):
        plan = replace(plan, refuses_ranges=True)
    if conditions and timestamp is not None:
        raise Invalid("Cannot provide custom timestamp for conditional updates")
    return plan


def _using(compiler: Compiler, value: ast.Expression | None, name: str, kind: CqlType) -> Term | None:
    """Plan USING TIMESTAMP or TTL."""
    if value is None:
        return None
    if compiler.scope.table.is_counter:
        raise Invalid(f"Cannot provide custom {name} for counter updates")
    return compiler.compile(value, kind, f"[{name.lower()}]")


def _inserted_row(
    statement: ast.Insert, compiler: Compiler, operations: list[Operation]
) -> tuple[Restrictions, JsonRow | None]:
    """The row's key, or its JSON document; the values of the other columns become operations."""
    table = compiler.scope.table
    if table.is_counter:
        raise Invalid("INSERT statements are not allowed on counter tables, use UPDATE instead")
    if statement.json is not None:
        document = compiler.compile(statement.json, TEXT, "[json]")
        return Restrictions(table, {}, (), False, False), JsonRow(document, statement.default_unset)
    if len(statement.columns) != len(statement.values):
        raise Invalid("Unmatched column names/values")
    if len(set(statement.columns)) != len(statement.columns):
        raise Invalid("The column names contains duplicates")
    relations = []
    for name, value in zip(statement.columns, statement.values, strict=True):
        column = table.column(name)
        if column.kind in {PARTITION_KEY, CLUSTERING}:
            relations.append(ast.Relation((name,), "=", value))
        else:
            operations.append(assign(compiler, column, value))
    missing = [
        column.name
        for column in table.partition_key
        if all(relation.columns != (column.name,) for relation in relations)
    ]
    if missing:
        raise Invalid(f"Some partition key parts are missing: {', '.join(missing)}")
    return analyse(relations, compiler.scope, kind="INSERT"), None


def _deletes_named_rows(plan: ModificationPlan) -> bool:
    """Whether it deletes columns of rows that must be named individually.

    Raises `Invalid` for a key that the statement must not have.
    """
    restrictions = plan.restrictions
    table = plan.table
    sliced = any(restriction.operator not in {"=", "IN"} for restriction in restrictions.clustering)
    if restrictions.filters:
        column = restrictions.filters[0].column
        raise Invalid(f"Non PRIMARY KEY columns found in where clause: {column.name} ")
    if restrictions.key_has_in and plan.conditions:
        raise Invalid(f"IN on the partition key is not supported with conditional {plan.kind}s")
    of_rows = any(column.kind == REGULAR for column in plan.conditions.columns)
    if not restrictions.clustering_is_whole:
        only_static = _is_of_statics(plan)
        if of_rows and plan.kind == "update" and not sliced:
            raise Invalid(_missing_clustering(plan))
        if plan.conditions and plan.kind == "delete" and (of_rows or plan.touches_regular) and table.clustering:
            of_statics = plan.touches_static and not plan.touches_regular
            purpose = "use IF condition on non static columns" if of_statics else "delete non static columns"
            raise Invalid(
                f"DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to {purpose}"
            )
        if plan.kind == "delete" and not plan.operations:
            if plan.conditions and table.clustering:
                raise Invalid(
                    "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order "
                    "to delete non static columns"
                )
            return False
        if only_static and not restrictions.clustering:
            return False
        if plan.kind == "insert" and not table.clustering:
            return False
        if plan.kind == "insert" and not plan.operations and table.has_statics and not restrictions.clustering:
            raise Invalid(_missing_clustering(plan))
        if sliced and plan.kind == "update":
            raise Invalid(
                f"Slice restrictions are not supported on the clustering columns in {plan.kind.upper()} statements"
            )
        if only_static and plan.kind in {"delete", "update"}:
            raise Invalid(
                "Invalid restrictions on clustering columns since the "
                f"{plan.kind.upper()} statement modifies only static columns"
            )
        if plan.kind == "delete":
            return True
        raise Invalid(_missing_clustering(plan))
    if sliced and plan.kind == "update":
        raise Invalid("Slice restrictions are not supported on the clustering columns in UPDATE statements")
    if plan.conditions and any(restriction.operator == "IN" for restriction in restrictions.clustering):
        raise Invalid(
            "IN on the clustering key columns is not supported with conditional updates"
            if plan.kind == "update"
            else "IN on the clustering key columns is not supported with conditional deletions"
        )
    if plan.kind in {"update", "delete"} and _is_of_statics(plan) and table.clustering:
        raise Invalid(
            "Invalid restrictions on clustering columns since the "
            f"{plan.kind.upper()} statement modifies only static columns"
        )
    return False


def _is_of_statics(plan: ModificationPlan) -> bool:
    """Whether the statement writes static columns only and its conditions need no row."""
    conditions = plan.conditions.columns
    deletes_row = plan.kind == "delete" and not plan.operations
    needs_row = plan.touches_regular or deletes_row or any(column.kind == REGULAR for column in conditions)
    return not needs_row and (plan.touches_static or bool(conditions))


def _missing_clustering(plan: ModificationPlan) -> str:
    restricted = {column.name for restriction in plan.restrictions.clustering for column in restriction.columns}
    missing = [column.name for column in plan.table.clustering if column.name not in restricted]
    return f"Some clustering keys are missing: {', '.join(missing)}"
