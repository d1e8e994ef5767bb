"""An app or a task as in GET: the definition, and the state of its instances."""

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
    """An app as in the API. `embed` may contain `tasks`, `counts`, `deployments`, `readiness`, `lastTaskFailure`,
    `failures`, `taskStats`.
    """
    shown = render(app)
    embedded = set(embed)
    if "failures" in embedded:
        embedded |= {"lastTaskFailure", "tasks", "counts", "deployments"}
    shown.update(marathon.counts(app.id))
    shown["deployments"] = [
        {"id": deployment.id} for deployment in marathon.deployments.values() if app.id in deployment.affected
    ]
    if "tasks" in embedded:
        shown["tasks"] = [shown_task(marathon, instance) for instance in marathon.instances_of(app.id)]
    if "readiness" in embedded:
        shown["readinessCheckResults"] = marathon.health.readiness().get(app.id, [])
    if "lastTaskFailure" in embedded and app.id in marathon.failures:
        shown["lastTaskFailure"] = marathon.failures[app.id]
    if "taskStats" in embedded:
        shown["taskStats"] = _statistics(marathon, app)
    return shown


def shown_task(marathon: Marathon, instance: Instance) -> Json:
    """A task as the API shows it."""
    app = marathon.root.apps.get(instance.app_id)
    shown: Json = {
        "id": instance.task_id,
        "appId": instance.app_id,
        "slaveId": instance.agent_id,
        "host": instance.host,
        "ports": instance.ports,
        "servicePorts": app.service_ports if app is not None else [],
        "ipAddresses": instance.ip_addresses,
        "state": _STATES[instance.condition],
        "version": instance.app_version,
        "localVolumes": [
            {"runSpecId": instance.app_id, "containerPath": volume.split("#")[1], "uuid": volume.split("#")[2],
             "persistenceId": volume}
            for volume in instance.volumes
        ],
        "role": instance.role,
    }  # fmt: skip
    if instance.region is not None:
        shown["region"] = instance.region
    if instance.zone is not None:
        shown["zone"] = instance.zone
    if instance.staged_ms:
        shown["stagedAt"] = timestamp(instance.staged_ms)
    if instance.started_ms:
        shown["startedAt"] = timestamp(instance.started_ms)
    if app is not None and app.health_checks:
        shown["healthCheckResults"] = [_health(instance, index) for index in sorted(instance.health)]
    return shown


def _health(instance: Instance, index: int) -> Json:
    record = instance.health[index]
    moments = {
        "firstSuccess": record.first_success_ms,
        "lastSuccess": record.last_success_ms,
        "lastFailure": record.last_failure_ms,
    }
    shown: Json = {"alive": record.alive, "consecutiveFailures": record.consecutive_failures}
    shown.update({name: timestamp(at_ms) for name, at_ms in moments.items() if at_ms})
    if record.last_failure_cause is not None:
        shown["lastFailureCause"] = record.last_failure_cause
    return {**shown, "instanceId": instance.id, "taskId": instance.task_id}


def _statistics(marathon: Marathon, app: App) -> Json:
    """Counts and lifetimes, grouped by the age of an instance's definition."""
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
        instances = [one for one in marathon.instances_of(app.id) if belongs(one)]
        if not instances:
            continue
        lives = sorted((now_ms - instance.started_ms) / 1000 for instance in instances if instance.started_ms)
        statistics: Json = {
            "counts": {
                "staged": sum(
                    instance.condition in {states.PROVISIONED, states.STAGING, states.STARTING}
                    for instance in instances
                ),
                "running": sum(instance.condition == states.RUNNING for instance in instances),
                "healthy": sum(instance.healthy(checks) is True for instance in instances),
                "unhealthy": sum(instance.healthy(checks) is False for instance in instances),
            }
        }
        if lives:
            middle = len(lives) // 2
            median = lives[middle] if len(lives) % 2 else (lives[middle - 1] + lives[middle]) / 2
            statistics["lifeTime"] = {"averageSeconds": sum(lives) / len(lives), "medianSeconds": median}
        shown[name] = {"stats": statistics}
    return shown
