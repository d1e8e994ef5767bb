"""The agent as a service: its directory, its containers, its link to the master, and its HTTP endpoints.

A stop leaves the tasks running, and the next agent on the same directory recovers them. They are killed when the
directory is in memory, when `kill_tasks_on_stop` is set, and by `shut_down`, which also unregisters the agent from the
master.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

from smackbox.base.clock import Clock, SystemClock
from smackbox.base.errors import StartError, StorageError
from smackbox.mesos.agent.handlers import routes
from smackbox.mesos.agent.handlers.context import EXECUTORS, AgentContext
from smackbox.mesos.agent.handlers.metrics import snapshot
from smackbox.mesos.agent.server import host
from smackbox.mesos.agent.server.composed_containerizer import ComposedContainerizer
from smackbox.mesos.agent.server.containers import make_containers
from smackbox.mesos.agent.server.loop_timers import LoopTimers
from smackbox.mesos.agent.server.master_link import MasterLink
from smackbox.mesos.agent.server.options import flags, make_options
from smackbox.mesos.agent.server.sandbox_collector import SandboxCollector
from smackbox.mesos.agent.server.security import executor_tokens, make_access, master_headers, master_tls, own_tls
from smackbox.mesos.agent.settings import MesosAgentSettings
from smackbox.mesos.agent.state import recovery
from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.agent.state.checkpoints import AgentRecord, Checkpoints
from smackbox.mesos.agent.state.timers import Timers
from smackbox.net.http import Answer, HttpRequest, HttpResponse
from smackbox.net.http_client import HttpClient, HttpClientError
from smackbox.net.http_server import HttpServer
from smackbox.net.open_files import raise_open_file_limit
from smackbox.net.service import Server, run_loop
from smackbox.net.tls import unverified
from smackbox.store.data_dir import DataDir

NAME = "mesos-agent"
KILL_TIMEOUT_S = 3.0
"""How long after their grace period tasks may take to end when the agent shuts down for good."""
FLUSH_TIMEOUT_S = 1.0

log = logging.getLogger(__name__)


class RunningAgent:
    """An agent that listens and looks for its master. `on_gone` is called when it is shut down for good."""

    def __init__(
        self,
        settings: MesosAgentSettings,
        agent: Agent,
        http: HttpServer,
        link: MasterLink,
        parts: AsyncExitStack,
        on_gone: Callable[[str], None],
        *,
        is_temporary: bool,
    ) -> None:
        self.agent = agent
        self._settings = settings
        self._http = http
        self._link = link
        self._parts = parts
        self._on_gone = on_gone
        self._is_temporary = is_temporary
        self._leaving: set[asyncio.Task[None]] = set()
        agent.on_shutdown = self._shut_down_by_master

    @property
    def url(self) -> str:
        """The URL of the agent's API."""
        return self._http.url

    @property
    def is_registered(self) -> bool:
        """Whether a master has registered it."""
        return self._link.subscribed.is_set()

    async def probe(self) -> None:
        """Check its health; then wait a moment for the master. Raises `StartError`."""
        client = HttpClient(tls=None if self._settings.ssl_cert_file is None else unverified())
        try:
            answer = await client.request("GET", self.url + "/health")
        except HttpClientError as error:
            raise StartError(f"the agent does not answer: {error}") from error
        finally:
            await client.close()
        if answer.status != 200:
            raise StartError(f"the agent is not healthy: {answer.status}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.milliseconds("registration_wait") / 1_000):
                await self._link.subscribed.wait()
        if not self.is_registered:
            log.warning("no master at %s yet: the agent keeps looking", self._settings.master)

    async def stop(self) -> None:
        """Leave the tasks running, or kill them if the settings or an in-memory directory require it."""
        if self._settings.kill_tasks_on_stop or self._is_temporary:
            await self.kill_tasks(None)
        await self._close()

    async def kill_tasks(self, grace_ms: int | None) -> None:
        """Kill all tasks and wait for their end; with `grace_ms` None each has its own grace period."""
        await kill_all(self.agent, self._settings, grace_ms)

    async def shut_down(self) -> None:
        """Kill all tasks, unregister from the master, and stop: the next agent on this directory is a new one."""
        await self._leave()
        await self._close()

    def leave_on_signal(self) -> None:
        """SIGUSR1: kill the tasks, unregister from the master, and ask the process to exit."""

        async def leave() -> None:
            await self._leave()
            self._on_gone("SIGUSR1")

        self._spawn(leave())

    async def _leave(self) -> None:
        await self.kill_tasks(None)
        self.agent.tell_master({"type": "UNSUBSCRIBE"})
        self.agent.checkpoints.forget_agent()
        await self._link.flush(FLUSH_TIMEOUT_S)

    async def _close(self) -> None:
        await self._link.stop()
        await self._http.stop()
        await self._parts.aclose()

    def _shut_down_by_master(self, message: str) -> None:
        """The master has removed this agent: it does not subscribe again."""
        self._spawn(self._link.stop())
        self._on_gone(message)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


class AgentService(Server[RunningAgent]):
    """One agent: a `Service`. `on_gone` is called when the agent was shut down for good."""

    name = NAME

    def __init__(self, settings: MesosAgentSettings, *, clock: Clock | None = None) -> None:
        super().__init__()
        settings.check()
        self.settings = settings
        self.on_gone: Callable[[str], None] = lambda message: log.warning("the agent was shut down: %s", message)
        self._clock: Clock = clock or SystemClock()
        self._access = make_access(settings)
        self._master_headers = master_headers(settings)

    def _gone(self, message: str) -> None:
        self.on_gone(message)

    def clean_up(self) -> None:
        """Kill what an earlier agent on this directory has left, and delete its state. Raises `StartError`."""
        run_loop(self._clean_up())

    async def open(self) -> RunningAgent:
        """Recover, listen, look for the master. Raises `StartError`, `SettingError`."""
        settings = self.settings
        raise_open_file_limit()
        door = _Door()
        async with AsyncExitStack() as parts, AsyncExitStack() as failed:
            data_dir = DataDir.open(settings.dir)
            parts.callback(data_dir.close)
            work_dir = data_dir.path.resolve()
            try:
                checkpoints = Checkpoints(work_dir / "meta", sync=settings.sync)
                http = await self._listen(door, checkpoints.read("agent"))
                failed.push_async_callback(http.stop)
                client = HttpClient(tls=master_tls(settings), headers=self._master_headers)
                parts.push_async_callback(client.close)
                containers = _open_containers(settings, work_dir, checkpoints, parts)
                agent = self._make_agent(work_dir, checkpoints, containers, http.port, parts)
                _recover(settings, agent, work_dir, parts)
                _sweep_cgroups(agent, containers)
            except StorageError as error:
                raise StartError(str(error)) from error
            scheme = "http" if settings.ssl_ca_file is None else "https"
            link = MasterLink(agent, settings.master, client, scheme=scheme)
            context = AgentContext(
                agent,
                work_dir,
                flags=flags(settings),
                access=self._access,
                token=agent.settings.executor_token,
                statistics=agent.containers.statistics,
                leader=lambda: link.leader,
            )
            door.handle = lambda request: routes.handle(context, request)
            if settings.metrics_port is not None:
                await _start_metrics(settings, settings.metrics_port, context, parts)
            running = RunningAgent(
                settings,
                agent,
                http,
                link,
                parts.pop_all(),
                self._gone,
                is_temporary=data_dir.temporary,
            )
            failed.pop_all()
        if hasattr(signal, "SIGUSR1") and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, running.leave_on_signal)
        link.start()
        return running

    def _make_agent(
        self,
        work_dir: Path,
        checkpoints: Checkpoints,
        containers: ComposedContainerizer,
        port: int,
        parts: AsyncExitStack,
    ) -> Agent:
        timers = Timers(self._clock)
        parts.callback(LoopTimers(timers).close)
        token = executor_tokens(checkpoints) if EXECUTORS in self._access.asked else None
        options = make_options(self.settings, work_dir, port, token)
        return Agent(options, checkpoints, timers, containers, uuid.uuid4)

    async def _listen(self, door: _Door, saved: AgentRecord | None) -> HttpServer:
        """With port 0 the port of the earlier agent, if it is free: executors look for the agent there."""
        settings = self.settings
        ports = [settings.port]
        if settings.port == 0 and saved is not None:
            ports.insert(0, saved["port"])
        for port in ports:
            http = HttpServer(
                NAME,
                door.answer,
                host=settings.host,
                port=port,
                insecure=settings.insecure,
                authenticated=settings.http_credentials is not None,
                tls=own_tls(settings, NAME),
            )
            try:
                await http.start()
            except StartError:
                if port == ports[-1]:
                    raise
            else:
                return http
        raise AssertionError("one of the ports was bound, or its error was raised")

    async def _clean_up(self) -> None:
        settings = self.settings
        async with AsyncExitStack() as parts:
            data_dir = DataDir.open(settings.dir)
            parts.callback(data_dir.close)
            work_dir = data_dir.path.resolve()
            try:
                checkpoints = Checkpoints(work_dir / "meta")
                if checkpoints.read("agent") is None:
                    return
                containers = _open_containers(settings, work_dir, checkpoints, parts)
                agent = self._make_agent(work_dir, checkpoints, containers, settings.port, parts)
                recovery.recover(agent, policy=recovery.ANY)
                await kill_all(agent, settings, 0)
                checkpoints.forget_agent()
            except StorageError as error:
                raise StartError(str(error)) from error


