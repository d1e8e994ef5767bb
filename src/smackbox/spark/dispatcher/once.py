"""`smack submit --deploy-mode cluster`: one driver on Mesos, awaited, with what it writes and its exit code."""

from __future__ import annotations

import asyncio
import base64
import codecs
import contextlib
import os
import signal
import sys
from dataclasses import replace
from typing import IO

import msgspec

from smackbox.base.clock import SystemClock
from smackbox.base.errors import StartError
from smackbox.net.http import JSON
from smackbox.net.http_client import HttpClient, HttpClientError
from smackbox.spark.dispatcher.driver_run import QUEUED
from smackbox.spark.dispatcher.machine import Dispatcher
from smackbox.spark.dispatcher.order import absolute, command_of, driver_of
from smackbox.spark.mesos_link import MesosLink, framework_info
from smackbox.spark.rdd.cluster.settings import ClusterSettings
from smackbox.spark.submission import Submission

LOOK_S = 0.25
COMPLAIN_S = 15.0
LAST_LINES_TIMEOUT_S = 10.0
LENGTH = 65_536


def submit_and_wait(submission: Submission, out: IO[str] = sys.stdout, error: IO[str] = sys.stderr) -> int:
    """Run the job's driver as a task of Mesos, and give its exit code; SIGINT and SIGTERM end it.

    Raises `SettingError` for an option that is wrong, `StartError` where Mesos refuses the framework.
    """
    submission = replace(
        submission,
        job=absolute(submission.job),
        py_files=[absolute(name) for name in submission.py_files],
        files=[absolute(name) for name in submission.files],
    )
    return asyncio.run(_Once(submission, out, error).run())


class _Once:
    def __init__(self, submission: Submission, out: IO[str], error: IO[str]) -> None:
        self._settings = settings = ClusterSettings.of(submission.conf)
        home = os.environ.get("SPARK_HOME") if submission.is_jar else None
        self._driver = driver_of(submission, {} if home is None else {"SPARK_HOME": home})
        self._error = error
        self._out = out
        self._attempt = 0
        self._logs = self._new_logs()
        credentials = (settings.principal, settings.secret) if settings.principal and settings.secret else None
        name = f"Driver for {submission.name or submission.job}"
        self._link = MesosLink(
            submission.master,
            framework_info(name, settings.role, settings.failover_timeout_s, settings.principal),
            credentials,
            lambda mesos: Dispatcher(SystemClock(), mesos, lambda driver: command_of(driver, submission.master)),
        )

    async def run(self) -> int:
        stopping = asyncio.Event()
        started = asyncio.Event()
        link = asyncio.create_task(self._link.run(stopping, started.set))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(started.wait())
                await asyncio.wait({link, waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
            if link.done():
                link.result()
            self._link.machine.submit(self._driver)
            self._link.take_effects()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self._kill)
            await self._follow()
        finally:
            stopping.set()
            await link
        if self._driver.exit_code:
            print(f"driver {self._driver.submission_id}: {self._driver.message}", file=self._error)
        return 1 if self._driver.exit_code is None else self._driver.exit_code

    def _kill(self) -> None:
        self._link.machine.kill(self._driver.submission_id)
        self._link.take_effects()

    async def _follow(self) -> None:
        driver, waited_s = self._driver, 0.0
        while not driver.is_over:
            if driver.state == QUEUED:
                waited_s += LOOK_S
                if waited_s % COMPLAIN_S < LOOK_S:
                    self._complain()
                if waited_s > self._settings.offer_timeout_s:
                    raise StartError(f"the driver got no offer within {waited_s:.0f} s: {self._link.machine.lacking}")
            else:
                await self._read_logs()
            await asyncio.sleep(LOOK_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_LINES_TIMEOUT_S):
                while await self._read_logs():
                    pass

    def _complain(self) -> None:
        machine = self._link.machine
        reason = f"no offer suits ({machine.lacking})" if machine.lacking else "Mesos makes no offers"
        if not self._link.driver.subscribed:
            reason = "Mesos does not answer"
        needs = f"{self._driver.cores:g} cpus and {self._driver.mem_mb} MB"
        print(f"the driver waits for {needs}: {reason}", file=self._error, flush=True)

    async def _read_logs(self) -> bool:
        """Pass on what was written: by attempts that are over, to their end, and by the one that runs.

        Whether there was something of the last one.
        """
        while True:
            attempt = self._attempt
            sandbox = (
                f"/frameworks/{self._link.machine.framework_id}/executors/{self._driver.task_of(attempt)}/runs/latest"
            )
            found = [await log.follow(self._link.client, self._driver.agent_url, sandbox) for log in self._logs]
            if attempt == self._driver.attempt:
                return any(found)
            if not any(found):
                self._attempt += 1
                self._logs = self._new_logs()

    def _new_logs(self) -> list[_Log]:
        return [_Log("stdout", self._out), _Log("stderr", self._error)]


class _Log:
    """A file of the sandbox, written on as it grows."""

    def __init__(self, name: str, target: IO[str]) -> None:
        self._name = name
        self._target = target
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    async def follow(self, client: HttpClient, agent_url: str, sandbox: str) -> bool:
        """Write what is new; whether there was something."""
        if not agent_url:
            return False
        wanted = {"path": f"{sandbox}/{self._name}", "offset": self._offset, "length": LENGTH}
        call = msgspec.json.encode({"type": "READ_FILE", "read_file": wanted})
        try:
            answer = await client.request(
                "POST", f"{agent_url}/api/v1", body=call, headers={"Content-Type": JSON, "Accept": JSON}
            )
        except HttpClientError:
            return False
        if answer.status != 200:
            return False
        data = base64.b64decode(msgspec.json.decode(answer.body)["read_file"].get("data", ""))
        self._offset += len(data)
        self._target.write(self._decoder.decode(data))
        self._target.flush()
        return bool(data)
