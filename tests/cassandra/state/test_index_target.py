"""What of a value an index enters, and what it does to a text before."""

from __future__ import annotations

import pytest

from smackbox.cassandra.state.analysis import analysis_of
from smackbox.cassandra.state.columns import REGULAR, Column, IndexRecord
from smackbox.cassandra.state.index_target import IndexTarget, is_vector_index, similarity_of
from smackbox.cassandra.state.rows import complex_bytes
from smackbox.cassandra.state.type_names import parse_type
from smackbox.cassandra.wire.types import INT, TEXT

SAI = {"class_name": "StorageAttachedIndex"}


def target(kind: str, part: str = "", options: dict[str, str] | None = None) -> IndexTarget:
    column = Column("v", REGULAR, -1, parse_type(kind, {}, "ks"), 1, 0)
    return IndexTarget(IndexRecord("i", "CUSTOM", options or {}, 9), column, part)


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("keys", [TEXT.order_key(b"a")]),
        ("values", [INT.order_key(INT.encode(1))]),
        ("entries", [TEXT.order_key(b"a") + INT.order_key(INT.encode(1))]),
    ],
)
def test_of_a_map_its_keys_its_values_or_both(part: str, keys: list[bytes]) -> None:
    whole, parts = target("frozen<map<text, int>>", part), target("map<text, int>", part)
    value = whole.column.type.encode([("a", 1)])
    cell = complex_bytes([(b"a", INT.encode(1)), (b"gone", None)], replace=False)
    assert whole.order_keys(value) == parts.cell_keys(cell) == keys


def test_a_frozen_collection_is_entered_as_a_whole() -> None:
    index = target("frozen<list<int>>", "full")
    value = index.column.type.encode([1, 2])
    assert index.order_keys(value) == [index.column.type.order_key(value)]


def test_of_a_vector_that_there_is_one() -> None:
    index = target("vector<float, 2>", "", SAI | {"similarity_function": "EUCLIDEAN"})
    assert is_vector_index(index)
    assert similarity_of(index) == "euclidean"
    assert index.order_keys(bytes(8)) == [b""]
    assert similarity_of(target("vector<float, 2>", "", SAI)) == "cosine"


def test_an_entry_is_the_indexes_number_the_value_and_the_row() -> None:
    assert target("int").entry(b"value", b"\x00\x00\x00\x07row") == b"\x00\x00\x00\x09valuerow"


@pytest.mark.parametrize(
    ("options", "text", "entered"),
    [
        ({"case_sensitive": "false"}, "Straße", "straße"),
        ({"normalize": "true"}, "e\u0301", "é"),
        ({"ascii": "true"}, "Éà ß “Œ”", 'Ea ss "OE"'),
        ({"case_sensitive": "false", "ascii": "true"}, "ÉÀ", "ea"),
    ],
)
def test_a_text_is_changed_before_it_is_entered(options: dict[str, str], text: str, entered: str) -> None:
    analyse = analysis_of(options)
    assert analyse is not None
    assert analyse(text.encode()).decode() == entered


def test_only_a_storage_attached_index_changes_texts() -> None:
    assert analysis_of({"ascii": "false"}) is None
    assert target("text", "", {"ascii": "true"}).analyse is None
    assert target("text", "", SAI | {"ascii": "true"}).analyse is not None
