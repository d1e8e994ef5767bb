"""The results of health and readiness checks of instances, and their effects: events, kills, the progress of
deployments.

A check is run by Marathon over the network (HTTP, HTTPS, TCP), or by the task's executor (COMMAND, MESOS_*), which then
kills the task itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import HealthRecord, Instance
from smackbox.marathon.state.instances_owner import InstancesOwner
from smackbox.marathon.wire.app import App

Json = dict[str, Any]


class Health:
    """The check results of instances."""

    def __init__(self, marathon: InstancesOwner) -> None:
        self._marathon = marathon

    def result(self, instance_id: str, index: int, alive: bool, cause: str | None = None) -> None:
        """The result of one of Marathon's own checks."""
        instance = self._marathon.instance(instance_id)
        app = self._marathon.definition(instance.app_id) if instance is not None else None
        if instance is None or app is None or index >= len(app.health_checks) or instance.condition != states.RUNNING:
            return
        self._found(instance, app, index, alive, cause, ends_by_us=True)

    def by_mesos(self, instance: Instance, app: App | None, alive: bool, cause: str | None) -> None:
        """The result of Mesos' own check of a task."""
        for index, check in enumerate(app.health_checks if app is not None else []):
            if check.by_mesos and app is not None:
                self._found(instance, app, index, alive, cause, ends_by_us=False)

    def _found(
        self, instance: Instance, app: App, index: int, alive: bool, cause: str | None, *, ends_by_us: bool
    ) -> None:
        check = app.health_checks[index]
        record = instance.health.setdefault(index, HealthRecord())
        now_ms = self._marathon.clock.wall_ms()
        known, was_alive = bool(record.first_success_ms or record.last_failure_ms), record.alive
        before = instance.healthy(len(app.health_checks))
        if alive:
            record.alive = True
            record.consecutive_failures = 0
            record.first_success_ms = record.first_success_ms or now_ms
            record.last_success_ms = now_ms
        else:
            in_grace = now_ms - instance.started_ms < check.grace_period_seconds * 1000 and not record.first_success_ms
            if in_grace and ends_by_us:
                return
            record.alive = False
            record.consecutive_failures += 1
            record.last_failure_ms = now_ms
            record.last_failure_cause = cause
        ids = {"appId": app.id, "taskId": instance.task_id, "instanceId": instance.id}
        shown = msgspec.to_builtins(check)
        if not alive:
            self._marathon.emit("failed_health_check_event", **ids, healthCheck=shown)
        if record.alive != was_alive or not known:
            self._marathon.emit("health_status_changed_event", **ids, version=instance.app_version, alive=record.alive)
        after = instance.healthy(len(app.health_checks))
        if after != before:
            self._marathon.emit(
                "instance_health_changed_event",
                instanceId=instance.id,
                runSpecId=app.id,
                runSpecVersion=instance.app_version,
                healthy=after,
            )
            if after:
                self._marathon.delays.succeeded(app)
        if ends_by_us and 0 < check.max_consecutive_failures <= record.consecutive_failures and instance.wanted:
            self._marathon.emit(
                "unhealthy_instance_kill_event",
                **ids,
                version=instance.app_version,
                reason=cause or "unhealthy",
                host=instance.host,
                slaveId=instance.agent_id,
            )
            self._marathon.delays.failed(app, now_ms)
            if instance.volumes:
                self._marathon.restart_in_place(instance)
            else:
                self._marathon.kill(instance, reason=f"{record.consecutive_failures} health checks failed: {cause}")
        self._marathon.changed(app.id)

    def readiness_result(self, instance_id: str, ready: bool, response: Json | None) -> None:
        """The result of a readiness check."""
        instance = self._marathon.instance(instance_id)
        if instance is not None and instance.condition == states.RUNNING:
            instance.ready = ready
            instance.readiness_response = response
            self._marathon.changed(instance.app_id)

    def readiness(self) -> Json:
        """The results of readiness checks, by app, for deployments."""
        results: Json = {}
        for app_id, instances in self._marathon.instances.items():
            app = self._marathon.definition(app_id)
            if app is None or not app.readiness_checks:
                continue
            check = app.readiness_checks[0]
            results[app_id] = [
                {
                    "name": check.name,
                    "taskId": instance.task_id,
                    "ready": bool(instance.ready),
                    **({"lastResponse": instance.readiness_response} if instance.readiness_response else {}),
                }
                for instance in instances.values()
                if instance.condition == states.RUNNING
            ]
        return results
