"""Marathon: the desired apps, the existing instances, and the effects of changes to either.

Plain and synchronous. Inputs are calls (`change`, `offers`, `update`, `tick`, …); their effects are collected in
`effects`: records to store, then calls to Mesos and events to publish. The owner of this object commits them after each
input.

For each app there is one decision, `enforce.decide`: how many instances to launch, and which to kill. It is made again
whenever the app or one of its instances changes; nothing else launches or kills. So a restart, a scaling, a failed
task, a lost agent and a cancelled deployment all converge to the same result: the desired state runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from smackbox.base.clock import Clock
from smackbox.marathon.state import deployment as deploy
from smackbox.marathon.state import instance as states
from smackbox.marathon.state.deployment import Deployment
from smackbox.marathon.state.enforce import decide, is_ready, is_settled
from smackbox.marathon.state.health import Health
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.launch_delay import LaunchDelays
from smackbox.marathon.state.launcher import Launcher
from smackbox.marathon.state.offer_log import OfferLog
from smackbox.marathon.state.root import Root
from smackbox.marathon.state.timestamps import timestamp
from smackbox.marathon.state.versions import Versions, versioned
from smackbox.marathon.wire.app import DISABLED, App, UnreachableEnabled
from smackbox.marathon.wire.errors import Refusal, locked
from smackbox.mesos_framework.machine import KILL_RETRY_MS, FrameworkMachine, Mesos, asked
from smackbox.mesos_framework.offer import Offer

Json = dict[str, Any]

LAUNCH_CONFIRM_MS = 300_000
STAGING_LIMIT_MS = 300_000
FAILURES = frozenset({"TASK_FAILED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED"})
"""States that count as failures of the app; a task lost with its agent, or never launched, does not."""

log = logging.getLogger(__name__)


class Marathon(FrameworkMachine):
    """The state of the leading Marathon. `publish` takes an event; `new_id` returns the text of a new UUID."""

    def __init__(
        self,
        clock: Clock,
        mesos: Mesos,
        publish: Callable[[Json], None],
        new_id: Callable[[], str],
        *,
        role: str = "*",
        principal: str | None = None,
        secrets: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        super().__init__(clock, mesos)
        self.root = Root()
        self.instances: dict[str, dict[str, Instance]] = {}
        """By app, then by id."""
        self.deployments: dict[str, Deployment] = {}
        self.versions = Versions()
        self.delays = LaunchDelays()
        self.waiting: dict[str, OfferLog] = {}
        """Apps that have instances to launch."""
        self.failures: dict[str, Json] = {}
        """The last failed task of an app."""
        self.role = role
        self._publish = publish
        self._new_id = new_id
        self.health = Health(self)
        self._launcher = Launcher(self, principal, secrets)
        self._last_version_ms = 0

    # --- records

    def load(self, records: dict[str, bytes]) -> None:
        """Load what a predecessor stored."""
        for name, value in records.items():
            kind, _, key = name.partition(":")
            if kind == "framework":
                self.framework_id = value.decode()
            elif kind == "root":
                self.root = msgspec.json.decode(value, type=Root)
            elif kind == "instance":
                instance = states.decode(value)
                self.instances.setdefault(instance.app_id, {})[instance.id] = instance
            elif kind == "deployment":
                deployment = msgspec.json.decode(value, type=Deployment)
                self.deployments[deployment.id] = deployment
            elif kind in {"version", "root-version"}:
                self.versions.load(kind, key, value)
            elif kind == "failure":
                self.failures[key] = msgspec.json.decode(value)
        for app_id in sorted(set(self.root.apps) | set(self.instances)):
            self.enforce(app_id)
        for resumed in list(self.deployments.values()):
            self._advance(resumed)

    def keep(self, instance: Instance) -> None:
        """Store a new or changed instance."""
        self.instances.setdefault(instance.app_id, {})[instance.id] = instance
        self.effects.records[f"instance:{instance.id}"] = states.encode(instance)

    def forget(self, instance: Instance) -> None:
        """Delete an instance."""
        instances = self.instances.get(instance.app_id, {})
        instances.pop(instance.id, None)
        if not instances:
            self.instances.pop(instance.app_id, None)
        self.effects.records[f"instance:{instance.id}"] = None

    def instance(self, instance_id: str) -> Instance | None:
        """The instance of that id, or None."""
        for instances in self.instances.values():
            if instance_id in instances:
                return instances[instance_id]
        return None

    def instances_of(self, app_id: str) -> list[Instance]:
        """The instances of an app."""
        return list(self.instances.get(app_id, {}).values())

    # --- actions after storing

    def emit(self, event_type: str, **fields: Any) -> None:
        """Publish an event once the records of this step are stored."""
        event = {**fields, "eventType": event_type, "timestamp": timestamp(self.clock.wall_ms())}
        self.effects.actions.append(lambda: self._publish(event))

    def new_id(self) -> str:
        """A new unique id."""
        return self._new_id()

    # --- desired state

    def next_version(self) -> str:
        """A timestamp that no version had before."""
        self._last_version_ms = max(self.clock.wall_ms(), self._last_version_ms + 1)
        return timestamp(self._last_version_ms)

    def change(
        self,
        changed: Callable[[Root, str], Root],
        *,
        force: bool = False,
        restart: Iterable[str] = (),
        group: str = "/",
    ) -> Deployment:
        """Replace the root with `changed` of it and a new version, and start the resulting deployment.

        `restart` names apps to replace although they have not changed. Raises `Refusal`: 422 if the result breaks a
        rule, 409 if a running deployment affects one of the apps and `force` is not set.
        """
        original = self.root
        version = self.next_version()
        target = versioned(original, changed(original, version), version, set(restart))
        target.check()
        touched = {
            app_id
            for app_id in original.apps.keys() | target.apps.keys()
            if original.apps.get(app_id) != target.apps.get(app_id)
        }
        conflicting = [deployment for deployment in self.deployments.values() if deployment.affected & touched]
        if conflicting and not force:
            raise locked([deployment.id for deployment in conflicting])
        begun_from = {
            app_id: app
            for app_id in touched
            if (app := self.definition(app_id) or original.apps.get(app_id)) is not None
        }
        plan = Deployment(
            id=self._new_id(),
            version=version,
            original=begun_from,
            target={app_id: target.apps[app_id] for app_id in touched if app_id in target.apps},
            steps=deploy.steps(original, target),
            original_version=original.version,
            group=group,
        )
        for deployment in conflicting:
            self._end(deployment, success=False)
        self.root = target
        self.effects.records["root:"] = msgspec.json.encode(target)
        self.versions.add(target, touched, self.effects.records)
        for app_id in touched - target.apps.keys():
            self.delays.reset(app_id)
            self.failures.pop(app_id, None)
            self.effects.records[f"failure:{app_id}"] = None
        self.deployments[plan.id] = plan
        self.emit("group_change_success", groupId=group, version=version)
        self._begin_step(plan)
        self._advance(plan)
        return plan

    def cancel(self, deployment_id: str, *, force: bool) -> Deployment | None:
        """Stop a deployment where it is (`force`), or roll it back; returns the deployment that does so.

        Raises `Refusal` (404) if there is none with that id.
        """
        deployment = self.deployments.get(deployment_id)
        if deployment is None:
            raise Refusal(404, f"Deployment {deployment_id} does not exist")
        if force:
            self._end(deployment, success=False)
            for app_id in deployment.affected:
                self.enforce(app_id)
            return None

        def back(root: Root, version: str) -> Root:
            return root.with_apps({app_id: deployment.original.get(app_id) for app_id in deployment.affected}, version)

        return self.change(back, force=True)

    def definition(self, app_id: str) -> App | None:
        """The current definition of an app, considering deployments; None if it must not run."""
        for deployment in self.deployments.values():
            if app_id in deployment.affected:
                return deployment.definition(app_id)
        return self.root.apps.get(app_id)

    # --- deployments

    def _begin_step(self, deployment: Deployment) -> None:
        self.effects.records[f"deployment:{deployment.id}"] = msgspec.json.encode(deployment)
        if deployment.actions:
            self.emit("deployment_info", plan=deployment.plan(), currentStep=deployment.step())
            for action in deployment.actions:
                if action.kind == deploy.RESTART:
                    self._health_checks_changed(
                        deployment.original.get(action.app_id), deployment.target.get(action.app_id)
                    )
                elif action.kind in {deploy.SCALE, deploy.STOP} and action.app_id not in deployment.original:
                    self._health_checks_changed(None, deployment.target.get(action.app_id))
        for action in deployment.actions:
            self.enforce(action.app_id)

    def _health_checks_changed(self, before: App | None, after: App | None) -> None:
        old = before.health_checks if before is not None else []
        new = after.health_checks if after is not None else []
        for check in old:
            if check not in new and before is not None:
                self.emit("remove_health_check_event", appId=before.id)
        for check in new:
            if check not in old and after is not None:
                shown = msgspec.to_builtins(check)
                self.emit("add_health_check_event", appId=after.id, version=after.version, healthCheck=shown)

    def _advance(self, deployment: Deployment) -> None:
        """Advance to the next step for as long as the current one is done."""
        while deployment.id in self.deployments:
            if deployment.current < len(deployment.steps):
                if not all(self._done(deployment, action) for action in deployment.actions):
                    return
                self.emit("deployment_step_success", plan=deployment.plan(), currentStep=deployment.step())
                deployment.current += 1
            if deployment.current >= len(deployment.steps):
                self._end(deployment, success=True)
                for app_id in deployment.affected:
                    self.enforce(app_id)
                return
            self._begin_step(deployment)

    def _done(self, deployment: Deployment, action: deploy.Action) -> bool:
        instances = self.instances_of(action.app_id)
        definition = deployment.definition(action.app_id)
        if action.kind == deploy.STOP or definition is None:
            return not instances
        return action.kind == deploy.START or is_settled(definition, instances)

    def _end(self, deployment: Deployment, *, success: bool) -> None:
        self.deployments.pop(deployment.id, None)
        self.effects.records[f"deployment:{deployment.id}"] = None
        self.emit("deployment_success" if success else "deployment_failed", id=deployment.id, plan=deployment.plan())
        if success:
            for app_id in deployment.original.keys() - deployment.target.keys():
                self.emit("app_terminated_event", appId=app_id)

    # --- enforcement

    def enforce(self, app_id: str) -> None:
        """Kill surplus instances of an app, and record how many to launch."""
        app = self.definition(app_id)
        instances = self.instances_of(app_id)
        if app is None:
            self.waiting.pop(app_id, None)
            for instance in instances:
                self.kill(instance)
            self.look_for_work()
            return
        decision = decide(app, instances)
        for instance in decision.kill:
            self.kill(instance)
        if decision.launch or any(instance.condition == states.RESERVED for instance in instances):
            waiting = self.waiting.get(app_id)
            if waiting is None or waiting.config_version != app.config_version:
                self.waiting[app_id] = OfferLog(self.clock.wall_ms(), app.config_version)
                self._revive_wanted = True
        else:
            self.waiting.pop(app_id, None)
        self.look_for_work()

    def reset_delay(self, app_id: str) -> None:
        """Launch again without delay."""
        self.delays.reset(app_id)
        self.ask_again()

    def missing(self, app: App) -> int:
        """How many new instances should be launched when there are offers."""
        return decide(app, self.instances_of(app.id)).launch

    def kill(self, instance: Instance, *, reason: str = "") -> None:
        """Kill an instance that is no longer needed. It is replaced if the app still needs as many."""
        if instance.wanted:
            instance.wanted = False
            if not instance.has_task or instance.condition == states.UNREACHABLE_INACTIVE:
                self.forget(instance)
                return
            self.keep(instance)
        self._send_kill(instance, reason)

    def restart_in_place(self, instance: Instance) -> None:
        """Kill the task of an instance that keeps its volumes, and so stays on its agent."""
        self._send_kill(instance, "")

    def _send_kill(self, instance: Instance, reason: str) -> None:
        instance.killed_ms = self.clock.wall_ms()
        if reason:
            log.info("killing %s: %s", instance.task_id, reason)
        self.call("KILL", kill=asked(instance.task_id, instance.agent_id))

    # --- events from Mesos

    def wants_offers(self) -> bool:
        return bool(self.waiting)

    def known_tasks(self) -> list[Json]:
        return [
            asked(instance.task_id, instance.agent_id)
            for instances in self.instances.values()
            for instance in instances.values()
            if instance.has_task
        ]

    def offers(self, messages: Iterable[Json]) -> None:
        """Use each offer for as many instances as fit, taking turns between apps, and decline the rest."""
        for message in messages:
            offer = Offer(message)
            operations = self._launcher.operations(offer)
            self.answer_offer(message, operations)
            self.effects.cut()
            if operations and any(self._is_in_groups(app_id) for app_id in self.waiting):
                self._revive_wanted = True  # agents that had more than their share may be used again
        self.look_for_work()

    def _is_in_groups(self, app_id: str) -> bool:
        app = self.definition(app_id)
        return app is not None and any(operator == "GROUP_BY" for _, operator, *_ in app.constraints)

    def update(self, status: Json) -> None:
        """Handle a task's status. It is acknowledged once its effects are stored."""
        task_id = status["task_id"]["value"]
        state = status["state"]
        instance = self.instance(states.instance_of_task(task_id))
        condition = states.CONDITIONS.get(state)
        if instance is None or instance.task_id != task_id or not instance.has_task:
            self._unknown_task(status, condition)
        elif condition == states.UNREACHABLE and instance.condition == states.UNREACHABLE_INACTIVE:
            pass  # no change: its time keeps running
        elif condition is not None:
            self._alive(instance, status, condition)
        else:
            self._ended(instance, status)
        self.acknowledge(status)

    def _unknown_task(self, status: Json, condition: str | None) -> None:
        task_id = status["task_id"]
        if condition is not None and condition != states.UNREACHABLE:
            log.info("killing the unknown task %s", task_id["value"])
            self.call("KILL", kill={"task_id": task_id, "agent_id": status.get("agent_id", {"value": ""})})
        elif condition is None and status.get("uuid"):
            shown = states.TERMINAL_CONDITIONS.get(status["state"], "Unknown")
            instance_id = states.instance_of_task(task_id["value"])
            run_spec = "/" + instance_id.partition(".")[0].replace("_", "/")
            self.emit("unknown_instance_terminated_event", instanceId=instance_id, runSpecId=run_spec, condition=shown)

    def _alive(self, instance: Instance, status: Json, condition: str) -> None:
        now_ms = self.clock.wall_ms()
        app = self.definition(instance.app_id)
        if status.get("agent_id"):
            instance.agent_id = status["agent_id"]["value"]
        network = (status.get("container_status") or {}).get("network_infos") or []
        addresses = [address for info in network for address in info.get("ip_addresses") or []]
        if addresses:
            instance.ip_addresses = [
                {"ipAddress": address["ip_address"], "protocol": "IPv6" if ":" in address["ip_address"] else "IPv4"}
                for address in addresses
                if "ip_address" in address
            ]
        if condition != instance.condition:
            instance.condition = condition
            instance.since_ms = now_ms
            if condition == states.RUNNING:
                instance.started_ms = instance.started_ms or now_ms
                instance.unreachable_ms = 0
                if app is not None and not app.health_checks:
                    self.delays.succeeded(app)
            elif condition == states.UNREACHABLE:
                instance.unreachable_ms = now_ms
            self.keep(instance)
            self._status_event(instance, status)
            self._instance_event(instance, condition)
        elif not status.get("reason", "").startswith("REASON_RECONCILIATION"):
            self._status_event(instance, status)
        if "healthy" in status:
            self.health.by_mesos(instance, app, bool(status["healthy"]), status.get("message"))
        if not instance.wanted and condition != states.KILLING and now_ms - instance.killed_ms >= KILL_RETRY_MS:
            self._send_kill(instance, "")
        if condition == states.UNREACHABLE:
            self._unreachable(instance, now_ms)
        self.changed(instance.app_id)

    def _ended(self, instance: Instance, status: Json) -> None:
        state = status["state"]
        now_ms = self.clock.wall_ms()
        app = self.definition(instance.app_id)
        failed = (
            instance.wanted
            and state in FAILURES | {"TASK_FINISHED"}
            and status.get("reason") != "REASON_INVALID_OFFERS"
        )
        if failed and app is not None and instance.config_version == app.config_version:
            self.delays.failed(app, now_ms)
        if state in FAILURES and instance.wanted:
            self.failures[instance.app_id] = failure = {
                "appId": instance.app_id,
                "host": instance.host,
                "message": status.get("message", ""),
                "state": state,
                "taskId": instance.task_id,
                "timestamp": timestamp(now_ms),
                "version": instance.app_version,
                "slaveId": instance.agent_id,
            }
            self.effects.records[f"failure:{instance.app_id}"] = msgspec.json.encode(failure)
        self._status_event(instance, status)
        self._instance_event(instance, states.TERMINAL_CONDITIONS.get(state, "Unknown"))
        if instance.volumes and instance.wanted:
            instance.condition = states.RESERVED
            instance.incarnation += 1
            instance.since_ms, instance.started_ms, instance.killed_ms = now_ms, 0, 0
            instance.health.clear()
            instance.ready = None
            self.keep(instance)
        else:
            self.forget(instance)
        self._revive_wanted = True
        self.changed(instance.app_id)

    def _unreachable(self, instance: Instance, now_ms: int) -> None:
        app = self.definition(instance.app_id)
        strategy = app.unreachable_strategy if app is not None else None
        if strategy == DISABLED or (strategy is None and instance.volumes):
            return
        if not isinstance(strategy, UnreachableEnabled):
            strategy = UnreachableEnabled()
        gone_ms = now_ms - instance.unreachable_ms
        if gone_ms >= strategy.expunge_after_seconds * 1000 or not instance.wanted:
            self._instance_event(instance, "Gone")
            self.forget(instance)
        elif gone_ms >= strategy.inactive_after_seconds * 1000 and instance.condition == states.UNREACHABLE:
            instance.condition = states.UNREACHABLE_INACTIVE
            self.keep(instance)
            self._instance_event(instance, states.UNREACHABLE_INACTIVE)

    def changed(self, app_id: str) -> None:
        """One of its instances has changed: the app may need action, and a deployment may continue."""
        self.enforce(app_id)
        for deployment in list(self.deployments.values()):
            if app_id in deployment.affected:
                self._advance(deployment)

    # --- time

    def tick(self) -> None:
        """Timed work: delays that end, unreachable agents, kills and launches without an answer."""
        now_ms = self.clock.wall_ms()
        for instance in [instance for instances in self.instances.values() for instance in instances.values()]:
            waited_ms = now_ms - instance.since_ms
            if instance.condition in {states.UNREACHABLE, states.UNREACHABLE_INACTIVE}:
                self._unreachable(instance, now_ms)
                if self.instance(instance.id) is None or instance.condition == states.UNREACHABLE_INACTIVE:
                    self.changed(instance.app_id)
            elif not instance.wanted and instance.has_task and now_ms - instance.killed_ms >= KILL_RETRY_MS:
                self._send_kill(instance, "")
            elif (
                instance.condition in {states.STAGING, states.STARTING}
                and waited_ms >= STAGING_LIMIT_MS
                and instance.wanted
            ):
                self.kill(instance, reason="it was not running within the limit")
                self.changed(instance.app_id)
            elif instance.condition == states.PROVISIONED and waited_ms >= LAUNCH_CONFIRM_MS:
                instance.since_ms = now_ms
                self.call("RECONCILE", reconcile={"tasks": [asked(instance.task_id, instance.agent_id)]})
        for app_id in self.waiting:
            app = self.definition(app_id)
            if app is not None and self.delays.left_ms(app, now_ms) == 0 and self._was_delayed(app_id):
                self._revive_wanted = True
        self.look_for_work()
        self.keep_reconciled()

    def _was_delayed(self, app_id: str) -> bool:
        """Whether an app's delay has just ended; true once for each delay."""
        return self._launcher.delayed.pop(app_id, None) is not None

    # --- events about instances

    def _status_event(self, instance: Instance, status: Json) -> None:
        self.emit(
            "status_update_event",
            slaveId=instance.agent_id,
            taskId=instance.task_id,
            taskStatus=status["state"],
            message=status.get("message", ""),
            appId=instance.app_id,
            host=instance.host,
            ipAddresses=instance.ip_addresses,
            ports=instance.ports,
            version=instance.app_version,
        )

    def _instance_event(self, instance: Instance, condition: str) -> None:
        self.emit(
            "instance_changed_event",
            instanceId=instance.id,
            condition=condition,
            runSpecId=instance.app_id,
            agentId=instance.agent_id,
            host=instance.host,
            runSpecVersion=instance.app_version,
        )

    def counts(self, app_id: str) -> dict[str, int]:
        """tasksStaged, tasksRunning, tasksHealthy, tasksUnhealthy."""
        app = self.root.apps.get(app_id)
        checks = len(app.health_checks) if app is not None else 0
        instances = self.instances_of(app_id)
        staged = {states.PROVISIONED, states.STAGING, states.STARTING}
        return {
            "tasksStaged": sum(instance.condition in staged for instance in instances),
            "tasksRunning": sum(instance.condition == states.RUNNING for instance in instances),
            "tasksHealthy": sum(instance.healthy(checks) is True for instance in instances),
            "tasksUnhealthy": sum(instance.healthy(checks) is False for instance in instances),
        }

    def is_ready(self, app_id: str) -> bool:
        """Whether the configured number of instances is ready."""
        app = self.root.apps.get(app_id)
        return (
            app is not None and sum(is_ready(app, instance) for instance in self.instances_of(app_id)) >= app.instances
        )
