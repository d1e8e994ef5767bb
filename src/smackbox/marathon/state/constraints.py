"""Placement of an instance, according to its app's constraints and the placement of its siblings.

A constraint names an attribute of agents, or `hostname` (`@hostname`), `@region`, `@zone`, then an operator and
optionally a value.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from smackbox.marathon.state.instance import Instance
from smackbox.mesos_framework.offer import Offer, attribute_text

DEFAULT_GROUPS = 1


def unmet(constraints: Iterable[Sequence[str]], offer: Offer, siblings: Sequence[Instance]) -> list[str]:
    """The constraints that this offer does not satisfy, as `[field:OPERATOR:value]`."""
    return [
        "[" + ":".join(constraint) + "]"
        for constraint in constraints
        if not _met(constraint[0], constraint[1], constraint[2] if len(constraint) > 2 else None, offer, siblings)
    ]


def _met(field: str, operator: str, value: str | None, offer: Offer, siblings: Sequence[Instance]) -> bool:
    here = offer.attribute(field)
    if operator == "UNLIKE":
        return here is None or re.fullmatch(value or "", here) is None
    if here is None:
        return False
    if operator == "LIKE":
        return re.fullmatch(value or "", here) is not None
    if operator == "IS":
        return _same(here, value or "")
    if operator == "IN":
        return any(_same(here, item.strip()) for item in (value or "").strip("[]").split(","))
    places = Counter(_place(sibling, field) for sibling in siblings)
    if operator == "UNIQUE":
        return places[here] == 0
    if operator == "MAX_PER":
        return places[here] < int(value or 0)
    if operator == "CLUSTER":
        if value:
            return _same(here, value)
        return not siblings or places[here] > 0
    assert operator == "GROUP_BY", operator
    groups = max(int(value or DEFAULT_GROUPS), len(places))
    least = 0 if len(places) < groups else min(places.values(), default=0)
    return places[here] <= least


def _place(instance: Instance, field: str) -> str | None:
    for attribute in instance.attributes:
        if attribute["name"] == field:
            return attribute_text(attribute)
    if field in {"hostname", "@hostname"}:
        return instance.host
    return {"@region": instance.region, "@zone": instance.zone}.get(field)


def _same(here: str, wanted: str) -> bool:
    if here == wanted:
        return True
    try:
        return math.isclose(float(here), float(wanted), abs_tol=1e-9)
    except ValueError:
        return False
