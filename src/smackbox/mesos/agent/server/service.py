"""The agent as a `Service`: its directory, its containers, its link to the master, and its HTTP endpoints.

A stop lets go of the tasks: they run on, and the next agent on the same directory takes them up. They are killed when
the directory is one in memory, when `kill_tasks_on_stop` is set, and by `shut_down`, which also tells the master that
the agent leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError, StorageError
from smackbox.mesos.agent.handlers import routes
from smackbox.mesos.agent.handlers.context import EXECUTORS, AgentContext
from smackbox.mesos.agent.handlers.metrics import snapshot
from smackbox.mesos.agent.server import host
from smackbox.mesos.agent.server.cgroups import Cgroups, CgroupsUnavailable
from smackbox.mesos.agent.server.composed_containerizer import ComposedContainerizer
from smackbox.mesos.agent.server.docker_containerizer import DockerContainerizer
from smackbox.mesos.agent.server.docker_engine import DockerEngine
from smackbox.mesos.agent.server.fetcher import Fetcher
from smackbox.mesos.agent.server.isolation import IsolatingContainerizer
from smackbox.mesos.agent.server.master_link import MasterLink
from smackbox.mesos.agent.server.options import agent_attributes, agent_resources, flags
from smackbox.mesos.agent.server.sandbox_collector import SandboxCollector
from smackbox.mesos.agent.server.security import (
    executor_tokens,
    make_access,
    master_headers,
    master_tls,
    own_tls,
)
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.agent.state import recovery
from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.checkpoints import Checkpoints
from smackbox.mesos.agent.state.entities import AgentExecutor
from smackbox.mesos.agent.state.options import AgentOptions
from smackbox.mesos.agent.state.timers import Timers
from smackbox.net.http import Answer, HttpRequest, HttpResponse
from smackbox.net.http_client import HttpClient, HttpClientError
from smackbox.net.http_server import HttpServer
from smackbox.net.open_files import raise_open_file_limit
from smackbox.net.service import run_loop
from smackbox.net.tls import unverified
from smackbox.store.data_dir import DataDir

if TYPE_CHECKING:
    from smackbox.net.metrics_endpoint import MetricsEndpoint

KILL_TIMEOUT_S = 3.0
"""So long after their grace period tasks may take to end when the agent stops for good."""
FLUSH_TIMEOUT_S = 1.0
HIDDEN_VARIABLES = ("LIBPROCESS_", "MESOS_", "SMACK_")

log = logging.getLogger(__name__)


class AgentService:
    """One agent. `on_gone` is called when the master has told it to go for good."""

    name = "mesos-agent"

    def __init__(self, settings: MesosAgentSettings, *, clock: Clock | None = None) -> None:
        settings.check()
        self.settings = settings
        self._access = make_access(settings)
        self._master_headers = master_headers(settings)
        self.agent: Agent
        self.on_gone: Callable[[str], None] = lambda message: log.warning("the agent was shut down: %s", message)
        self._timers = Timers(clock or SystemClock())
        self._timers.changed = self._arm
        self._armed: asyncio.TimerHandle | None = None
        self._data_dir: DataDir | None = None
        self._containers: ComposedContainerizer | None = None
        self._http: HttpServer | None = None
        self._client: HttpClient | None = None
        self._link: MasterLink | None = None
        self._collector: SandboxCollector | None = None
        self._metrics: MetricsEndpoint | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._handle: Callable[[HttpRequest], Answer] = lambda _: HttpResponse.text("the agent is starting\n", 503)

    @property
    def url(self) -> str:
        assert self._http is not None
        return self._http.url

    @property
    def is_registered(self) -> bool:
        return self._link is not None and self._link.subscribed.is_set()

    # --- life

    def clean_up(self) -> None:
        """Kill what a former life has left and forget it, without becoming an agent. Raises `StartError`."""
        run_loop(self._clean_up())

    async def start(self) -> None:
        """Recover, listen, look for the master. Raises `StartError`, `SettingError`."""
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise

    async def probe(self) -> None:
        """Ask for its health; then wait a moment for the master. Raises `StartError`."""
        assert self._link is not None
        client = HttpClient(tls=None if self.settings.ssl_cert_file is None else unverified())
        try:
            answer = await client.request("GET", self.url + "/health")
        except HttpClientError as error:
            raise StartError(f"the agent does not answer: {error}") from error
        finally:
            await client.close()
        if answer.status != 200:
            raise StartError(f"the agent is not healthy: {answer.status}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.milliseconds("registration_wait") / 1_000):
                await self._link.subscribed.wait()
        if not self.is_registered:
            log.warning("no master at %s yet: the agent goes on looking for it", self.settings.master)

    async def stop(self) -> None:
        if hasattr(self, "agent") and (
            self.settings.kill_tasks_on_stop or (self._data_dir is not None and self._data_dir.temporary)
        ):
            await self._kill_all(None)
        await self._close()

    async def shut_down(self) -> None:
        """Kill all tasks, tell the master, and stop: the agent does not come back as the one it was."""
        await self._kill_all(None)
        self._say_goodbye()
        if self._link is not None:
            await self._link.flush(FLUSH_TIMEOUT_S)
        await self._close()

    async def _start(self) -> None:
        settings = self.settings
        raise_open_file_limit()
        self._data_dir = DataDir.open(settings.dir)
        work_dir = self._data_dir.path.resolve()
        try:
            checkpoints = Checkpoints(work_dir / "meta", sync=settings.sync)
            await self._listen(checkpoints.read("agent"))
            self._make_agent(work_dir, checkpoints)
            self.agent.on_shutdown = self._gone
            self._collector = SandboxCollector(
                work_dir,
                delay_s=settings.milliseconds("gc_delay") / 1_000,
                headroom=settings.gc_disk_headroom,
                interval_s=settings.milliseconds("disk_watch_interval") / 1_000,
            )
            self.agent.on_retired = self._retired
            checkpoints.write("boot_id", host.boot_id())
            recovery.recover(self.agent, policy=settings.reconfiguration_policy)
            if self.agent.id is not None:
                self.agent.write_info()
            self._sweep_cgroups()
            self._collector.start(
                {one.directory for fw in self.agent.frameworks.values() for one in fw.executors.values()}
            )
        except StorageError as error:
            raise StartError(str(error)) from error
        context = AgentContext(
            self.agent,
            work_dir,
            flags=flags(settings),
            access=self._access,
            token=self.agent.settings.executor_token,
            statistics=self.agent.containers.statistics,
            leader=lambda: None if self._link is None else self._link.leader,
        )
        self._handle = lambda request: routes.handle(context, request)
        self._client = HttpClient(tls=master_tls(settings), headers=self._master_headers)
        if hasattr(signal, "SIGUSR1") and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._leave)
        scheme = "http" if settings.ssl_ca_file is None else "https"
        if settings.metrics_port is not None:
            await self._start_metrics(settings.metrics_port, context)
        self._link = MasterLink(self.agent, settings.master, self._client, scheme=scheme)
        self._link.start()

    async def _start_metrics(self, port: int, context: AgentContext) -> None:
        from smackbox.mesos.http.prometheus import registry
        from smackbox.net.metrics_endpoint import MetricsEndpoint

        made = registry(lambda: snapshot(context))
        self._metrics = MetricsEndpoint(made, self.settings.host, port, insecure=self.settings.insecure)
        await self._metrics.start()

    async def _listen(self, saved: dict[str, Any] | None) -> None:
        """With port 0 the one of the former life, when it is free: executors look for the agent there."""
        settings = self.settings
        ports = [settings.port]
        if settings.port == 0 and saved is not None:
            ports.insert(0, saved["port"])
        for port in ports:
            self._http = HttpServer(
                self.name,
                self._answer,
                host=settings.host,
                port=port,
                insecure=settings.insecure,
                authenticated=settings.http_credentials is not None,
                tls=own_tls(settings, self.name),
            )
            try:
                await self._http.start()
            except StartError:
                if port == ports[-1]:
                    raise
            else:
                return

    def _answer(self, request: HttpRequest) -> Answer:
        return self._handle(request)

    def _make_containers(self, work_dir: Path, *, is_same_boot: bool) -> ComposedContainerizer:
        settings = self.settings
        fetcher = Fetcher(
            (settings.fetcher_cache_dir or work_dir) / "fetch",
            cache_limit=settings.fetcher_cache_size,
            stall_timeout_s=settings.milliseconds("fetcher_stall_timeout") / 1_000,
        )
        watch_s = settings.milliseconds("container_disk_watch_interval") / 1_000
        processes = IsolatingContainerizer(
            fetcher,
            cgroups=self._cgroups(),
            disk_watch_s=watch_s if settings.enforce_container_disk_quota else None,
            is_same_boot=is_same_boot,
        )
        engine = DockerEngine(settings.docker_socket)
        remove_delay_s = settings.milliseconds("docker_remove_delay") / 1_000
        return ComposedContainerizer(processes, DockerContainerizer(engine, fetcher, remove_delay_s=remove_delay_s))

    def _sweep_cgroups(self) -> None:
        if self._containers is not None and self._containers.processes.isolation is not None:
            frameworks = self.agent.frameworks.values()
            needed = {executor.container_id for one in frameworks for executor in one.executors.values()}
            self._containers.processes.isolation.sweep(needed, time.time())

    def _cgroups(self) -> Cgroups | None:
        """Raises `StartError` where cgroups are asked for by name and there are none."""
        settings = self.settings
        if settings.isolation and "cgroups" not in settings.isolation:
            log.info("isolation: plain processes, as --isolation=%s says", settings.isolation)
            return None
        try:
            cgroups = Cgroups.open(settings.cgroups_root, enable_cfs=settings.cgroups_enable_cfs)
        except CgroupsUnavailable as error:
            if settings.isolation:
                raise StartError(f"--isolation={settings.isolation} cannot be had: {error}") from error
            log.info("isolation: plain processes without limits on cpu and memory: %s", error)
            return None
        log.info("isolation: cgroups version %d for cpu and memory", cgroups.version)
        return cgroups

    def _agent_settings(self, work_dir: Path) -> AgentOptions:
        settings = self.settings
        ip = settings.advertise_ip or host.outward_ip(settings.host)
        environment = settings.environment()
        if environment is None:
            environment = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN_VARIABLES)}
        return AgentOptions(
            hostname=settings.hostname or host.hostname(ip),
            ip=ip,
            port=settings.port if self._http is None else self._http.port,
            work_dir=work_dir,
            resources=agent_resources(settings, work_dir),
            attributes=agent_attributes(settings),
            scheme="http" if settings.ssl_cert_file is None else "https",
            environment=environment,
            switch_user=settings.switch_user and os.geteuid() == 0,
            executor_registration_timeout_ms=settings.milliseconds("executor_registration_timeout"),
            executor_reregistration_timeout_ms=settings.milliseconds("executor_reregistration_timeout"),
            executor_shutdown_grace_period_ms=settings.milliseconds("executor_shutdown_grace_period"),
            recovery_timeout_ms=settings.milliseconds("recovery_timeout"),
        )

    def _make_agent(self, work_dir: Path, checkpoints: Checkpoints) -> None:
        same_boot = checkpoints.read("boot_id") in {None, host.boot_id()}
        self._containers = self._make_containers(work_dir, is_same_boot=same_boot)
        token = executor_tokens(checkpoints) if EXECUTORS in self._access.asked else None
        settings = dataclasses.replace(self._agent_settings(work_dir), executor_token=token)
        self.agent = Agent(settings, checkpoints, self._timers, self._containers, uuid.uuid4)

    async def _clean_up(self) -> None:
        self._data_dir = DataDir.open(self.settings.dir)
        try:
            work_dir = self._data_dir.path.resolve()
            checkpoints = Checkpoints(work_dir / "meta")
            if checkpoints.read("agent") is None:
                return
            self._make_agent(work_dir, checkpoints)
            recovery.recover(self.agent, policy=recovery.ANY)
            await self._kill_all(0)
            checkpoints.forget_agent()
        except StorageError as error:
            raise StartError(str(error)) from error
        finally:
            await self._close()

    async def _kill_all(self, grace_ms: int | None) -> None:
        agent = self.agent
        for framework in list(agent.frameworks.values()):
            agent.shut_down_framework(framework, grace_ms)
        grace_s = self.settings.milliseconds("executor_shutdown_grace_period") / 1_000
        limit_s = KILL_TIMEOUT_S + (grace_s if grace_ms is None else grace_ms / 1_000)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while agent.frameworks:
                    await asyncio.sleep(0.01)
        if agent.frameworks:
            log.error("%d frameworks still have tasks that do not end", len(agent.frameworks))

    async def _close(self) -> None:
        if self._link is not None:
            await self._link.stop()
        if self._http is not None:
            await self._http.stop()
        if self._metrics is not None:
            await self._metrics.stop()
        if self._collector is not None:
            await self._collector.stop()
        if self._containers is not None:
            await self._containers.stop()
        if self._client is not None:
            await self._client.close()
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None
        self._timers.changed = lambda: None
        if self._data_dir is not None:
            self._data_dir.close()

    def _leave(self) -> None:
        """SIGUSR1: tasks are killed, the master is told, and the process is asked to end."""

        async def leave() -> None:
            await self._kill_all(None)
            self._say_goodbye()
            if self._link is not None:
                await self._link.flush(FLUSH_TIMEOUT_S)
            self.on_gone("SIGUSR1")

        self._leaving = asyncio.get_running_loop().create_task(leave())

    def _say_goodbye(self) -> None:
        self.agent.tell_master({"type": "UNSUBSCRIBE"})
        self.agent.checkpoints.forget_agent()

    def _retired(self, executor: AgentExecutor) -> None:
        if self._collector is not None:
            self._collector.leave(executor.directory)

    def _gone(self, message: str) -> None:
        """The master wants this agent no more: it does not come back by itself."""
        if self._link is not None:
            self._leaving = asyncio.get_running_loop().create_task(self._link.stop())
        self.on_gone(message)

    # --- the machine's timers, on the loop

    def _arm(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
        next_ms = self._timers.next_ms()
        self._armed = None
        if next_ms is not None:
            self._armed = asyncio.get_running_loop().call_later(next_ms / 1_000, self._run_timers)

    def _run_timers(self) -> None:
        self._armed = None
        try:
            self._timers.run_due()
        finally:
            self._arm()
