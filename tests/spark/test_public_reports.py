"""What public reports of Spark's connectors were about; docs/spark-reports.md says which test has each."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cassandra import OperationTimedOut, Unavailable
from pyspark.sql.datasource import In

from smackbox.spark import SparkContext
from smackbox.spark.cassandra_options import Options
from smackbox.spark.cassandra_source import PushingReader
from smackbox.spark.cql_filters import TableKeys, plan, restrictions
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_writer import CqlWriter


def test_pushed_keys_are_split_over_the_tasks() -> None:
    reader = PushingReader(Options({"keyspace": "ks", "table": "t", "splits": "4"}), ["a", "b"])
    types = {"a": "int", "b": "int"}
    filters = [In(("a",), tuple(range(10))), In(("b",), (1, 2))]
    reader._query = plan(restrictions(filters, types), TableKeys(types, ["a", "b"]))
    keys = [partition.keys for partition in reader.partitions()]
    assert len(keys) == 4
    assert max(map(len, keys)) == min(map(len, keys)) == 5
    assert sorted(key for part in keys for key in part) == [(a, b) for a in range(10) for b in (1, 2)]


class Store:
    """Answers of a driver's session, given when somebody waits for them; `failures` come first."""

    def __init__(self, failures: list[Exception] | None = None) -> None:
        self.open = 0
        self.most = 0
        self.asked: list[tuple[str, bytes | None]] = []
        self.failures = failures or []

    def execute_async(self, statement: str, *, execution_profile: str, paging_state: bytes | None) -> Any:
        self.asked.append((statement, paging_state))
        self.open += 1
        self.most = max(self.most, self.open)
        return SimpleNamespace(result=lambda: self._answer(statement, paging_state))

    def _answer(self, statement: str, state: bytes | None) -> Any:
        self.open -= 1
        if self.failures:
            raise self.failures.pop()
        page = 0 if state is None else int(state)
        return SimpleNamespace(current_rows=[(statement, page)], paging_state=None if page == 2 else b"%d" % (page + 1))


def session_on(store: Store) -> CqlSession:
    cql = object.__new__(CqlSession)
    cql.session = store
    return cql


def test_reads_on_their_way_are_bounded_and_come_in_order() -> None:
    store = Store()
    taken: list[int] = []
    found = session_on(store).pages_of((f"q{n}" for n in range(9)), concurrency=3, before=lambda: taken.append(1))
    assert [(number, rows) for number, rows in found] == [
        (number, [(f"q{number}", page)]) for number in range(9) for page in range(3)
    ]
    assert store.most == 3
    assert len(taken) == len(store.asked) == 27


@pytest.mark.parametrize("error", [OperationTimedOut(), Unavailable("away")])
def test_a_page_that_fails_is_asked_for_again_where_it_was(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smackbox.spark.cql_session.RETRY_S", 0.0)
    store = Store()
    pages = session_on(store).pages_of(["q"], concurrency=1, attempts=3)
    assert next(pages) == (0, [("q", 0)])
    store.failures = [error, error]
    assert list(pages) == [(0, [("q", 1)]), (0, [("q", 2)])]
    assert store.asked == [("q", None), ("q", b"1"), ("q", b"1"), ("q", b"1"), ("q", b"2")]
    store.failures = [error] * 3
    with pytest.raises(type(error)):
        list(session_on(store).pages_of(["q"], concurrency=1, attempts=3))


@pytest.mark.parametrize(("counts", "attempts"), [(False, 3), (True, 1)])
def test_upserts_are_tried_again_and_additions_to_counters_never(
    counts: bool, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smackbox.spark.cql_writer.RETRY_S", 0.0)
    writer = object.__new__(CqlWriter)
    writer._counts = counts
    tries: list[Any] = []

    def write(rows: Any) -> int:
        tries.append(rows)
        raise OperationTimedOut

    writer.write = write  # type: ignore[method-assign, assignment]
    with pytest.raises(OperationTimedOut):
        writer.write_with_patience([(1,)], 3)
    assert len(tries) == attempts


def test_the_values_of_a_hot_key_are_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.shuffle import ExternalGroupBy

    spilled: list[Any] = []
    spill: Callable[..., None] = ExternalGroupBy._spill

    def counted(self: Any) -> None:
        spilled.append(self)
        spill(self)

    monkeypatch.setattr(ExternalGroupBy, "_spill", counted)
    with SparkContext("local[1]") as sc:
        sc._worker_memory_mb = 1
        pairs = sc.range(150_000, numSlices=2).map(lambda number: ("hot", f"{number:080}"))
        assert pairs.groupByKey().mapValues(lambda values: sum(map(int, values))).collect() == [
            ("hot", sum(range(150_000)))
        ]
    assert spilled
