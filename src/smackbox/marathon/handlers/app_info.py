"""An app or a task as GET shows it: the definition, and what is known of its instances."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.marathon import Marathon
from smackbox.marathon.state.timestamps import timestamp
from smackbox.marathon.wire.app import App, render

Json = dict[str, Any]

_STATES = {
    states.PROVISIONED: "TASK_STAGING",
    states.STAGING: "TASK_STAGING",
    states.STARTING: "TASK_STARTING",
    states.RUNNING: "TASK_RUNNING",
    states.KILLING: "TASK_KILLING",
    states.UNREACHABLE: "TASK_UNREACHABLE",
    states.UNREACHABLE_INACTIVE: "TASK_UNREACHABLE",
    states.RESERVED: "TASK_STAGING",
}


def shown_app(marathon: Marathon, app: App, embed: Collection[str] = ()) -> Json:
    """`embed` holds `tasks`, `counts`, `deployments`, `readiness`, `lastTaskFailure`, `failures`, `taskStats`."""
    shown = render(app)
    wanted = set(embed)
    if "failures" in wanted:
        wanted |= {"lastTaskFailure", "tasks", "counts", "deployments"}
    shown.update(marathon.counts(app.id))
    shown["deployments"] = [{"id": one.id} for one in marathon.deployments.values() if app.id in one.affected]
    if "tasks" in wanted:
        shown["tasks"] = [shown_task(marathon, one) for one in marathon.instances_of(app.id)]
    if "readiness" in wanted:
        shown["readinessCheckResults"] = marathon.health.readiness().get(app.id, [])
    if "lastTaskFailure" in wanted and app.id in marathon.failures:
        shown["lastTaskFailure"] = marathon.failures[app.id]
    if "taskStats" in wanted:
        shown["taskStats"] = _statistics(marathon, app)
    return shown


def shown_task(marathon: Marathon, one: Instance) -> Json:
    app = marathon.root.apps.get(one.app_id)
    shown: Json = {
        "id": one.task_id,
        "appId": one.app_id,
        "slaveId": one.agent_id,
        "host": one.host,
        "ports": one.ports,
        "servicePorts": app.service_ports if app is not None else [],
        "ipAddresses": one.ip_addresses,
        "state": _STATES[one.condition],
        "version": one.app_version,
        "localVolumes": [
            {"runSpecId": one.app_id, "containerPath": volume.split("#")[1], "uuid": volume.split("#")[2],
             "persistenceId": volume}
            for volume in one.volumes
        ],
        "role": one.role,
    }  # fmt: skip
    if one.region is not None:
        shown["region"] = one.region
    if one.zone is not None:
        shown["zone"] = one.zone
    if one.staged_ms:
        shown["stagedAt"] = timestamp(one.staged_ms)
    if one.started_ms:
        shown["startedAt"] = timestamp(one.started_ms)
    if app is not None and app.health_checks:
        shown["healthCheckResults"] = [_health(one, index) for index in sorted(one.health)]
    return shown


def _health(one: Instance, index: int) -> Json:
    record = one.health[index]
    moments = {
        "firstSuccess": record.first_success_ms,
        "lastSuccess": record.last_success_ms,
        "lastFailure": record.last_failure_ms,
    }
    shown: Json = {"alive": record.alive, "consecutiveFailures": record.consecutive_failures}
    shown.update({name: timestamp(at_ms) for name, at_ms in moments.items() if at_ms})
    if record.last_failure_cause is not None:
        shown["lastFailureCause"] = record.last_failure_cause
    return {**shown, "instanceId": one.id, "taskId": one.task_id}


def _statistics(marathon: Marathon, app: App) -> Json:
    """Counts and life times by how recent an instance's definition is."""
    now_ms = marathon.clock.wall_ms()
    info = app.version_info
    groups: dict[str, Callable[[Instance], bool]] = {
        "startedAfterLastScaling": lambda one: info is not None and one.app_version >= info.last_scaling_at,
        "withLatestConfig": lambda one: one.config_version == app.config_version,
        "withOutdatedConfig": lambda one: one.config_version != app.config_version,
        "totalSummary": lambda _: True,
    }
    shown: Json = {}
    checks = len(app.health_checks)
    for name, belongs in groups.items():
        found = [one for one in marathon.instances_of(app.id) if belongs(one)]
        if not found:
            continue
        lives = sorted((now_ms - one.started_ms) / 1000 for one in found if one.started_ms)
        statistics: Json = {
            "counts": {
                "staged": sum(one.condition in {states.PROVISIONED, states.STAGING, states.STARTING} for one in found),
                "running": sum(one.condition == states.RUNNING for one in found),
                "healthy": sum(one.healthy(checks) is True for one in found),
                "unhealthy": sum(one.healthy(checks) is False for one in found),
            }
        }
        if lives:
            middle = len(lives) // 2
            median = lives[middle] if len(lives) % 2 else (lives[middle - 1] + lives[middle]) / 2
            statistics["lifeTime"] = {"averageSeconds": sum(lives) / len(lives), "medianSeconds": median}
        shown[name] = {"stats": statistics}
    return shown
