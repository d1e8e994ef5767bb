"""Marathon's state as the parts that launch instances and check their health see it."""

from __future__ import annotations

from typing import Any, Protocol

from smackbox.base.clock import Clock
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.launch_delay import LaunchDelays
from smackbox.marathon.state.offer_log import OfferLog
from smackbox.marathon.wire.app import App


class InstancesOwner(Protocol):
    """Keeps apps and instances, and makes decisions about them."""

    clock: Clock
    delays: LaunchDelays
    waiting: dict[str, OfferLog]
    instances: dict[str, dict[str, Instance]]
    framework_id: str | None

    def definition(self, app_id: str) -> App | None:
        """The current definition of an app, considering deployments; None if it must not run."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """The instance of that id, or None."""
        ...

    def instances_of(self, app_id: str) -> list[Instance]:
        """The instances of an app."""
        ...

    def missing(self, app: App) -> int:
        """How many new instances should be launched when there are offers."""
        ...

    def enforce(self, app_id: str) -> None:
        """Kill surplus instances of an app, and record how many to launch."""
        ...

    def keep(self, instance: Instance) -> None:
        """Store a new or changed instance."""
        ...

    def kill(self, instance: Instance, *, reason: str = "") -> None:
        """Kill an instance that is no longer needed."""
        ...

    def restart_in_place(self, instance: Instance) -> None:
        """Kill the task of an instance that keeps its volumes, and so stays on its agent."""
        ...

    def changed(self, app_id: str) -> None:
        """One of its instances has changed: the app may need action, and a deployment may continue."""
        ...

    def new_id(self) -> str:
        """A new unique id."""
        ...

    def emit(self, event_type: str, **fields: Any) -> None:
        """Publish an event once the change that it describes is stored."""
        ...
