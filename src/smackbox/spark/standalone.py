"""A jar on `mesos://`: a real Spark's standalone master and workers, as Mesos tasks for the time of one job.

Spark 4 does not speak Mesos any more. So the master is started from one offer, with a port of it; the workers follow
once it answers, sized by offers: `spark.cores.max` cores together (8 where it is not given), each worker with
`spark.executor.memory` for its executor. Then the real `spark-submit` runs here with `--master spark://…`, and when it
has ended all of them go. A worker that is lost is replaced.

The Spark is that of `SPARK_HOME`, or the one whose `spark-submit` is in the path; agents need it at the same place, or
where `spark.mesos.executor.home` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from smackbox.base.clock import SystemClock
from smackbox.base.errors import StartError
from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.machine import Mesos, asked
from smackbox.mesos_framework.offer import Offer
from smackbox.spark.mesos_link import MesosLink, framework_info
from smackbox.spark.rdd.cluster.framework import TERMINAL, Ended, ExecutorFramework, Launched
from smackbox.spark.rdd.cluster.mesos_thread import reachable_host
from smackbox.spark.rdd.cluster.settings import DEFAULT_PARALLELISM, ClusterSettings
from smackbox.spark.submission import Submission, spark_submit_command

Json = dict[str, Any]

MASTER_CPUS, DAEMON_MB, DAEMON_OVERHEAD_MB = 0.5, 256, 256
MASTER_TASK = "spark-master"
MASTER_CLASS, WORKER_CLASS = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
START_TIMEOUT_S = 120.0
LOOK_S = 0.25
STOP_TIMEOUT_S = 30.0


class StandaloneFramework(ExecutorFramework):
    """Executors that are Spark's workers, behind a master that is a task too."""

    def __init__(
        self,
        mesos: Mesos,
        settings: ClusterSettings,
        home: Path,
        new_port: Callable[[list[int]], int] = random.choice,
    ) -> None:
        super().__init__(SystemClock(), mesos, settings, self._worker, self._lost)
        self.master_address = ""
        """`host:port`, once it was launched."""
        self.master_state = ""
        self.master_message = ""
        self._master_agent = ""
        self._home = home
        self._new_port = new_port
        self._hosts_by_agent: dict[str, str] = {}

    def wants_offers(self) -> bool:
        return not self.master_address or super().wants_offers()

    def known_tasks(self) -> list[Json]:
        master = [asked(MASTER_TASK, self._master_agent)] if self.master_address else []
        return master + super().known_tasks()

    def offers(self, messages: Any) -> None:
        """The master first, then workers."""
        left = list(messages)
        for message in left:
            self._hosts_by_agent[message["agent_id"]["value"]] = _host(message)
        if not self.master_address:
            for message in left:
                if (task := self._master(Offer(message))) is not None:
                    self.answer_offer(message, [{"type": "LAUNCH", "launch": {"task_infos": [task]}}])
                    left.remove(message)
                    break
            else:
                needs = f"{MASTER_CPUS} cpus, {DAEMON_MB + DAEMON_OVERHEAD_MB} MB and a port"
                self.lacking = f"no offer has {needs} for Spark's master"
        super().offers(left)

    def update(self, status: Json) -> None:
        """Follow the states of the master, and of workers, which are there when they run."""
        task_id, state = status["task_id"]["value"], status["state"]
        if task_id == MASTER_TASK:
            self.master_state, self.master_message = state, status.get("message", "")
            self.acknowledge(status)
            return
        if state == "TASK_RUNNING":
            self.registered(task_id)
        super().update(status)

    @property
    def has_lost_master(self) -> bool:
        return self.master_state in TERMINAL

    def _master(self, offer: Offer) -> Json | None:
        memory_mb = DAEMON_MB + DAEMON_OVERHEAD_MB
        ports = offer.ports()
        if not ports or offer.scalar("cpus") < MASTER_CPUS or offer.scalar("mem") < memory_mb:
            return None
        port = self._new_port(ports)
        resources = [
            *(offer.take_scalar("cpus", MASTER_CPUS) or []),
            *(offer.take_scalar("mem", memory_mb) or []),
            *(offer.take_ports([port]) or []),
        ]
        host = _host(offer.message)
        self.master_address = f"{host}:{port}"
        self._master_agent = offer.agent_id
        arguments = [MASTER_CLASS, "--host", host, "--port", str(port), "--webui-port", "0"]
        return {
            "name": "Spark master",
            "task_id": {"value": MASTER_TASK},
            "agent_id": {"value": offer.agent_id},
            "resources": resources,
            "command": self._spark_class(arguments, {"SPARK_MASTER_OPTS": "-Dspark.port.maxRetries=0"}),
        }

    def _worker(self, worker: Launched) -> Json:
        host = self._hosts_by_agent[worker.agent_id]
        arguments = [
            WORKER_CLASS, "--host", host, "--cores", str(worker.cores), "--memory", f"{worker.memory_mb}M",
            "--webui-port", "0", "--work-dir", "work", f"spark://{self.master_address}",
        ]  # fmt: skip
        return {"command": self._spark_class(arguments, {"SPARK_LOCAL_IP": host})}

    def _spark_class(self, arguments: list[str], variables: dict[str, str]) -> Json:
        program = str(self._home / "bin" / "spark-class")
        environment = {
            "SPARK_HOME": str(self._home),
            "SPARK_DAEMON_MEMORY": f"{DAEMON_MB}m",
            "SPARK_NO_DAEMONIZE": "1",
            **variables,
        }
        return {
            "shell": False,
            "value": program,
            "arguments": [program, *arguments],
            "environment": {"variables": [{"name": name, "value": value} for name, value in environment.items()]},
        }

    def _lost(self, ended: Ended) -> None:
        """Its reason is logged, and another is wanted."""


