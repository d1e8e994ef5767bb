"""Which job follows which, without a scheduler."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.chronos.state.job_graph import check, children, dot
from smackbox.chronos.wire.errors import Refusal


@pytest.mark.parametrize(
    "parents",
    [
        {},
        {"a": []},
        {"b": ["a"], "a": []},
        {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []},
        {"b": ["a", "a"], "a": []},
    ],
)
def test_graphs(parents: dict[str, list[str]]) -> None:
    check(parents)


@pytest.mark.parametrize(
    ("parents", "reason"),
    [
        ({"a": ["b"]}, "the parent 'b' of 'a' does not exist"),
        ({"a": [], "b": ["a", "x", "y"]}, "the parent 'x' of 'b' does not exist"),
        ({"a": ["a"]}, "the jobs a would wait for one another"),
        ({"a": ["b"], "b": ["a"], "c": []}, "the jobs a, b would wait"),
        ({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"]}, "the jobs a, b, c, d would wait"),
    ],
)
def test_what_is_no_graph(parents: dict[str, list[str]], reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as raised:
        check(parents)
    assert raised.value.status == 400


@given(st.integers(1, 8), st.data())
def test_jobs_that_wait_for_earlier_ones_alone_are_a_graph(count: int, data: st.DataObject) -> None:
    parents = {str(n): data.draw(st.lists(st.sampled_from(range(n)) if n else st.nothing())) for n in range(count)}
    named = {name: [str(one) for one in own] for name, own in parents.items()}
    check(named)
    for name, own in named.items():
        if own:
            with pytest.raises(Refusal):
                check(named | {own[0]: [*named[own[0]], name]})


def test_children_are_sorted() -> None:
    parents = {"z": ["a"], "b": ["a", "z"], "a": [], "c": ["b"]}
    assert children(parents, "a") == ["b", "z"]
    assert children(parents, "c") == children(parents, "nobody") == []


def test_the_graph_for_graphviz() -> None:
    assert dot({"b": ["a"], 'a"x': [], "a": []}) == ('digraph JobGraph {\n  "a";\n  "a\\"x";\n  "b";\n  "a"->"b";\n}\n')
    assert dot({}) == "digraph JobGraph {\n}\n"
