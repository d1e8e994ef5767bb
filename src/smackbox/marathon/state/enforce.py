"""What one app needs: how many instances to launch, and which to kill. A pure function, called after each change.

While instances of an older version exist, the app is being upgraded: `minimumHealthCapacity` of them stay healthy at
all times, and there are at most `maximumOverCapacity` more than configured. If the two leave no room, one extra
instance is allowed (one less for an app with volumes), as in Marathon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from smackbox.marathon.state.instance import KILLING, PROVISIONED, RUNNING, STAGING, STARTING, UNREACHABLE, Instance
from smackbox.marathon.wire.app import App

_PREFERRED_VICTIMS = {UNREACHABLE: 0, PROVISIONED: 1, STAGING: 2, STARTING: 3}


@dataclass(frozen=True, slots=True)
class Decision:
    """How many instances to launch, and which to kill."""

    launch: int
    kill: list[Instance]


def decide(app: App, instances: Sequence[Instance]) -> Decision:
    """The decision for the current definition `app`, with all instances of its id."""
    live = [instance for instance in instances if instance.is_live]
    fresh = [instance for instance in live if instance.config_version == app.config_version]
    old = [instance for instance in live if instance.config_version != app.config_version]
    excess = victims(app, fresh)[: max(0, len(fresh) - app.instances)]
    missing = max(0, app.instances - len(fresh))
    if not old:
        return Decision(missing, excess)
    assert app.upgrade_strategy is not None
    least = math.ceil(app.instances * app.upgrade_strategy.minimum_health_capacity)
    most = math.floor(app.instances * (1 + app.upgrade_strategy.maximum_over_capacity))
    if least >= most:
        if app.is_resident:
            least = most - 1
        else:
            most = least + 1
    working_old = [instance for instance in old if _works(app, instance)]
    idle_old = [instance for instance in old if not _works(app, instance)]
    spare = sum(is_ready(app, instance) for instance in fresh) + len(working_old) - least
    kill = idle_old + victims(app, working_old)[: max(0, spare)] + excess
    alive = sum(instance.is_live or instance.condition == KILLING or not instance.wanted for instance in instances)
    return Decision(max(0, min(missing, most - alive)), kill)


def is_ready(app: App, instance: Instance) -> bool:
    """Whether it is running, healthy if it has health checks, and ready if it has a readiness check."""
    return (
        instance.condition == RUNNING
        and (not app.health_checks or instance.healthy(len(app.health_checks)) is True)
        and (not app.readiness_checks or instance.ready is True)
    )


def is_settled(app: App, instances: Sequence[Instance]) -> bool:
    """Whether the configured number is ready, and there are no others."""
    decision = decide(app, instances)
    ready = sum(instance.is_live and is_ready(app, instance) for instance in instances)
    leaving = any(not instance.wanted or instance.condition == KILLING for instance in instances)
    return decision.launch == 0 and not decision.kill and ready >= app.instances and not leaving


def victims(app: App, instances: Sequence[Instance]) -> list[Instance]:
    """The instances to kill, in order: failing ones first, then by `killSelection`."""
    youngest_first = app.kill_selection == "YOUNGEST_FIRST"

    def rank(instance: Instance) -> tuple[int, int, int]:
        age = instance.started_ms or instance.staged_ms
        return (
            _PREFERRED_VICTIMS.get(instance.condition, 9),
            1 if instance.healthy(len(app.health_checks)) is not False else 0,
            -age if youngest_first else age,
        )

    return sorted(instances, key=rank)


def _works(app: App, instance: Instance) -> bool:
    """Whether an instance of an older version runs without a known problem."""
    return instance.condition == RUNNING and instance.healthy(len(app.health_checks)) is not False
