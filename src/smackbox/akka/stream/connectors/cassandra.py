"""Cassandra as sources, flows and sinks, on a session of `cassandra-driver`.

    Cassandra.source(session, "SELECT * FROM ads.event WHERE day = %s", [day])      pages as they are wanted
    Cassandra.token_ranges(session, "ads", "event", parallelism=8)                 a whole table
    events.run_with(Cassandra.sink(session, prepared, bind=lambda e: (e.id, e.ts), parallelism=64), system)

The driver calls back on a thread of its own; results come to the stage in its turn. A page is fetched when the one
before is used up. Failures of statements fail the stream, unless the decider resumes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from smackbox.akka.stream.flow import Flow
from smackbox.akka.stream.sink import Sink
from smackbox.akka.stream.source import Source
from smackbox.akka.stream.stage import Stage

if TYPE_CHECKING:
    from cassandra.cluster import Session

T = TypeVar("T")

PAGE_ROWS = 1_000
TOKEN_MIN = -(2**63)
TOKEN_MAX = 2**63 - 1
"""Of the Murmur3 partitioner; the least token is no row's."""
BATCH_STATEMENTS = 100
BATCH_WITHIN_S = 0.1


class QuerySource(Stage):
    """The rows of one statement, page by page."""

    ins = 0

    def __init__(self, session: Session, statement: Any, parameters: Sequence[Any] | None) -> None:
        self._session = session
        self._statement = statement
        self._parameters = parameters
        self._rows: deque[Any] = deque()
        self._future: Any = None
        self._asking = False

    def on_pull(self) -> None:
        if self._rows:
            self._give()
        elif self._future is None:
            self._asking = True
            self._future = self._session.execute_async(self._statement, self._parameters)
            self._future.add_callbacks(self.callback(self._page), self.callback(self.fail_stage))
        elif not self._asking:
            self._asking = True
            self._future.start_fetching_next_page()

    def _page(self, rows: Iterable[Any] | None) -> None:
        self._asking = False
        self._rows.extend(rows or ())
        if self._rows:
            self._give()
        elif self._future.has_more_pages:
            self.on_pull()
        else:
            self.complete_stage()

    def _give(self) -> None:
        self.outlet.push(self._rows.popleft())
        if not self._rows and not self._future.has_more_pages:
            self.complete_stage()


class Cassandra:
    """Sources and sinks of Cassandra's tables."""

    @staticmethod
    def source(
        session: Session, statement: Any, parameters: Sequence[Any] | None = None, *, page: int = PAGE_ROWS
    ) -> Source[Any, None]:
        """The rows of a statement (text, or prepared), fetched `page` at a time as they are wanted."""
        return Source.of_stage(lambda _: (QuerySource(session, _paged(statement, page), parameters), None))

    @staticmethod
    def token_ranges(
        session: Session,
        keyspace: str,
        table: str,
        *,
        columns: str = "*",
        parallelism: int = 8,
        splits: int = 64,
        page: int = PAGE_ROWS,
    ) -> Source[Any, None]:
        """All rows of a table: `splits` ranges of tokens, `parallelism` at once. Raises `ValueError`."""
        if splits < 1:
            raise ValueError(f"a ring has at least one split, not {splits}")
        key = ", ".join(_quoted(column.name) for column in _table(session, keyspace, table).partition_key)
        query = (
            f"SELECT {columns} FROM {_quoted(keyspace)}.{_quoted(table)} "  # noqa: S608 - names are quoted
            f"WHERE token({key}) > %s AND token({key}) <= %s"
        )
        return Source.from_iterable(token_ranges(splits)).flat_map_merge(
            parallelism, lambda bounds: Cassandra.source(session, query, bounds, page=page)
        )

    @staticmethod
    def flow(
        session: Session, statement: Any, bind: Callable[[T], Sequence[Any]], parallelism: int = 64
    ) -> Flow[T, T, None]:
        """Executes `statement` for each element, up to `parallelism` at once, and gives elements on in order."""

        async def write(element: T) -> T:
            await executed(session, statement, bind(element))
            return element

        flow: Flow[T, T, None] = Flow()
        return flow.map_async(parallelism, write)

    @staticmethod
    def sink(
        session: Session, statement: Any, bind: Callable[[T], Sequence[Any]], parallelism: int = 64
    ) -> Sink[T, asyncio.Future[None]]:
        """The future is notified when all is written."""
        return Cassandra.flow(session, statement, bind, parallelism).to_mat(Sink.ignore(), lambda _, done: done)

    @staticmethod
    def batch_flow(
        session: Session,
        statement: Any,
        bind: Callable[[T], Sequence[Any]],
        partition: Callable[[T], Any],
        *,
        batch: int = BATCH_STATEMENTS,
        within_s: float = BATCH_WITHIN_S,
        parallelism: int = 16,
    ) -> Flow[T, T, None]:
        """Unlogged batches of what came within `within_s` for one partition, which one replica set takes as one write.

        The elements of a batch are given on together; those of one partition keep their order.
        """

        async def write(elements: list[T]) -> list[T]:
            from cassandra.query import BatchStatement, BatchType

            by_partition: dict[Any, list[T]] = {}
            for element in elements:
                by_partition.setdefault(partition(element), []).append(element)
            batches = []
            for group in by_partition.values():
                one = BatchStatement(BatchType.UNLOGGED)
                for element in group:
                    one.add(statement, bind(element))
                batches.append(executed(session, one, None))
            await asyncio.gather(*batches)
            return [element for group in by_partition.values() for element in group]

        flow: Flow[T, T, None] = Flow()
        groups = flow.grouped_within(batch * parallelism, within_s)
        return groups.map_async(1, write).map_concat(lambda elements: elements)


def token_ranges(splits: int) -> list[tuple[int, int]]:
    """The ring in `splits` ranges (over, up to and including) that cover each token once."""
    step = (TOKEN_MAX - TOKEN_MIN) // splits
    bounds = [TOKEN_MIN + step * place for place in range(splits)] + [TOKEN_MAX]
    return list(pairwise(bounds))


async def executed(session: Session, statement: Any, parameters: Sequence[Any] | None) -> Any:
    """The rows of a statement. Raises what the driver raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    session.execute_async(statement, parameters).add_callbacks(
        lambda rows: loop.call_soon_threadsafe(settle, rows, None),
        lambda error: loop.call_soon_threadsafe(settle, None, error),
    )
    return await done


def _paged(statement: Any, page: int) -> Any:
    if isinstance(statement, str):
        from cassandra.query import SimpleStatement

        return SimpleStatement(statement, fetch_size=page)
    statement.fetch_size = page
    return statement


def _table(session: Session, keyspace: str, table: str) -> Any:
    """Raises `LookupError` for a table that is not there."""
    found = session.cluster.metadata.keyspaces.get(keyspace)
    if found is None or table not in found.tables:
        raise LookupError(f"there is no table {keyspace}.{table}")
    return found.tables[table]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
