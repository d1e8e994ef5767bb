"""The mutation tool makes the mutants that it says, and each of them is a module that runs."""

from __future__ import annotations

import ast

from tests.mutate import mutants

SOURCE = """
def due(now, at: "int | None", parked) -> 1 | 2:
    if not parked and now >= at + 1:
        parked.append(now)
        return True
    return False
"""


def test_each_kind_of_change_is_made_once_for_each_place() -> None:
    changes = [mutant.change for mutant in mutants(SOURCE)]
    assert sorted(changes) == [
        "1 -> 2",
        "False -> True",
        "True -> False",
        "at + 1 -> at - 1",
        "if not parked and now >= at + 1: -> if not (not parked and now >= at + 1):",
        "not parked -> not not parked",
        "not parked and now >= at + 1 -> not parked or now >= at + 1",
        "now >= at + 1 -> now > at + 1",
        "parked.append(now) -> pass",
    ]


def test_a_mutant_changes_one_place_and_compiles() -> None:
    whole = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants(SOURCE):
        changed = ast.unparse(mutant.tree).splitlines()
        assert sum(left != right for left, right in zip(whole, changed, strict=True)) == 1, mutant.change
        compile(mutant.tree, "mutant", "exec")
