"""Dominant Resource Fairness by levels (Ghodsi and others, NSDI 2011; Mesos' `DRFSorter`)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.mesos.master.state.sorter import Level, RoleTree, Totals


def totals(**quantities: int) -> Totals:
    made = Totals()
    made.change(quantities, 1)
    return made


def test_totals_are_summed_and_have_a_version() -> None:
    made = totals(cpus=5)
    made.change({"cpus": 2, "mem": 1}, 1)
    made.change({"cpus": 3}, -1)
    assert (made.quantities, made.version) == ({"cpus": 4, "mem": 1}, 3)


def test_the_share_is_that_of_the_dominant_resource() -> None:
    level = Level(totals(cpus=10, mem=100))
    level.add("a")
    level.allocated("a", {"cpus": 2, "mem": 50, "unknown": 7})
    assert level.share("a") == 0.5
    level.recovered("a", {"mem": 40})
    assert level.share("a") == 0.2
    level.set_weight("a", 4.0)
    assert level.share("a") == 0.05


def test_nothing_of_nothing_is_no_share() -> None:
    made = totals(cpus=10)
    made.change({"cpus": 10}, -1)
    level = Level(made)
    level.add("a")
    level.allocated("a", {"cpus": 1})
    assert level.share("a") == 0.0


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ([], ["a", "b", "c"]),
        ([("a", 1)], ["b", "c", "a"]),
        ([("a", 2), ("b", 1), ("c", 3)], ["b", "a", "c"]),
        ([("a", 0)], ["b", "c", "a"]),
        ([("b", 1), ("a", 1)], ["c", "a", "b"]),
        ([("a", 1), ("a", 1), ("b", 2)], ["c", "b", "a"]),
    ],
)
def test_the_smallest_share_is_first_then_the_rarest_then_the_name(
    given: list[tuple[str, int]], order: list[str]
) -> None:
    level = Level(totals(cpus=10))
    for name in ("c", "a", "b"):
        level.add(name)
    for name, cpus in given:
        level.allocated(name, {"cpus": cpus})
    assert level.names() == order


def test_a_weight_moves_a_client() -> None:
    level = Level(totals(cpus=10))
    level.add("a", 2.0)
    level.add("b")
    level.allocated("a", {"cpus": 3})
    level.allocated("b", {"cpus": 2})
    assert level.names() == ["a", "b"]
    level.set_weight("a", 1.0)
    assert level.names() == ["b", "a"]


def test_other_totals_make_other_shares() -> None:
    made = totals(cpus=10, mem=10)
    level = Level(made)
    level.add("a")
    level.add("b")
    level.allocated("a", {"cpus": 5})
    level.allocated("b", {"mem": 4})
    assert level.names() == ["b", "a"]
    made.change({"cpus": 90}, 1)
    assert level.names() == ["a", "b"]


def test_a_client_that_is_gone() -> None:
    level = Level(totals(cpus=10))
    level.add("a")
    level.add("b")
    level.allocated("a", {"cpus": 1})
    level.remove("a")
    assert ("a" in level, "b" in level, len(level), level.names()) == (False, True, 1, ["b"])


@given(st.integers(0, 10**6))
def test_the_order_is_that_of_a_sort(seed: int) -> None:
    """The list is kept in order by insertion; it must be what sorting all would give."""
    dice = Random(seed)
    made = totals(cpus=100, mem=1_000)
    level = Level(made)
    counts: dict[str, int] = {}
    for _ in range(dice.randint(1, 40)):
        name = dice.choice("abcdef")
        step = dice.randrange(6)
        if name not in counts:
            level.add(name, dice.choice([0.5, 1.0, 3.0]))
            counts[name] = 0
        elif step == 0:
            level.remove(name)
            del counts[name]
        elif step == 1:
            level.set_weight(name, dice.choice([0.5, 1.0, 3.0]))
        elif step == 2:
            made.change({"cpus": dice.randint(1, 50)}, 1)
        else:
            level.allocated(name, {"cpus": dice.randint(0, 5), "mem": dice.randint(0, 99)})
            counts[name] += 1
    assert level.names() == sorted(counts, key=lambda each: (level.share(each), counts[each], each))


# --- roles


def tree(*roles: str) -> RoleTree:
    made = RoleTree(totals(cpus=100))
    for role in roles:
        made.add(role)
    return made


def test_flat_roles_are_one_level() -> None:
    roles = tree("b", "a")
    roles.allocated("a", {"cpus": 1})
    assert roles.names() == ["b", "a"]
    roles.recovered("a", {"cpus": 1})
    assert roles.share("a") == 0.0
    assert roles.names() == ["b", "a"], "it was given something more often"


def test_what_a_role_has_counts_for_those_above_it() -> None:
    roles = tree("ads/eu", "ads/us", "ops")
    roles.allocated("ads/eu", {"cpus": 30})
    roles.allocated("ops", {"cpus": 10})
    assert [roles.share(role) for role in ("ads", "ads/eu", "ads/us", "ops")] == [0.3, 0.3, 0.0, 0.1]
    assert roles.names() == ["ops", "ads/us", "ads/eu"]
    roles.recovered("ads/eu", {"cpus": 30})
    assert roles.share("ads") == 0.0
    assert roles.names() == ["ads/us", "ads/eu", "ops"]


def test_a_role_competes_with_those_below_it() -> None:
    """As the virtual leaf `.` of Mesos' sorter."""
    roles = tree("ads", "ads/eu")
    assert roles.names() == ["ads", "ads/eu"]
    roles.allocated("ads", {"cpus": 1})
    assert roles.names() == ["ads/eu", "ads"]
    roles.allocated("ads/eu", {"cpus": 5})
    assert roles.names() == ["ads", "ads/eu"]


def test_weights_hold_within_a_level_also_before_the_role_is_there() -> None:
    roles = tree()
    roles.set_weight("ads/eu", 4.0)
    roles.set_weight("nobody/there", 4.0)
    for role in ("ads/eu", "ads/us"):
        roles.add(role)
        roles.allocated(role, {"cpus": 10})
    assert roles.share("ads/eu") == 0.025
    assert roles.names() == ["ads/eu", "ads/us"]
    roles.set_weight("ads/us", 8.0)
    assert roles.names() == ["ads/us", "ads/eu"]
    roles.set_weight("ads", 2.0)
    assert roles.share("ads") == 0.1


def test_a_role_that_leaves_takes_empty_ones_above_with_it() -> None:
    roles = tree("a/b/c", "a/d")
    roles.remove("a/b/c")
    assert roles.names() == ["a/d"]
    roles.add("a/b/c")
    roles.remove("a/d")
    assert roles.names() == ["a/b/c"]
    roles.remove("a/b/c")
    assert roles.names() == []
    roles.add("a")
    assert roles.names() == ["a"]


def test_a_role_that_leaves_keeps_those_below_it() -> None:
    roles = tree("a", "a/b")
    roles.remove("a")
    assert roles.names() == ["a/b"]
    roles.add("a")
    roles.remove("a/b")
    assert roles.names() == ["a"]
    roles.add("x/y")
    roles.remove("x/y")
    assert roles.names() == ["a"]


def test_the_order_of_nested_roles_follows_the_totals() -> None:
    made = totals(cpus=10, mem=10)
    roles = RoleTree(made)
    for role, what in (("a/x", "cpus"), ("a/y", "mem")):
        roles.add(role)
        roles.allocated(role, {what: 5 if what == "cpus" else 4})
    assert roles.names() == ["a/y", "a/x"]
    made.change({"cpus": 90}, 1)
    assert roles.names() == ["a/x", "a/y"]