class _Door:
    """Answers requests with 503 until the agent has recovered."""

    def __init__(self) -> None:
        self.handle: Callable[[HttpRequest], Answer] = lambda _: HttpResponse.text("the agent is starting\n", 503)

    def answer(self, request: HttpRequest) -> Answer:
        return self.handle(request)


async def kill_all(agent: Agent, settings: MesosAgentSettings, grace_ms: int | None) -> None:
    """Kill all tasks and wait for their end; with `grace_ms` None each has its own grace period."""
    for framework in list(agent.frameworks.values()):
        agent.shut_down_framework(framework, grace_ms)
    grace_s = settings.milliseconds("executor_shutdown_grace_period") / 1_000
    limit_s = KILL_TIMEOUT_S + (grace_s if grace_ms is None else grace_ms / 1_000)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            while agent.frameworks:
                await asyncio.sleep(0.01)
    if agent.frameworks:
        log.error("%d frameworks still have tasks that do not end", len(agent.frameworks))


def _open_containers(
    settings: MesosAgentSettings, work_dir: Path, checkpoints: Checkpoints, parts: AsyncExitStack
) -> ComposedContainerizer:
    is_same_boot = checkpoints.read("boot_id") in {None, host.boot_id()}
    containers = make_containers(settings, work_dir, is_same_boot=is_same_boot)
    parts.push_async_callback(containers.stop)
    return containers


