"""The vectors of one index: labels that live and die, nearest ones, a matrix that grows and is rewritten."""

from __future__ import annotations

import struct

import pytest

pytest.importorskip("usearch", reason="the extra `vector` is not installed")

from smackbox.cassandra.state import vectors
from smackbox.cassandra.state.vectors import VectorIndex


def wire(*values: float) -> bytes:
    return struct.pack(f">{len(values)}f", *values)


def found(index: VectorIndex, count: int, *query: float) -> list[bytes]:
    return [index.keys[label] for label in index.nearest(wire(*query), count)]


@pytest.mark.parametrize(
    ("similarity", "first"), [("cosine", [b"a", b"c"]), ("euclidean", [b"a", b"c"]), ("dot_product", [b"big", b"a"])]
)
def test_a_few_are_chosen_by_the_measure(similarity: str, first: list[bytes]) -> None:
    index = VectorIndex(2, similarity)
    for key, vector in ((b"far", (0.0, -1.0)), (b"c", (1.0, 0.0)), (b"big", (5.0, 5.0)), (b"a", (1.0, 0.0))):
        index.put(key, wire(*vector))
    assert found(index, 2, 1.0, 0.0) == first


@pytest.mark.parametrize("similarity", ["cosine", "euclidean", "dot_product"])
def test_the_nearest_come_first_and_equals_by_key(similarity: str) -> None:
    index = VectorIndex(2, similarity)
    for key, vector in ((b"far", (0.0, -1.0)), (b"c", (1.0, 0.0)), (b"a", (1.0, 0.0)), (b"mid", (0.6, 0.8))):
        index.put(key, wire(*vector))
    assert found(index, 4, 1.0, 0.0) == [b"a", b"c", b"mid", b"far"]
    assert found(index, 2, 1.0, 0.0) == [b"a", b"c"]
    assert len(index) == 4


def test_a_row_has_its_last_vector() -> None:
    index = VectorIndex(1, "euclidean")
    index.put(b"k", wire(1.0))
    index.put(b"k", wire(1.0))
    assert index.keys == [b"k"], "the same vector keeps its label"
    index.put(b"k", wire(2.0))
    assert (index.keys, len(index), index.value(1)) == ([b"k", b"k"], 1, wire(2.0))
    assert index.nearest(wire(1.0), 5) == [1]
    index.put(b"k", None)
    index.put(b"none", None)
    assert (len(index), index.nearest(wire(1.0), 5)) == (0, [])
    index.remove(1)
    assert len(index) == 0, "a dead label is removed twice without harm"


def test_it_grows_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "FIRST_CAPACITY", 2)
    index = VectorIndex(1, "euclidean")
    for number in range(9):
        index.put(b"%d" % number, wire(float(number)))
    assert [index.value(number) for number in range(9)] == [wire(float(number)) for number in range(9)]
    assert found(index, 3, 7.2) == [b"7", b"8", b"6"]


def test_a_graph_is_made_of_more_than_a_few_and_asked_for_the_living(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 10)
    index = VectorIndex(1, "euclidean")
    for number in range(10):
        index.put(b"%02d" % number, wire(float(number)))
    assert not index.is_lagging, "ten are compared one by one"
    for number in range(10, 60):
        index.put(b"%02d" % number, wire(float(number)))
    assert index.is_lagging
    while index.is_lagging:
        index.extend()
    for label in range(20):
        index.remove(label)
    assert found(index, 3, 0.0) == [b"20", b"21", b"22"], "the dead are passed over, and more are asked for"
    assert len(index.nearest(wire(0.0), 100)) == 40


def test_the_dead_are_left_out_when_they_are_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MIN_DEAD", 4)
    monkeypatch.setattr(vectors, "EXACT_LIMIT", 2)
    index = VectorIndex(1, "euclidean")
    for number in range(8):
        index.put(b"%d" % number, wire(float(number)))
    index.extend()
    for label in (0, 2, 4):
        index.remove(label)
    index.compact()
    assert len(index.keys) == 8, "three of eight are dead"
    index.remove(6)
    index.compact()
    assert index.keys == [b"1", b"3", b"5", b"7"]
    assert [index.value(label) for label in range(4)] == [wire(1.0), wire(3.0), wire(5.0), wire(7.0)]
    assert index.is_lagging, "the graph was of the old labels"
    index.put(b"3", wire(30.0))
    assert found(index, 4, 0.0) == [b"1", b"5", b"7", b"3"]
