"""What an app needs: how many instances to launch, and which to kill, in which order."""

from __future__ import annotations

import msgspec
import pytest

from smackbox.marathon.state import enforce
from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import HealthRecord, Instance
from smackbox.marathon.wire.app import (
    App,
    Container,
    HealthCheck,
    PersistentVolume,
    ReadinessCheck,
    UpgradeStrategy,
    VersionInfo,
    Volume,
)

NEW, OLD = "2026-01-02T00:00:00.000Z", "2026-01-01T00:00:00.000Z"


def app(instances: int = 3, minimum: float = 1.0, maximum: float = 1.0, **fields: object) -> App:
    plain = App(
        id="/a",
        instances=instances,
        version=NEW,
        version_info=VersionInfo(last_scaling_at=NEW, last_config_change_at=NEW),
        upgrade_strategy=UpgradeStrategy(minimum_health_capacity=minimum, maximum_over_capacity=maximum),
    )
    return msgspec.structs.replace(plain, **fields)


def one(name: str, condition: str = states.RUNNING, version: str = NEW, **fields: object) -> Instance:
    made = Instance(id=name, app_id="/a", app_version=version, config_version=version, condition=condition)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def failing() -> dict[int, HealthRecord]:
    return {0: HealthRecord(alive=False, consecutive_failures=1)}


def healthy() -> dict[int, HealthRecord]:
    return {0: HealthRecord(alive=True)}


def names(instances: list[Instance]) -> list[str]:
    return [instance.id for instance in instances]


def test_what_does_not_work_is_given_up_first() -> None:
    checked = app(health_checks=[HealthCheck()])
    instances = [
        one("healthy", health=healthy()),
        one("failing", health=failing()),
        one("starting", states.STARTING),
        one("staging", states.STAGING),
        one("provisioned", states.PROVISIONED),
        one("unreachable", states.UNREACHABLE),
    ]
    assert names(enforce.victims(checked, instances)) == [
        "unreachable",
        "provisioned",
        "staging",
        "starting",
        "failing",
        "healthy",
    ]


@pytest.mark.parametrize(
    ("selection", "order"), [("YOUNGEST_FIRST", ["young", "old"]), ("OLDEST_FIRST", ["old", "young"])]
)
def test_of_equals_the_selection_decides(selection: str, order: list[str]) -> None:
    instances = [one("old", started_ms=1), one("young", started_ms=2)]
    assert names(enforce.victims(app(kill_selection=selection), instances)) == order


def test_an_instance_that_has_not_started_is_as_old_as_its_staging() -> None:
    instances = [one("first", staged_ms=1), one("second", staged_ms=2, started_ms=0)]
    assert names(enforce.victims(app(), instances)) == ["second", "first"]


def test_too_few_are_launched_and_too_many_killed() -> None:
    assert enforce.decide(app(3), [one("a")]) == enforce.Decision(2, [])
    decision = enforce.decide(app(1), [one("a", started_ms=1), one("b", started_ms=2)])
    assert (decision.launch, names(decision.kill)) == (0, ["b"])


def test_instances_that_are_to_go_do_not_count() -> None:
    leaving = [one("killing", states.KILLING), one("inactive", states.UNREACHABLE_INACTIVE), one("no", wanted=False)]
    assert enforce.decide(app(3), leaving).launch == 3


def test_without_an_upgrade_instances_being_killed_do_not_hold_up_their_successors() -> None:
    killing = [one("a", states.KILLING), one("b", states.KILLING)]
    assert enforce.decide(app(1, minimum=1.0, maximum=0.0), killing) == enforce.Decision(1, [])


def test_an_upgrade_keeps_the_minimum_and_stays_below_the_maximum() -> None:
    old = [one(f"old{number}", version=OLD, started_ms=number + 1) for number in range(4)]
    decision = enforce.decide(app(4, minimum=0.5, maximum=0.5), old)
    assert (decision.launch, names(decision.kill)) == (2, ["old3", "old2"])
    decision = enforce.decide(app(4, minimum=1.0, maximum=0.25), old)
    assert (decision.launch, decision.kill) == (1, [])


def test_fresh_instances_make_room_only_when_they_are_ready() -> None:
    old = [one(f"old{number}", version=OLD, started_ms=number + 1) for number in range(2)]
    upgrade = app(2, minimum=1.0, maximum=1.0)
    assert enforce.decide(upgrade, [*old, one("new", states.STAGING)]).kill == []
    assert names(enforce.decide(upgrade, [*old, one("new")]).kill) == ["old1"]


def test_old_instances_that_do_not_work_go_at_once() -> None:
    checked = app(2, minimum=1.0, maximum=1.0, health_checks=[HealthCheck()])
    old = [
        one("staging", states.STAGING, version=OLD),
        one("failing", version=OLD, health=failing()),
        one("unknown", version=OLD),
    ]
    assert names(enforce.decide(checked, old).kill) == ["staging", "failing"]


def test_without_room_one_instance_more_is_allowed() -> None:
    old = [one(f"old{number}", version=OLD) for number in range(2)]
    decision = enforce.decide(app(2, minimum=1.0, maximum=0.0), old)
    assert (decision.launch, decision.kill) == (1, [])


def test_instances_being_killed_count_against_the_maximum() -> None:
    old = [one("old0", version=OLD), one("old1", states.KILLING, version=OLD)]
    assert enforce.decide(app(2, minimum=0.5, maximum=0.0), old).launch == 0


def test_instances_that_are_to_go_count_against_the_maximum() -> None:
    old = [one("old0", version=OLD), one("leaving", version=OLD, wanted=False)]
    assert enforce.decide(app(2, minimum=0.5, maximum=0.0), old).launch == 0


def test_an_app_with_volumes_has_one_instance_less_where_there_is_no_room() -> None:
    volume = Volume(container_path="data", mode="RW", persistent=PersistentVolume(size=10))
    resident = app(2, minimum=1.0, maximum=0.0, container=Container(type="MESOS", volumes=[volume]))
    assert resident.is_resident
    old = [one(f"old{number}", version=OLD, started_ms=number + 1) for number in range(2)]
    decision = enforce.decide(resident, old)
    assert (decision.launch, names(decision.kill)) == (0, ["old1"])


def test_ready_is_running_healthy_and_ready() -> None:
    plain = app()
    checked = app(health_checks=[HealthCheck()])
    assert enforce.is_ready(plain, one("a"))
    assert not enforce.is_ready(plain, one("a", states.STAGING))
    assert enforce.is_ready(checked, one("a", health=healthy()))
    assert not enforce.is_ready(checked, one("a"))
    assert not enforce.is_ready(checked, one("a", health=failing()))
    probed = app(readiness_checks=[ReadinessCheck()])
    assert enforce.is_ready(probed, one("a", ready=True))
    assert not enforce.is_ready(probed, one("a"))
    assert not enforce.is_ready(probed, one("a", ready=False))


def test_settled_is_as_many_ready_and_nothing_leaving() -> None:
    pair = [one("a"), one("b")]
    assert enforce.is_settled(app(2), pair)
    assert not enforce.is_settled(app(3), pair)
    assert not enforce.is_settled(app(1), pair)
    assert not enforce.is_settled(app(2), [*pair, one("c", states.KILLING)])
    assert not enforce.is_settled(app(2), [*pair, one("c", wanted=False)])
    assert not enforce.is_settled(app(2), [one("a"), one("b", states.STAGING)])
