"""The state that a batch sees: changes over what is committed, in order, cut to a limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from smackbox.flow.state import MemoryBacking, StateView, moment, moment_ms

KEYS = st.integers(0, 9).map(lambda number: b"%d" % number)


@given(
    st.dictionaries(KEYS, st.binary(max_size=2)),
    st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=2))),
    KEYS,
    KEYS,
    st.none() | st.integers(0, 5),
)
def test_a_view_is_the_committed_state_with_the_changes(
    committed: dict[bytes, bytes],
    changes: list[tuple[bytes, bytes | None]],
    start: bytes,
    end: bytes,
    limit: int | None,
) -> None:
    backing = MemoryBacking()
    backing.entries = dict(committed)
    view = StateView(backing)
    model = dict(committed)
    for key, value in changes:
        if value is None:
            view.delete(key)
            model.pop(key, None)
        else:
            view.put(key, value)
            model[key] = value
    keys = [b"%d" % number for number in range(10)]
    assert view.get_many(keys) == [view.get(key) for key in keys] == [model.get(key) for key in keys]
    assert list(view.items(start, end, limit)) == sorted(i for i in model.items() if start <= i[0] < end)[:limit]
    assert backing.entries == committed
    backing.apply(view.changes)
    assert backing.entries == model


@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62))
def test_moments_are_ordered_as_bytes(one: int, other: int) -> None:
    assert moment_ms(moment(one)) == one
    assert (moment(one) < moment(other)) == (one < other)
