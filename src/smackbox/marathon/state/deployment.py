"""A deployment: the transition of some apps from one state to another, in steps, and its progress.

The desired state (the root group) is the target from the start; a deployment decides when each app switches to it.
Until its turn, an app keeps its original definition. Each step waits until the apps of the previous one are settled, so
that dependencies are ready before the apps that need them start.
"""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.marathon.state.root import Root
from smackbox.marathon.wire import path_id
from smackbox.marathon.wire.app import App

Json = dict[str, Any]

START = "StartApplication"
SCALE = "ScaleApplication"
STOP = "StopApplication"
RESTART = "RestartApplication"


class Action(msgspec.Struct, frozen=True):
    """The action of a deployment on one app."""

    kind: str
    app_id: str

    def render(self) -> Json:
        """The action as in the API."""
        return {"action": self.kind, "app": self.app_id}


class Deployment(msgspec.Struct, kw_only=True):
    """`original` and `target` define only the affected apps; an app missing from one of them is created or removed."""

    id: str
    version: str
    original: dict[str, App]
    target: dict[str, App]
    steps: list[list[Action]]
    original_version: str = ""
    current: int = 0
    group: str = path_id.ROOT

    @property
    def affected(self) -> set[str]:
        """The ids of the apps that it changes."""
        return set(self.original) | set(self.target)

    @property
    def actions(self) -> list[Action]:
        """The actions of the current step."""
        return self.steps[self.current] if self.current < len(self.steps) else []

    def definition(self, app_id: str) -> App | None:
        """The current definition of an affected app; None if it must not run."""
        target = self.target.get(app_id)
        original = self.original.get(app_id)
        reached = [action.kind for step in self.steps[: self.current + 1] for action in step if action.app_id == app_id]
        if not reached:
            return original
        if reached == [START] and target is not None:
            return msgspec.structs.replace(target, instances=0)
        return target

    def render(self, readiness: Json) -> Json:
        """The deployment as in the API, with the readiness of its tasks."""
        return {
            "id": self.id,
            "version": self.version,
            "affectedApps": sorted(self.affected),
            "affectedPods": [],
            "steps": [{"actions": [action.render() for action in step]} for step in self.steps],
            "currentActions": [
                {**action.render(), "readinessCheckResults": readiness.get(action.app_id, [])}
                for action in self.actions
            ],
            "currentStep": min(self.current + 1, len(self.steps)),
            "totalSteps": len(self.steps),
        }

    def plan(self) -> Json:
        """The plan as in events."""
        return {
            "id": self.id,
            "version": self.version,
            "original": _group(self.original, self.original_version),
            "target": _group(self.target, self.version),
            "steps": [{"actions": [action.render() for action in step]} for step in self.steps],
        }

    def step(self) -> Json:
        """The current step as in events."""
        return {"actions": [action.render() for action in self.actions]}


def steps(original: Root, target: Root) -> list[list[Action]]:
    """The steps from one root to another: stop removed apps, then the rest in the order of dependencies."""
    gone = [Action(STOP, app_id) for app_id in sorted(original.apps.keys() - target.apps.keys())]
    created = [Action(START, app_id) for app_id in sorted(target.apps.keys() - original.apps.keys())]
    changed: dict[str, Action] = {}
    for app_id, app in target.apps.items():
        before = original.apps.get(app_id)
        if before is None:
            changed[app_id] = Action(SCALE, app_id)
        elif before.config_version != app.config_version:
            changed[app_id] = Action(RESTART, app_id)
        elif before.instances != app.instances:
            changed[app_id] = Action(SCALE, app_id)
    layers = [[changed[app_id] for app_id in layer] for layer in target.layers(changed)]
    return [step for step in (gone, created, *layers) if step]


def _group(apps: dict[str, App], version: str) -> Json:
    root = Root().with_apps(apps, version)
    return root.render(path_id.ROOT)
