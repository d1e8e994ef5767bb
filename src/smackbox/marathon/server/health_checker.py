"""Health and readiness checks that Marathon runs itself, over the network: HTTP, HTTPS and TCP.

There is one asyncio task for each check of each running instance. The results of executors' checks (COMMAND, MESOS_*)
arrive in task statuses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from smackbox.marathon.state import instance as states
from smackbox.marathon.state.instance import Instance
from smackbox.marathon.state.marathon import Marathon
from smackbox.marathon.state.task_builder import check_port
from smackbox.marathon.wire.app import App, HealthCheck, ReadinessCheck
from smackbox.net.http_client import HttpClient, HttpClientError

AT_ONCE_LIMIT = 100
"""The number of concurrent checks; further ones wait."""

RESPONSE_LIMIT = 4096
IGNORED = "ignored"


class HealthChecker:
    """`changed` is called after `marathon` has received a result. `client` is closed with the checker."""

    def __init__(self, marathon: Marathon, client: HttpClient, changed: Callable[[], None]) -> None:
        self._marathon = marathon
        self._client = client
        self._changed = changed
        self._running: dict[tuple[str, str, int], asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE_LIMIT)

    def follow(self) -> None:
        """Start the checks of running instances, and stop those of all others."""
        wanted: dict[tuple[str, str, int], Callable[[], Any]] = {}
        for app_id, instances in self._marathon.instances.items():
            app = self._marathon.definition(app_id)
            if app is None or not (app.health_checks or app.readiness_checks):
                continue
            for instance in instances.values():
                if instance.condition != states.RUNNING or instance.config_version != app.config_version:
                    continue
                for index, check in enumerate(app.health_checks):
                    if not check.by_mesos:
                        wanted[instance.task_id, app.config_version, index] = _begin(
                            self._check, app, instance, index, check
                        )
                if app.readiness_checks and instance.ready is not True:
                    wanted[instance.task_id, app.config_version, -1] = _begin(self._until_ready, app, instance)
        for key in self._running.keys() - wanted.keys():
            self._running.pop(key).cancel()
        for key in wanted.keys() - self._running.keys():
            self._running[key] = asyncio.create_task(wanted[key]())

    async def stop(self) -> None:
        """Stop all checks."""
        tasks = list(self._running.values())
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def _check(self, app: App, instance: Instance, index: int, check: HealthCheck) -> None:
        await asyncio.sleep(check.delay_seconds)
        while True:
            async with self._places:
                cause = await self._ask(app, instance, check)
            if cause != IGNORED:
                self._marathon.health.result(instance.id, index, cause is None, cause)
                self._changed()
            await asyncio.sleep(max(check.interval_seconds, 1))

    async def _ask(self, app: App, instance: Instance, check: HealthCheck) -> str | None:
        """None for healthy, otherwise the reason."""
        port = check_port(app, check, instance.ports, inside=False)
        if port is None:
            return "the port to ask is not known"
        if check.protocol == "TCP":
            try:
                async with asyncio.timeout(check.timeout_seconds):
                    _, writer = await asyncio.open_connection(instance.host, port)
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
            except (OSError, TimeoutError) as error:
                return str(error) or "no connection in time"
            return None
        path = "/" + (check.path or "").removeprefix("/")
        url = f"{check.protocol.lower()}://{_bracketed(instance.host)}:{port}{path}"
        try:
            answer = await self._client.request("GET", url, timeout_s=check.timeout_seconds)
        except HttpClientError as error:
            return str(error)
        if answer.status < 200 and check.ignore_http1xx:
            return IGNORED
        return None if 200 <= answer.status < 400 else f"{answer.status}"

    async def _until_ready(self, app: App, instance: Instance) -> None:
        check = app.readiness_checks[0]
        while True:
            async with self._places:
                ready, response = await self._ready(app, instance, check)
            self._marathon.health.readiness_result(instance.id, ready, response)
            self._changed()
            if ready:
                return
            await asyncio.sleep(max(check.interval_seconds, 1))

    async def _ready(self, app: App, instance: Instance, check: ReadinessCheck) -> tuple[bool, dict[str, Any] | None]:
        port = _named_port(app, instance, check.port_name)
        if port is None:
            return False, None
        url = f"{check.protocol.lower()}://{_bracketed(instance.host)}:{port}{check.path}"
        try:
            answer = await self._client.request("GET", url, timeout_s=check.timeout_seconds)
        except HttpClientError:
            return False, None
        response = {
            "status": answer.status,
            "contentType": answer.content_type,
            "body": answer.body[:RESPONSE_LIMIT].decode(errors="replace"),
        }
        return answer.status in check.http_status_codes_for_ready, response if check.preserve_last_response else None


def _begin(work: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: work(*arguments)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _named_port(app: App, instance: Instance, name: str) -> int | None:
    """The host port with that name."""
    if app.host_networking:
        names = [definition.name for definition in app.port_definitions or []]
    else:
        names = [mapping.name for mapping in app.port_mappings if mapping.host_port is not None]
    return instance.ports[names.index(name)] if name in names and names.index(name) < len(instance.ports) else None
