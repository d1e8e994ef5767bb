"""Pause, resume and rewind the projections of an actor system by their ids.

management = ProjectionManagement.of(system)
await management.pause(ProjectionId("totals", "orders"))
await management.update_offset(id, offset)          # the events after it are handled again
await management.resume(id)
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.persistence.offset import Offset
from smackbox.akka.projection.messages import Clear, GetOffset, IsPaused, Pause, Resume, SetOffset
from smackbox.akka.projection.metrics import ProjectionCollector, ProjectionStatus
from smackbox.akka.projection.projection_id import ProjectionId
from smackbox.base.errors import RequestError

OPERATION_TIMEOUT_S = 10.0
"""pekko-projection's `management.operation-timeout`."""


class UnknownProjectionError(RequestError):
    """No projection with that id runs here."""


class ProjectionManagement:
    """Its methods raise `UnknownProjectionError`, `AskTimeoutError`, and what the projection's store raises."""

    def __init__(self) -> None:
        self._running: dict[ProjectionId, tuple[ActorRef[Any], ProjectionStatus]] = {}

    @classmethod
    def of(cls, system: ActorSystem) -> ProjectionManagement:
        """The one of a system."""
        return _of_system.setdefault(system, cls())

    @property
    def ids(self) -> list[ProjectionId]:
        """Those that run, paused ones included."""
        return list(self._running)

    @property
    def statuses(self) -> list[ProjectionStatus]:
        """How each of them is."""
        return [status for _, status in self._running.values()]

    def collector(self) -> ProjectionCollector:
        """For a registry of `prometheus_client`."""
        return ProjectionCollector(lambda: self.statuses)

    async def get_offset(self, id_: ProjectionId) -> Offset:
        """The saved one; `NoOffset` where there is none."""
        offset: Offset = await self._ask(id_, GetOffset())
        return offset

    async def update_offset(self, id_: ProjectionId, offset: Offset) -> None:
        """Go on after `offset`; a paused one does so when it is resumed."""
        await self._ask(id_, SetOffset(offset))

    async def clear_offset(self, id_: ProjectionId) -> None:
        """Go on from the beginning."""
        await self._ask(id_, Clear())

    async def pause(self, id_: ProjectionId) -> None:
        """Handle no more events, also after a restart of the process."""
        await self._ask(id_, Pause())

    async def resume(self, id_: ProjectionId) -> None:
        """Go on after the saved offset."""
        await self._ask(id_, Resume())

    async def is_paused(self, id_: ProjectionId) -> bool:
        """Whether it was told to pause."""
        return bool(await self._ask(id_, IsPaused()))

    async def _ask(self, id_: ProjectionId, message: Any) -> Any:
        found = self._running.get(id_)
        if found is None:
            running = ", ".join(sorted(instance_id.text for instance_id in self._running)) or "none"
            raise UnknownProjectionError(f"no projection {id_.text} runs here; there is {running}")
        return await found[0].request(message, OPERATION_TIMEOUT_S)

    def _add(self, id_: ProjectionId, ref: ActorRef[Any], status: ProjectionStatus) -> None:
        other = self._running.get(id_)
        if other is not None and other[0] != ref:
            raise ValueError(f"the projection {id_.text} runs in this system already, as {other[0].path}")
        self._running[id_] = (ref, status)

    def _remove(self, id_: ProjectionId, ref: ActorRef[Any]) -> None:
        found = self._running.get(id_)
        if found is not None and found[0] == ref:
            del self._running[id_]


_of_system: WeakKeyDictionary[ActorSystem, ProjectionManagement] = WeakKeyDictionary()
