"""Offer constraints: they restrict the agents that a framework gets offers from, by role. At least one group must match
entirely.

Only text is compared; an attribute of another type always matches, and the scheduler must check it. Regular expressions
are Python's, which agree with RE2's for what is common in constraints; they must match the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from smackbox.base.errors import RequestError

if TYPE_CHECKING:
    from smackbox.mesos.master.state.agent_pool import AgentPool
    from smackbox.mesos.wire.messages import (
        AgentInfo,
        Attribute,
        SchedulerAttributeConstraint,
        SchedulerAttributeConstraintSelector,
        SchedulerOfferConstraintsRoleConstraints,
    )

EXPRESSION_LIMIT = 1_000
Test = Callable[["AgentPool"], bool]


class ConstraintError(RequestError):
    """An invalid constraint."""


def compile_constraints(role_constraints: SchedulerOfferConstraintsRoleConstraints) -> Test:
    """Compile constraints. Raises `ConstraintError`."""
    groups = []
    for group in role_constraints.get("groups", []):
        tests = [_compile(constraint) for constraint in group.get("attribute_constraints", [])]
        if not tests:
            raise ConstraintError("a group of constraints is empty")
        groups.append(tests)
    if not groups:
        raise ConstraintError("there is no group of constraints")
    return lambda pool: any(all(test(pool) for test in tests) for tests in groups)


def _compile(constraint: SchedulerAttributeConstraint) -> Test:
    select = _selector(constraint["selector"])
    predicate = constraint["predicate"]
    if len(predicate) != 1:
        raise ConstraintError("a predicate must have exactly one kind")
    [(kind, details)] = cast("dict[str, dict[str, str]]", predicate).items()
    negative = kind.startswith(("not_", "text_not_"))
    if kind in {"exists", "not_exists"}:
        return lambda pool: (select(pool) is None) == negative
    if kind in {"text_equals", "text_not_equals"}:
        expected = details["value"]
        return lambda pool: _holds(select(pool), lambda text: text == expected, negative)
    expression = details["regex"]
    if len(expression) > EXPRESSION_LIMIT:
        raise ConstraintError(f"an expression is longer than {EXPRESSION_LIMIT} characters")
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise ConstraintError(f"{expression!r} is not a regular expression: {error}") from error
    return lambda pool: _holds(select(pool), lambda text: pattern.fullmatch(text) is not None, negative)


def _holds(value: Attribute | str | None, test: Callable[[str], bool], negative: bool) -> bool:
    if value is None:
        return negative
    return True if not isinstance(value, str) else test(value) != negative


def _selector(selector: SchedulerAttributeConstraintSelector) -> Callable[[AgentPool], Attribute | str | None]:
    """The selected value: a text, the attribute if it is not text, or None."""
    if "attribute_name" in selector:
        name = selector["attribute_name"]
        return lambda pool: _attribute(pool.info, name)
    kind = selector.get("pseudoattribute_type", "UNKNOWN")
    if kind == "HOSTNAME":
        return lambda pool: str(pool.info["hostname"])
    if kind in {"REGION", "ZONE"}:
        return lambda pool: _domain(pool.info, kind.lower())
    raise ConstraintError("a selector names no attribute")


def _attribute(info: AgentInfo, name: str) -> Attribute | str | None:
    for attribute in info.get("attributes", []):
        if attribute["name"] == name:
            return str(attribute["text"]["value"]) if "text" in attribute else attribute
    return None


def _domain(info: AgentInfo, part: str) -> str | None:
    domain = info.get("domain", {}).get("fault_domain")
    if domain is None:
        return None
    return domain["region"]["name"] if part == "region" else domain["zone"]["name"]
