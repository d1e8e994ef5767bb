"""One term of leadership: from the stored state to a running Marathon, and its end, after which nothing of it acts."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smackbox.base.clock import Clock
from smackbox.coordination.state_store import StateStore
from smackbox.framework.committer import Committer
from smackbox.framework.driver import Masters, SchedulerDriver
from smackbox.framework.effects import Effects
from smackbox.marathon.server.event_bus import EventBus
from smackbox.marathon.server.health_checker import HealthChecker
from smackbox.marathon.settings import MarathonSettings
from smackbox.marathon.state.marathon import Marathon
from smackbox.net.http import basic_authorization
from smackbox.net.http_client import HttpClient

Json = dict[str, Any]

TICK_S = 0.2
CAPABILITIES = ("PARTITION_AWARE", "TASK_KILLING_STATE", "MULTI_ROLE", "RESERVATION_REFINEMENT", "GPU_RESOURCES")


class Term:
    """The scheduler that the driver talks to, and the owner of everything that runs while this process leads."""

    def __init__(
        self,
        settings: MarathonSettings,
        clock: Clock,
        store: StateStore,
        masters: Masters,
        bus: EventBus,
        webui_url: str,
        fenced: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._webui_url = webui_url
        self._fenced = fenced
        self._client = HttpClient()
        headers = {}
        if settings.mesos_authentication_principal is not None:
            assert settings.mesos_authentication_secret_file is not None
            secret = settings.mesos_authentication_secret_file.read_text().strip()
            headers["Authorization"] = basic_authorization(settings.mesos_authentication_principal, secret)
        self.driver = SchedulerDriver(masters, self, self._client, headers)
        self.marathon = Marathon(
            clock,
            self.driver,
            bus.publish,
            lambda: str(uuid.uuid4()),
            role=settings.mesos_role,
            principal=settings.mesos_authentication_principal,
            secrets=_secrets(settings.secrets_dir),
        )
        self._checker = HealthChecker(self.marathon, self._client, self._decided)
        self._committer: Committer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Take over what is stored, and go on from there. Raises `StorageError`."""
        self.marathon.load(await self._store.load())
        self._committer = Committer(self._store, self._take, self._fenced)
        self._decided()
        self._tasks = [asyncio.create_task(self.driver.run()), asyncio.create_task(self._tick())]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._checker.stop()
        if self._committer is not None:
            await self._committer.stop()
        await self._client.close()

    async def committed(self) -> None:
        """Until everything decided so far is stored. Raises `StorageError` when the term ends before."""
        assert self._committer is not None
        await self._committer.committed()

    # --- what the driver asks and says

    def framework_info(self) -> Json:
        settings = self._settings
        info: Json = {
            "user": settings.mesos_user,
            "name": settings.framework_name,
            "failover_timeout": settings.failover_timeout,
            "checkpoint": True,
            "roles": [settings.mesos_role],
            "capabilities": [{"type": one} for one in CAPABILITIES],
            "webui_url": self._webui_url,
        }
        if settings.hostname is not None:
            info["hostname"] = settings.hostname
        if settings.mesos_authentication_principal is not None:
            info["principal"] = settings.mesos_authentication_principal
        if self.marathon.framework_id is not None:
            info["id"] = {"value": self.marathon.framework_id}
        return info

    def event(self, event: Json) -> None:
        kind = event.get("type")
        if kind == "SUBSCRIBED":
            self.marathon.subscribed(event["subscribed"]["framework_id"]["value"])
        elif kind == "OFFERS":
            self.marathon.offers(event["offers"]["offers"])
        elif kind == "UPDATE":
            self.marathon.update(event["update"]["status"])
        elif kind == "ERROR":
            self.marathon.refused(event["error"]["message"])
        self._decided()

    def disconnected(self) -> None:
        self.marathon.disconnected()

    # --- inside

    def _take(self) -> Effects:
        effects, self.marathon.effects = self.marathon.effects, Effects()
        return effects

    def _decided(self) -> None:
        if self._committer is not None and self.marathon.effects:
            self._committer.wake()

    async def _tick(self) -> None:
        while True:
            self.marathon.tick()
            self._checker.follow()
            self._decided()
            await asyncio.sleep(TICK_S)


def _secrets(folder: Path | None) -> Callable[[str], str | None]:
    def read(source: str) -> str | None:
        if folder is None or not _is_name(source):
            return None
        with contextlib.suppress(OSError):
            return (folder / source).read_text().rstrip("\n")
        return None

    return read


def _is_name(source: str) -> bool:
    return all(part not in {"", ".", ".."} for part in source.split("/"))