def submit_jar(submission: Submission) -> int:
    """Run a jar on a Spark that lives for it. Its exit code.

    Raises `StartError` where there is no Spark or no offer for it, `SettingError` for an option that is wrong.
    """
    program = Path(spark_submit_command(submission)[0]).resolve()
    return asyncio.run(_Job(submission, program.parents[1]).run())


class _Job:
    def __init__(self, submission: Submission, home: Path) -> None:
        settings = ClusterSettings.of(submission.conf)
        overhead_mb = settings.container_mb(settings.memory_mb) - settings.memory_mb + DAEMON_MB
        cores = DEFAULT_PARALLELISM if settings.cores_max == float("inf") else settings.cores_max
        self._settings = replace(settings, cores_max=cores, overhead_mb=overhead_mb)
        self._submission = submission
        credentials = (settings.principal, settings.secret) if settings.principal and settings.secret else None
        self._link = MesosLink(
            submission.master,
            framework_info(
                submission.name or submission.job, settings.role, settings.failover_timeout_s, settings.principal
            ),
            credentials,
            lambda driver: self._new_machine(driver, home),
        )

    def _new_machine(self, driver: SchedulerDriver, home: Path) -> StandaloneFramework:
        return StandaloneFramework(driver, self._settings, Path(self._settings.home or home))

    async def run(self) -> int:
        stopping, started = asyncio.Event(), asyncio.Event()
        link = asyncio.create_task(self._link.run(stopping, started.set))
        link.add_done_callback(lambda _: started.set())
        try:
            await started.wait()
            if link.done():
                link.result()
            await self._until(self._master_answers, "Spark's master")
            self._link.machine.want(self._settings.cores_max, frozenset())
            self._link.take_effects()
            await self._until(lambda: asyncio.sleep(0, self._has_worker()), "a worker")
            return await self._spark_submit()
        finally:
            stopping.set()
            await link

    async def _until(self, condition: Callable[[], Any], what: str) -> None:
        deadline_s = asyncio.get_running_loop().time() + min(START_TIMEOUT_S, self._settings.offer_timeout_s)
        while not await condition():
            machine = self._link.machine
            if machine.has_lost_master:
                raise StartError(f"Spark's master ended: {machine.master_state} {machine.master_message}")
            if asyncio.get_running_loop().time() > deadline_s:
                reason = machine.lacking or machine.last_failure or "Mesos makes no offers"
                raise StartError(f"{what} did not start on {self._submission.master}: {reason}")
            await asyncio.sleep(LOOK_S)

    async def _master_answers(self) -> bool:
        host, _, port = self._link.machine.master_address.rpartition(":")
        if not host:
            return False
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    def _has_worker(self) -> bool:
        return any(each.registered for each in self._link.machine.executors.values())

    async def _spark_submit(self) -> int:
        submission = self._submission
        here = self._settings.driver_host or reachable_host(submission.master)
        kept = {key: value for key, value in submission.conf.items() if not key.startswith("spark.mesos.")}
        command = spark_submit_command(
            replace(
                submission,
                master=f"spark://{self._link.machine.master_address}",
                deploy_mode="client",
                conf={"spark.driver.host": here, "spark.driver.bindAddress": here, **kept},
            )
        )
        process = await asyncio.create_subprocess_exec(*command)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, process.send_signal, number)
        watching = asyncio.create_task(self._watch(process))
        try:
            return await process.wait()
        finally:
            watching.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Without its master the job cannot go on."""
        while not self._link.machine.has_lost_master:
            await asyncio.sleep(LOOK_S)
        machine = self._link.machine
        print(f"Spark's master ended: {machine.master_state} {machine.master_message}", file=sys.stderr, flush=True)
        process.terminate()
        await asyncio.sleep(STOP_TIMEOUT_S)
        process.kill()


def _host(offer: Json) -> str:
    address = (offer.get("url") or {}).get("address") or {}
    return str(address.get("ip") or address.get("hostname") or offer.get("hostname", ""))
