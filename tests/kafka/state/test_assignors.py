"""The server-side assignors: complete, even, and no more moves than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smackbox.kafka.state.assignors import ASSIGNORS, Assignments, assign_range, assign_uniform

A, B = b"a" * 16, b"b" * 16


def everyone(members: str, *topics: bytes) -> dict[str, frozenset[bytes]]:
    return {member: frozenset(topics) for member in members}


def test_range_gives_neighbours() -> None:
    assert assign_range({A: 5, B: 5}, everyone("xy", A, B), {}) == {
        "x": {A: {0, 1, 2}, B: {0, 1, 2}},
        "y": {A: {3, 4}, B: {3, 4}},
    }


def test_uniform_evens_out_over_topics() -> None:
    result = assign_uniform({A: 3, B: 3}, everyone("xy", A, B), {})
    assert sorted(count(result).values()) == [3, 3]


def test_uniform_moves_only_what_it_must() -> None:
    before = assign_uniform({A: 6}, everyone("xy", A), {})
    after = assign_uniform({A: 6}, everyone("xyz", A), before)
    assert sorted(count(after).values()) == [2, 2, 2]
    for member in "xy":
        assert after[member][A] <= before[member][A]


def test_members_that_want_different_topics() -> None:
    subscriptions = {"x": frozenset({A}), "y": frozenset({A, B}), "z": frozenset({B})}
    result = assign_uniform({A: 4, B: 2}, subscriptions, {"y": {A: {0, 1, 2, 3}}})
    assert sorted(count(result).values()) == [2, 2, 2]


def count(assignments: Assignments) -> dict[str, int]:
    return {member: sum(map(len, topics.values())) for member, topics in assignments.items()}


@given(
    st.dictionaries(st.sampled_from([A, B, b"c" * 16]), st.integers(1, 9), min_size=1),
    st.dictionaries(st.sampled_from("uvwxyz"), st.frozensets(st.sampled_from([A, B, b"c" * 16])), min_size=1),
    st.sampled_from(sorted(ASSIGNORS)),
    st.dictionaries(st.sampled_from("uvwxyz"), st.dictionaries(st.sampled_from([A, B]), st.sets(st.integers(0, 8)))),
)
def test_every_wanted_partition_has_one_owner_that_wants_it(topics, subscriptions, assignor, current) -> None:
    result = ASSIGNORS[assignor](topics, subscriptions, current)
    owned = [(t, i) for member in result for t, indexes in result[member].items() for i in indexes]
    wanted = {(t, i) for t, n in topics.items() for i in range(n) if any(t in s for s in subscriptions.values())}
    assert len(owned) == len(set(owned))
    assert set(owned) == wanted
    for member, assigned in result.items():
        assert assigned.keys() <= subscriptions[member]
    if assignor == "uniform" and len(set(subscriptions.values())) == 1:
        counts = count(result).values()
        assert max(counts) - min(counts) <= 1
