"""Guarantees and limits (Mesos 1.9's docs/quota.md), without an allocator."""

from __future__ import annotations

import pytest

from smackbox.mesos.master.state.agent_pool import AgentPool
from smackbox.mesos.master.state.quotas import Quota, Quotas
from smackbox.mesos.resources.resources import UNITS, Resources
from smackbox.mesos.resources.text import parse_resources


def some(text: str) -> Resources:
    return parse_resources(text) if text else Resources()


def cpus(count: float) -> dict[str, int]:
    return {"cpus": int(count * UNITS)}


def quotas(*, free: str = "cpus:10", active: bool = True, **by_role: Quota) -> Quotas:
    made = Quotas()
    for role, quota in by_role.items():
        made.set(role, quota)
    resources = some(free)
    made.begin_pass([AgentPool("a", {"hostname": "h"}, resources, resources, active=active)])  # type: ignore[arg-type]
    return made


def shown(resources: Resources) -> dict[str, float]:
    return {kind.name: amount / UNITS for kind, amount in resources if isinstance(amount, int)}


def test_a_default_quota_is_none() -> None:
    made = quotas(ads=Quota(cpus(1)), ops=Quota(limits=cpus(1)))
    assert (made.any, made.has_guarantees, set(made.by_role)) == (True, True, {"ads", "ops"})
    made.set("ads", Quota())
    assert (made.any, made.has_guarantees) == (True, False)
    made.set("ops", Quota())
    made.set("ops", Quota())
    assert made.any is False


def test_what_a_role_consumes() -> None:
    """Reserved resources count whether or not they are allocated, and unreserved ones when they are."""
    made = quotas()
    made.allocated("ads/eu", some("cpus:2;mem:5"), 1)
    made.allocated("ads", some("cpus:1;cpus(ads):4"), 1)
    made.total_changed(Resources(), some("cpus(ads):4;cpus(ops):1;cpus:100"))
    assert made.consumed("ads") == {"cpus": 7 * UNITS, "mem": 5 * UNITS}
    assert made.consumed("ops") == cpus(1)
    made.total_changed(some("cpus(ads):4"), some("cpus(ads):3"))
    made.allocated("ads", some("cpus:1"), -1)
    assert made.consumed("ads") == {"cpus": 5 * UNITS, "mem": 5 * UNITS}
    assert made.consumed("nobody") == {}


@pytest.mark.parametrize(("has", "short"), [("", True), ("cpus:3.999", True), ("cpus:4", False), ("cpus:5", False)])
def test_when_a_guarantee_is_not_met(has: str, short: bool) -> None:
    made = quotas(ads=Quota(cpus(4)))
    made.allocated("ads", some(has), 1)
    assert made.is_short("ads") is made.is_short("ads/eu") is short
    assert not made.is_short("ops")


def test_a_limit_alone_is_no_guarantee() -> None:
    assert not quotas(ads=Quota(limits=cpus(4))).is_short("ads")


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        ("cpus:10", {"cpus": 4.0}),
        ("cpus:3", {"cpus": 3.0}),
        ("mem:100", {}),
        ("cpus:10;mem:100", {"cpus": 4.0, "mem": 100.0}),
        ("cpus(ads):2", {}),
        ("cpus:1;cpus(ads):2", {"cpus": 2.0}),
    ],
)
def test_as_much_as_a_guarantee_asks_for(wanted: str, granted: dict[str, float]) -> None:
    made = quotas(free="cpus:10;mem:100", ads=Quota(cpus(4)))
    assert shown(made.trim_to_guarantee("ads", some(wanted))) == granted


def test_what_is_not_guaranteed_comes_along_up_to_the_limit_and_the_headroom() -> None:
    made = quotas(
        free="cpus:10;mem:100",
        ads=Quota(cpus(4), {"mem": 30 * UNITS}),
        ops=Quota({"mem": 90 * UNITS}),
    )
    assert shown(made.trim_to_guarantee("ads", some("cpus:10;mem:100"))) == {"cpus": 4.0, "mem": 10.0}
    made.set("ops", Quota())
    made.begin_fair_share()
    assert shown(made.trim_to_guarantee("ads", some("cpus:10;mem:100"))) == {"cpus": 4.0, "mem": 30.0}


def test_others_get_what_no_guarantee_needs() -> None:
    made = quotas(free="cpus:10", ads=Quota(cpus(4)))
    assert shown(made.trim_to_bounds("ops", some("cpus:10"))) == {"cpus": 6.0}
    assert shown(made.trim_to_bounds("ops", some("cpus:2"))) == {"cpus": 2.0}
    made.allocated("ads", some("cpus:3"), 1)
    made.begin_fair_share()
    assert shown(made.trim_to_bounds("ops", some("cpus:10"))) == {"cpus": 9.0}
    made.granted(some("cpus:5;cpus(ops):3"))
    assert shown(made.trim_to_bounds("ops", some("cpus:10"))) == {"cpus": 4.0}
    made.granted(some("cpus:4"))
    assert shown(made.trim_to_bounds("ops", some("cpus:10;cpus(ops):1"))) == {"cpus": 1.0}, "what is reserved is left"


def test_a_limit_holds_for_a_role_and_all_below_it() -> None:
    made = quotas(free="cpus:10;mem:100", ads=Quota(limits=cpus(4)))
    made.allocated("ads/us", some("cpus:1"), 1)
    assert shown(made.trim_to_bounds("ads/eu", some("cpus:10;mem:100"))) == {"cpus": 3.0, "mem": 100.0}
    made.allocated("ads", some("cpus:9"), 1)
    assert shown(made.trim_to_bounds("ads/eu", some("cpus:10"))) == {}, "never less than nothing"
    assert shown(made.trim_to_bounds("ops", some("cpus:10"))) == {"cpus": 10.0}


def test_agents_that_are_not_active_have_nothing_free() -> None:
    made = quotas(active=False, ads=Quota(cpus(4)))
    assert shown(made.trim_to_bounds("ops", some("cpus:10"))) == {}


def test_ports_are_not_bounded() -> None:
    made = quotas(free="cpus:1", ads=Quota(limits=cpus(4)))
    trimmed = made.trim_to_bounds("ads", some("cpus:1;ports:[1-9]"))
    assert trimmed == some("cpus:1;ports:[1-9]")


def test_a_guarantee_that_is_met_takes_nothing_beside_one_that_is_not() -> None:
    made = quotas(free="cpus:10;mem:100", ads=Quota({"cpus": 4 * UNITS, "mem": 50 * UNITS}))
    made.allocated("ads", some("mem:50"), 1)
    assert shown(made.trim_to_guarantee("ads", some("cpus:10;mem:100"))) == {"cpus": 4.0}


def test_a_thousandth_is_an_amount() -> None:
    made = quotas(free="cpus:1", ads=Quota({"cpus": 1}))
    assert made.is_short("ads")
    assert shown(made.trim_to_guarantee("ads", some("cpus:1"))) == {"cpus": 0.001}
    made.granted(some("cpus:0.998"))
    assert shown(made.trim_to_bounds("ops", some("cpus:1;ports:[1-2]"))) == {"cpus": 0.001}
