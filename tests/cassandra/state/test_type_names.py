"""Types by their names in CQL and by those of their Java classes."""

from __future__ import annotations

import pytest

from smackbox.cassandra.state.java_names import DEPTH_LIMIT, java_type
from smackbox.cassandra.state.type_names import parse_type
from smackbox.cassandra.wire.errors import Invalid, SyntaxFault


@pytest.mark.parametrize(
    ("java", "cql"),
    [
        ("Int32Type", "int"),
        ("org.apache.cassandra.db.marshal.UTF8Type", "text"),
        ("MapType(UTF8Type, Int32Type)", "map<text, int>"),
        ("FrozenType(ListType(LongType))", "frozen<list<bigint>>"),
        ("ReversedType(DateType)", "timestamp"),
        ("VectorType(FloatType , 3)", "vector<float, 3>"),
        ("TupleType(Int32Type,BooleanType)", "frozen<tuple<int, boolean>>"),
        ("", "blob"),
    ],
)
def test_a_class_is_a_type(java: str, cql: str) -> None:
    assert java_type(java, {}).cql == cql


@pytest.mark.parametrize("cql", ["int", "list<int>", "frozen<map<text, int>>", "set<uuid>", "vector<float, 3>"])
def test_the_class_of_a_type_is_that_type(cql: str) -> None:
    kind = parse_type(cql, {}, "ks")
    assert java_type(kind.java, {}) == kind


@pytest.mark.parametrize(
    "java",
    ["NoType", "ListType", "ListType(NoType)", "MapType(Int32Type)", "VectorType(FloatType)", "TupleType()",
     "ListType(", "FrozenType(" * (DEPTH_LIMIT + 1) + "Int32Type"],
)  # fmt: skip
def test_what_is_no_class(java: str) -> None:
    with pytest.raises((Invalid, SyntaxFault)):
        java_type(java, {})


@pytest.mark.parametrize(
    ("cql", "fault"),
    [
        ("list<set<int>>", "Non-frozen collections are not allowed inside collections"),
        ("list<counter>", "Counters are not allowed inside collections"),
        ("set<duration>", "Durations are not allowed inside sets"),
        ("map<duration, int>", "Durations are not allowed as map keys"),
        ("vector<float, 0>", "vectors may only have positive dimensions"),
    ],
)
def test_what_is_no_type(cql: str, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        parse_type(cql, {}, "ks")
