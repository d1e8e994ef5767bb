"""Which column types double their items when they are written twice."""

from __future__ import annotations

import pytest

from smackbox.base.cql_lists import has_open_list


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("list<int>", True),
        ("frozen<list<int>>", False),
        ("FROZEN < LIST<int> >", False),
        ("map<text, frozen<list<int>>>", False),
        ("frozen<map<text, list<int>>>", False),
        ("a frozen<set<int>>, b List <text>", True),
        ("set<int>, map<int, text>, vector<float, 3>", False),
        ("list_of_things text", False),
    ],
)
def test_open_lists(types: str, expected: bool) -> None:
    assert has_open_list(types) is expected