def _sweep_cgroups(agent: Agent, containers: ComposedContainerizer) -> None:
    """Remove the cgroups without an executor."""
    if containers.processes.isolation is not None:
        containers.processes.isolation.sweep({executor.container_id for executor in agent.executors()}, time.time())


def _recover(settings: MesosAgentSettings, agent: Agent, work_dir: Path, parts: AsyncExitStack) -> None:
    """Recover what an earlier agent on this directory has left. Raises `StorageError`, `StartError`."""
    collector = SandboxCollector(
        work_dir,
        delay_s=settings.milliseconds("gc_delay") / 1_000,
        headroom=settings.gc_disk_headroom,
        interval_s=settings.milliseconds("disk_watch_interval") / 1_000,
    )
    parts.push_async_callback(collector.stop)
    agent.on_retired = lambda executor: collector.leave(executor.directory)
    agent.checkpoints.write("boot_id", host.boot_id())
    recovery.recover(agent, policy=settings.reconfiguration_policy)
    if agent.id is not None:
        agent.write_info()
    collector.start({executor.directory for executor in agent.executors()})


async def _start_metrics(settings: MesosAgentSettings, port: int, context: AgentContext, parts: AsyncExitStack) -> None:
    from smackbox.mesos.http.prometheus import registry
    from smackbox.net.metrics_endpoint import MetricsEndpoint

    metrics_registry = registry(lambda: snapshot(context))
    metrics = await MetricsEndpoint.open(metrics_registry, settings.host, port, insecure=settings.insecure)
    parts.push_async_callback(metrics.close)
