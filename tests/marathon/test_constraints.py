"""Constraints against agents and siblings, one operator after another."""

from __future__ import annotations

import pytest

from smackbox.marathon.state.constraints import unmet
from smackbox.marathon.state.instance import Instance
from smackbox.mesos_framework.offer import Offer


def offer(host: str, **attributes: str) -> Offer:
    found = [{"name": name, "type": "TEXT", "text": {"value": value}} for name, value in attributes.items()]
    return Offer({"id": {"value": "o"}, "agent_id": {"value": host}, "hostname": host, "attributes": found})


def sibling(host: str, **attributes: str) -> Instance:
    found = [{"name": name, "type": "TEXT", "text": {"value": value}} for name, value in attributes.items()]
    return Instance(id=host, app_id="/a", app_version="", config_version="", host=host, attributes=found)


@pytest.mark.parametrize(
    ("constraint", "here", "siblings", "met"),
    [
        (["hostname", "UNIQUE"], offer("a"), [sibling("b")], True),
        (["hostname", "UNIQUE"], offer("a"), [sibling("a")], False),
        (["@hostname", "UNIQUE"], offer("a"), [sibling("a")], False),
        (["rack", "UNIQUE"], offer("a"), [], False),
        (["rack", "CLUSTER", "r1"], offer("a", rack="r1"), [], True),
        (["rack", "CLUSTER", "r1"], offer("a", rack="r2"), [], False),
        (["rack", "CLUSTER"], offer("a", rack="r2"), [sibling("b", rack="r2")], True),
        (["rack", "CLUSTER"], offer("a", rack="r1"), [sibling("b", rack="r2")], False),
        (["rack", "GROUP_BY"], offer("a", rack="r1"), [sibling("b", rack="r1")], True),
        (["rack", "GROUP_BY", "2"], offer("a", rack="r1"), [sibling("b", rack="r1")], False),
        (["rack", "GROUP_BY", "2"], offer("a", rack="r2"), [sibling("b", rack="r1")], True),
        (
            ["rack", "GROUP_BY", "2"],
            offer("a", rack="r1"),
            [sibling("b", rack="r1"), sibling("c", rack="r2")],
            True,
        ),
        (["rack", "LIKE", "r[12]"], offer("a", rack="r2"), [], True),
        (["rack", "LIKE", "r"], offer("a", rack="r2"), [], False),
        (["rack", "LIKE", ".*"], offer("a"), [], False),
        (["rack", "UNLIKE", "r2"], offer("a", rack="r2"), [], False),
        (["rack", "UNLIKE", "r2"], offer("a"), [], True),
        (["hostname", "MAX_PER", "2"], offer("a"), [sibling("a")], True),
        (["hostname", "MAX_PER", "2"], offer("a"), [sibling("a"), sibling("a")], False),
        (["cores", "IS", "4.0"], offer("a", cores="4"), [], True),
        (["rack", "IS", "r1"], offer("a", rack="r2"), [], False),
        (["rack", "IN", "r1,r2"], offer("a", rack="r2"), [], True),
        (["rack", "IN", "[r1, r2]"], offer("a", rack="r2"), [], True),
        (["rack", "IN", "r1,r2"], offer("a", rack="r3"), [], False),
        (["rack", "IN", "r1,r2"], offer("a"), [], False),
        (["cores", "IS", "4.1"], offer("a", cores="4"), [], False),
        (["rack", "CLUSTER"], offer("a", rack="r1"), [], True),
        (["cores", "CLUSTER", "4.0"], offer("a", cores="4"), [], True),
        (["hostname", "MAX_PER", "0"], offer("a"), [], False),
        (["rack", "GROUP_BY", "3"], offer("a", rack="r1"), [sibling("b", rack="r1"), sibling("c", rack="r2")], False),
        (["rack", "GROUP_BY", "1"], offer("a", rack="r1"), [sibling("b", rack="r1"), sibling("c", rack="r2")], True),
        (
            ["rack", "GROUP_BY", "2"],
            offer("a", rack="r1"),
            [sibling("b", rack="r1"), sibling("c", rack="r2"), sibling("d", rack="r1")],
            False,
        ),
        (["hostname", "UNIQUE"], offer("a"), [sibling("b", hostname="a")], False),
        (["hostname", "UNIQUE"], offer("a"), [sibling("a", hostname="b")], True),
        (["hostname", "LIKE", "a"], offer("b", hostname="a"), [], True),
    ],
)
def test_a_constraint(constraint: list[str], here: Offer, siblings: list[Instance], met: bool) -> None:
    assert unmet([constraint], here, siblings) == ([] if met else ["[" + ":".join(constraint) + "]"])


def test_regions_and_zones() -> None:
    domain = {"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "eu-1"}}}
    here = offer("a")
    here.message["domain"] = domain
    neighbour = sibling("b")
    neighbour.region, neighbour.zone = "eu", "eu-2"
    assert unmet([["@region", "IS", "eu"], ["@zone", "UNIQUE"]], here, [neighbour]) == []
    assert unmet([["@region", "UNIQUE"], ["@zone", "CLUSTER"]], here, [neighbour]) == [
        "[@region:UNIQUE]",
        "[@zone:CLUSTER]",
    ]
    assert unmet([["@zone", "UNIQUE"]], offer("a"), [neighbour]) == ["[@zone:UNIQUE]"], "an agent without a zone"
