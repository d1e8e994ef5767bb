"""A small Mesos for RDD programs: a master and two agents in threads, executors as the agents' processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from tests.contract.pool import Pool

from smackbox.spark.rdd.context import SparkContext

SMALL = {"spark.executor.memory": "64m", "spark.executor.memoryOverhead": "64m", "spark.executor.cores": "1"}
Started = Callable[..., SparkContext]


@pytest.fixture(scope="module")
def mesos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A master and two agents of two cpus."""
    with Pool(tmp_path_factory.mktemp("mesos")) as pool:
        pool.start_master(allocation_interval="50ms")
        for name in ("one", "two"):
            pool.start_agent(resources="cpus:2;mem:2048;disk:1000;ports:[]", attributes=f"node:{name}")
        yield pool


@pytest.fixture
def on_mesos(mesos: Pool) -> Iterator[Started]:
    """Contexts on it, stopped in the end."""
    contexts = []

    def start(**conf: Any) -> SparkContext:
        settings = {
            **SMALL,
            "spark.cores.max": "4",
            **{key.replace("_", "."): str(value) for key, value in conf.items()},
        }
        contexts.append(SparkContext(f"mesos://{mesos.master}", "test", settings))
        return contexts[-1]

    yield start
    for context in contexts:
        context.stop()


def processes(sc: SparkContext, module: str = "executor") -> list[int]:
    """The pids of a context's executors, or of their workers."""
    address = f":{sc._scheduler.pool.port}".encode()
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or [""]
        if "python" in command[0] and command[-1] == f"smackbox.spark.rdd.cluster.{module}":
            try:
                with open(f"/proc/{process.pid}/environ", "rb") as file:
                    if address in file.read():
                        found.append(process.pid)
            except OSError:
                continue
    return found


def kill(pid: int) -> bool:
    """End it as an out-of-memory killer would; whether it was there."""
    assert pid > 1
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
