"""Which names are roles (Mesos' docs/roles.md), and their tree."""

from __future__ import annotations

import pytest

from smackbox.mesos.master.state.roles import RoleError, ancestors, is_below, top, validate


@pytest.mark.parametrize("role", ["*", "ads", "ads/eu", "a-b", "a.b", "a/b/c", "..."])
def test_roles(role: str) -> None:
    validate(role)


@pytest.mark.parametrize(
    "role",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/..",
        "a/./b",
        "a/*",
        "*/a",
        "-a",
        "a/-b",
        "a b",
        "a\\b",
        "a\x7f",
        "a\tb",
    ],
)
def test_what_is_no_role(role: str) -> None:
    with pytest.raises(RoleError):
        validate(role)


def test_the_tree_of_roles() -> None:
    assert ancestors("a/b/c") == ["a/b", "a"]
    assert ancestors("a") == []
    assert [top(role) for role in ("a/b/c", "a")] == ["a", "a"]
    assert [is_below(role, "a/b") for role in ("a/b/c", "a/b", "a/bc", "a")] == [True, False, False, False]
