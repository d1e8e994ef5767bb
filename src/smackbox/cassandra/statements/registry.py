"""Compiles statements, and caches them by text until the schema changes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from smackbox.cassandra.analysis.batch import plan_batch
from smackbox.cassandra.analysis.functions import FUNCTIONS
from smackbox.cassandra.analysis.modification import plan_modification
from smackbox.cassandra.analysis.select import plan_select
from smackbox.cassandra.analysis.terms import Scope
from smackbox.cassandra.execution.access import Access
from smackbox.cassandra.execution.batch import BatchPlan, execute_batch_plan
from smackbox.cassandra.execution.binder import Binder, insert_binder
from smackbox.cassandra.execution.consistency import served_levels
from smackbox.cassandra.execution.context import Context, ServerState
from smackbox.cassandra.execution.modify import execute_modification
from smackbox.cassandra.execution.point_read import PointRead, point_read
from smackbox.cassandra.execution.restrictions import Restrictions
from smackbox.cassandra.execution.results import ColumnSpec, Result
from smackbox.cassandra.execution.select import SelectPlan, execute_select
from smackbox.cassandra.execution.writes import ModificationPlan
from smackbox.cassandra.state.prepared_rows import PreparedRows
from smackbox.cassandra.statements.authorization import access_of
from smackbox.cassandra.statements.definitions import definition, no_keyspace
from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.parser import parse
from smackbox.cassandra.wire.errors import CqlError, Invalid, SyntaxFault, Unprepared

STATEMENT_CACHE_LIMIT = 4096
PREPARED_LIMIT = 16_384

Plan = SelectPlan | ModificationPlan | BatchPlan


class Statement:
    """A compiled statement. `run` executes it; bind markers and result columns are its metadata.

    For a prepared statement, `insert` and `point` find the row of a plain INSERT or of a SELECT by a whole key in the
    bytes of a request; `levels` are the consistency levels that need no further check for it.
    """

    __slots__ = (
        "_plan",
        "_schema",
        "access",
        "binds",
        "generation",
        "heads",
        "insert",
        "keyspace",
        "levels",
        "modification",
        "partition_key_binds",
        "point",
        "result_columns",
        "result_id",
        "run",
        "select",
        "statement_id",
        "text",
    )

    def __init__(
        self, text: str, keyspace: str | None, generation: int, binds: Sequence[ColumnSpec],
        partition_key_binds: Sequence[int], plan: Plan | None, run: Callable[[Context], Result],
        access: tuple[Access, ...],
    ) -> None:  # fmt: skip
        self.text = text
        self.keyspace = keyspace
        self.generation = generation
        self.binds = binds
        self.partition_key_binds = partition_key_binds
        self.run = run
        self.access = access
        self.statement_id = b""
        self._plan = plan
        self._schema = ""
        self.heads: dict[int, bytes] = {}
        self.levels: frozenset[int] = frozenset()
        self.insert: Binder | None = None
        self.point: PointRead | None = None
        self.modification = plan if isinstance(plan, ModificationPlan) else None
        self.select = plan if isinstance(plan, SelectPlan) else None
        self.result_columns: Sequence[ColumnSpec] = self.select.columns if self.select is not None else ()
        described = "".join(
            f"{spec.keyspace}.{spec.table}.{spec.name} {spec.kind.cql};" for spec in self.result_columns
        )
        self.result_id = hashlib.md5(described.encode(), usedforsecurity=False).digest()

    @property
    def schema(self) -> str:
        """A digest of the schema that a prepared statement depends on: as in Cassandra, a change makes it
        unprepared.
        """
        if not self._schema:
            self._schema = _schema_of(self._plan)
        return self._schema


class Statements:
    """The cache of parsed statements, by keyspace and text, and of prepared ones, by id."""

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self._cache: OrderedDict[tuple[str | None, str], Statement] = OrderedDict()
        self.prepared: OrderedDict[bytes, Statement] = OrderedDict()
        self.kept = PreparedRows(state.engine, PREPARED_LIMIT)
        state.system_rows.add("system", "prepared_statements", self.kept.rows)
        self.texts_executed = 0
        self.prepared_executed = 0
        self.prepared_evicted = 0

    def statement(self, text: str, keyspace: str | None) -> Statement:
        """The compiled statement. Raises `SyntaxFault` and `Invalid`."""
        key = (keyspace, text)
        statement = self._cache.get(key)
        if statement is not None and statement.generation == self.state.catalog.generation:
            return statement
        statement = self._understand(text, keyspace)
        if len(self._cache) >= STATEMENT_CACHE_LIMIT:
            self._cache.popitem(last=False)
        self._cache[key] = statement
        return statement

    def prepare(self, text: str, keyspace: str | None) -> Statement:
        statement = self.statement(text, keyspace)
        if not statement.statement_id:
            kinds = [bind.kind for bind in statement.binds]
            plan = statement.modification or statement.select
            if plan is not None:
                owner = self.state.catalog.keyspace(plan.table.keyspace)
                statement.levels = served_levels(owner, self.state.system_rows.node.data_center)
            if statement.modification is not None:
                statement.insert = insert_binder(statement.modification, kinds)
            elif statement.select is not None:
                statement.point = point_read(statement.select, kinds)
            statement.statement_id = hashlib.md5(((keyspace or "") + text).encode(), usedforsecurity=False).digest()
        if statement.statement_id not in self.prepared and len(self.prepared) >= PREPARED_LIMIT:
            self.prepared.popitem(last=False)
            self.prepared_evicted += 1
        self.prepared[statement.statement_id] = statement
        return statement

    def by_id(self, statement_id: bytes) -> Statement:
        """The prepared statement of that id. Raises `Unprepared` if it is unknown, or its table has changed since.

        The client must then prepare it again, as its column metadata may be stale.
        """
        known = self.prepared.get(statement_id)
        if known is not None and known.generation == self.state.catalog.generation:
            return known
        if known is not None:
            text, keyspace, schema = known.text, known.keyspace, known.schema
        else:
            record = self.kept.find(statement_id)
            if record is None:
                raise Unprepared(statement_id)
            text, keyspace, schema = record.text, record.keyspace, record.schema
        try:
            again = self.statement(text, keyspace)
        except CqlError as error:
            self._forget(statement_id)
            raise Unprepared(statement_id) from error
        if again.schema != schema:
            self._forget(statement_id)
            raise Unprepared(statement_id)
        return self.prepare(text, keyspace)

    def _forget(self, statement_id: bytes) -> None:
        self.prepared.pop(statement_id, None)
        self.kept.forget(statement_id)

    def _understand(self, text: str, keyspace: str | None) -> Statement:
        parsed, markers = parse(text)
        _check_markers(markers)
        binds: Sequence[ColumnSpec] = ()
        partition_key_binds: Sequence[int] = ()
        plan: Plan | None = None
        run: Callable[[Context], Result]
        if isinstance(parsed, ast.Select):
            scope = self._scope(parsed.keyspace or keyspace, parsed.table, len(markers))
            plan = plan_select(parsed, scope)
            run = partial(execute_select, plan)
        elif isinstance(parsed, ast.Insert | ast.Update | ast.Delete):
            scope = self._scope(parsed.keyspace or keyspace, parsed.table, len(markers))
            plan = plan_modification(parsed, scope)
            run = partial(execute_modification, plan)
        elif isinstance(parsed, ast.Batch):
            binds, plan = self._batch(keyspace, parsed, len(markers))
            run = partial(execute_batch_plan, plan)
        elif markers:
            raise SyntaxFault("bind markers are not allowed in this statement")
        else:
            run = definition(parsed, keyspace, self.state)
        if isinstance(plan, SelectPlan | ModificationPlan):
            binds, partition_key_binds = _bind_specs(scope), _partition_key_binds(plan.restrictions)
        access = access_of(parsed, keyspace, self.state.catalog)
        generation = self.state.catalog.generation
        return Statement(text, keyspace, generation, binds, partition_key_binds, plan, run, access)

    def _batch(self, keyspace: str | None, parsed: ast.Batch, bind_count: int) -> tuple[list[ColumnSpec], BatchPlan]:
        specs: list[ColumnSpec | None] = [None] * bind_count
        modifications = []
        for inner in parsed.statements:
            scope = self._scope(inner.keyspace or keyspace, inner.table, bind_count)
            modifications.append(plan_modification(inner, scope))
            for index, bind in enumerate(scope.binds):
                if bind is not None:
                    specs[index] = ColumnSpec(bind.table.keyspace, bind.table.name, bind.name, bind.kind)
        plan = plan_batch(parsed, modifications, specs, FUNCTIONS)
        return [spec for spec in specs if spec is not None], plan

    def _scope(self, keyspace: str | None, table: str, bind_count: int) -> Scope:
        if keyspace is None:
            raise no_keyspace()
        owner_table = self.state.catalog.table(keyspace, table)
        return Scope(self.state.catalog.keyspace(keyspace), owner_table, bind_count, FUNCTIONS)


def _schema_of(plan: Plan | None) -> str:
    tables = []
    if isinstance(plan, BatchPlan):
        tables = [modification.table for modification in plan.modifications]
    elif plan is not None:
        tables = [plan.table]
    relied_on = []
    for table in tables:
        columns = [(column.name, column.kind, column.position, column.type.java) for column in table.columns]
        indexes = [(index.name, index.kind, sorted(index.options.items())) for index in table.indexes]
        relied_on.append((str(table.id), columns, indexes, table.default_ttl, table.gc_grace_seconds))
    return hashlib.md5(repr(relied_on).encode(), usedforsecurity=False).hexdigest()


def _check_markers(markers: Sequence[ast.Bind]) -> None:
    if len(markers) > 65_535:
        raise Invalid(f"Too many markers(?). {len(markers)} markers exceed the allowed maximum of 65535")


def _bind_specs(scope: Scope) -> list[ColumnSpec]:
    specs = []
    for bind in scope.binds:
        if bind is None:
            raise Invalid("a bind marker stands where no value can be")
        specs.append(ColumnSpec(bind.table.keyspace, bind.table.name, bind.name, bind.kind))
    return specs


def _partition_key_binds(restrictions: Restrictions) -> list[int]:
    """The markers of the partition key, so that a client can route by it; empty unless all its parts are markers."""
    markers = []
    for column in restrictions.table.partition_key:
        restriction = restrictions.partition.get(column.name)
        if restriction is None or restriction.operator != "=" or restriction.term is None:
            return []
        if restriction.term.bind_index < 0:
            return []
        markers.append(restriction.term.bind_index)
    return markers
