"""Marathon's state, seen from the parts that launch instances and judge their health."""

from __future__ import annotations

from typing import Any, Protocol

from smackbox.base.clock import Clock
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.launch_delay import LaunchDelays
from smackbox.marathon.state.offer_log import OfferLog
from smackbox.marathon.wire.app import App


class InstancesOwner(Protocol):
    """Keeps apps and instances, and decides what becomes of them."""

    clock: Clock
    delays: LaunchDelays
    waiting: dict[str, OfferLog]
    instances: dict[str, dict[str, Instance]]
    framework_id: str | None

    def definition(self, app_id: str) -> App | None:
        """How an app is to run at this moment, deployments considered; None where it is not to run."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """The instance of that id, None without it."""
        ...

    def instances_of(self, app_id: str) -> list[Instance]:
        """The instances of an app."""
        ...

    def missing(self, app: App) -> int:
        """How many new instances are to be launched now, were there offers."""
        ...

    def enforce(self, app_id: str) -> None:
        """Kill what is too much of an app, and note how many are to be launched."""
        ...

    def keep(self, instance: Instance) -> None:
        """Store an instance that is new or changed."""
        ...

    def kill(self, instance: Instance, *, reason: str = "") -> None:
        """It is not wanted any more."""
        ...

    def restart_in_place(self, instance: Instance) -> None:
        """Kill the task of an instance that keeps its volumes, and so its place."""
        ...

    def changed(self, app_id: str) -> None:
        """One of its instances did: the app may need something, and a deployment may go on."""
        ...

    def new_id(self) -> str:
        """An id that nobody had before."""
        ...

    def emit(self, event_type: str, **fields: Any) -> None:
        """Publish an event once what it tells of is stored."""
        ...
