"""Programs of transformations that Hypothesis makes: the engine and plain lists give the same rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smackbox.spark.rdd.context import SparkContext

PAIRS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-99, 99)), max_size=30)
PARTS = st.integers(1, 5)


@pytest.fixture(scope="module", params=["local[1]", "local[2]"])
def sc(request: pytest.FixtureRequest) -> Iterator[SparkContext]:
    with SparkContext(request.param) as context:
        yield context


def grouped(rows: list[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for key, value in rows:
        found[key].append(value)
    return found


def joined(left: list[Any], right: list[Any], *, keep_left: bool = False, keep_right: bool = False) -> list[Any]:
    lefts, rights = grouped(left), grouped(right)
    rows: list[Any] = []
    for key in {*lefts, *rights}:
        ours = lefts.get(key) or ([None] if keep_right else [])
        theirs = rights.get(key) or ([None] if keep_left else [])
        rows += [(key, pair) for pair in product(ours, theirs)]
    return rows


def plus(a: int, b: int) -> int:
    return a + b


# name -> (on an RDD of pairs and another, on lists of them); each gives pairs of integers again
STEPS: dict[str, tuple[Callable[[Any, Any, int], Any], Callable[[list[Any], list[Any]], list[Any]]]] = {
    "map": (lambda r, o, n: r.map(lambda p: (p[1] % 5, p[0])), lambda r, o: [(v % 5, k) for k, v in r]),
    "filter": (lambda r, o, n: r.filter(lambda p: p[1] > 0), lambda r, o: [p for p in r if p[1] > 0]),
    "flatMap": (
        lambda r, o, n: r.flatMap(lambda p: [p] * (p[1] % 3)),
        lambda r, o: [p for p in r for _ in range(p[1] % 3)],
    ),
    "mapValues": (lambda r, o, n: r.mapValues(lambda v: v + 1), lambda r, o: [(k, v + 1) for k, v in r]),
    "reduceByKey": (
        lambda r, o, n: r.reduceByKey(plus, n),
        lambda r, o: [(k, sum(vs)) for k, vs in grouped(r).items()],
    ),
    "groupByKey": (
        lambda r, o, n: r.groupByKey(n).mapValues(lambda vs: sum(vs) * len(vs)),
        lambda r, o: [(k, sum(vs) * len(vs)) for k, vs in grouped(r).items()],
    ),
    "aggregateByKey": (
        lambda r, o, n: r.aggregateByKey(0, lambda a, v: a + v * v, plus, n),
        lambda r, o: [(k, sum(v * v for v in vs)) for k, vs in grouped(r).items()],
    ),
    "foldByKey": (lambda r, o, n: r.foldByKey(0, plus, n), lambda r, o: [(k, sum(vs)) for k, vs in grouped(r).items()]),
    "distinct": (lambda r, o, n: r.distinct(n), lambda r, o: list(set(r))),
    "union": (lambda r, o, n: r.union(o), lambda r, o: r + o),
    "intersection": (lambda r, o, n: r.intersection(o), lambda r, o: list(set(r) & set(o))),
    "subtract": (lambda r, o, n: r.subtract(o, n), lambda r, o: [p for p in r if p not in set(o)]),
    "subtractByKey": (lambda r, o, n: r.subtractByKey(o, n), lambda r, o: [p for p in r if p[0] not in dict(o)]),
    "sortBy": (lambda r, o, n: r.sortBy(lambda p: p, numPartitions=n), lambda r, o: sorted(r)),
    "repartition": (lambda r, o, n: r.repartition(n), lambda r, o: r),
    "coalesce": (lambda r, o, n: r.coalesce(n), lambda r, o: r),
    "partitionBy": (lambda r, o, n: r.partitionBy(n), lambda r, o: r),
    "cache": (lambda r, o, n: r.cache(), lambda r, o: r),
}
BOUND = 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    left=PAIRS,
    right=PAIRS,
    cuts=st.tuples(PARTS, PARTS),
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), PARTS), max_size=5),
)
def test_programs(sc: SparkContext, left: list[Any], right: list[Any], cuts: tuple[int, int], steps: list[Any]) -> None:
    rdd, other, rows = sc.parallelize(left, cuts[0]), sc.parallelize(right, cuts[1]), left
    for name, parts in steps:
        on_rdd, on_list = STEPS[name]
        rdd, rows = on_rdd(rdd, other, parts), on_list(rows, right)
    assert Counter(rdd.collect()) == Counter(rows)
    assert rdd.count() == len(rows)
    values = rdd.values()
    assert values.fold(0, plus) == values.aggregate(0, plus, plus) == sum(v for _, v in rows)
    assert rdd.top(3) == sorted(rows, reverse=True)[:3]
    assert rdd.takeOrdered(3) == sorted(rows)[:3]
    assert rdd.countByKey() == Counter(k for k, _ in rows)
    assert len(rdd.take(4)) == min(4, len(rows))
    assert [n for _, n in rdd.zipWithIndex().collect()] == list(range(len(rows)))
    if rows:
        assert values.reduce(plus) == reduce(plus, (v for _, v in rows))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(left=PAIRS, right=PAIRS, parts=PARTS)
def test_joins(sc: SparkContext, left: list[Any], right: list[Any], parts: int) -> None:
    ours, theirs = sc.parallelize(left, parts), sc.parallelize(right, 2)
    assert Counter(ours.join(theirs, parts).collect()) == Counter(joined(left, right))
    assert Counter(ours.leftOuterJoin(theirs).collect()) == Counter(joined(left, right, keep_left=True))
    assert Counter(ours.rightOuterJoin(theirs).collect()) == Counter(joined(left, right, keep_right=True))
    both = joined(left, right, keep_left=True, keep_right=True)
    assert Counter(ours.fullOuterJoin(theirs).collect()) == Counter(both)
    groups = {key: (sorted(a), sorted(b)) for key, (a, b) in ours.cogroup(theirs).collect()}
    keys = {key for key, _ in left + right}
    assert groups == {key: (sorted(grouped(left)[key]), sorted(grouped(right)[key])) for key in keys}
    assert Counter(ours.cartesian(theirs).collect()) == Counter(product(left, right))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.integers(), max_size=50), parts=PARTS, ascending=st.booleans())
def test_orders(sc: SparkContext, rows: list[int], parts: int, ascending: bool) -> None:
    rdd = sc.parallelize(rows, parts)
    assert rdd.collect() == list(rdd.toLocalIterator()) == rows
    assert rdd.sortBy(lambda x: x, ascending, parts).collect() == sorted(rows, reverse=not ascending)
    assert rdd.zip(rdd.map(lambda x: x + 1)).collect() == [(x, x + 1) for x in rows]
    assert rdd.take(7) == rows[:7]
    assert rdd.glom().map(len).sum() == len(rows)
