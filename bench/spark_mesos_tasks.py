"""How many tasks a second does a context on Mesos schedule, with 200 executors?

The executors are real tasks of a Mesos master and agent, but each is a `sleep`: one more process stands in for all of
them at the driver, with two connections for each, and answers every task at once. So the figure is what the driver
alone can do: choosing, pickling and sending a task, receiving its result and counting it; a Python task takes longer.

    python -m bench.spark_mesos_tasks [TASKS] [EXECUTORS]
"""

from __future__ import annotations

import os
import pickle
import platform
import selectors
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from smackbox.net.service import ServiceThread
from smackbox.spark.rdd.cluster import mesos_thread
from smackbox.spark.rdd.cluster.channel import connect, send
from smackbox.spark.rdd.context import SparkContext

RUNS = 5
START_TIMEOUT_S = 120.0
WANTED = 2_000


def stand_in(address: str, executors: int) -> None:
    """Be that many executors of one worker each."""
    secret = os.environ["SMACK_EXECUTOR_SECRET"].encode()
    answer = pickle.dumps(("done", pickle.dumps(1), pickle.dumps({}), []), pickle.HIGHEST_PROTOCOL)
    selector = selectors.DefaultSelector()
    kept = []
    version = platform.python_version_tuple()[:2]
    for number in range(executors):
        control, slot = connect(address, secret), connect(address, secret)
        send(control, ("executor", f"executor-{number}", [], f"blocks://127.0.0.1:9/{number}", version))
        send(slot, ("slot", f"executor-{number}", 0))
        kept += [control, slot]
        selector.register(slot, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            try:
                message: tuple[Any, ...] = pickle.loads(key.fileobj.recv_bytes())  # type: ignore[union-attr]
            except (EOFError, OSError):
                return
            if message[0] == "task":
                key.fileobj.send_bytes(answer)  # type: ignore[union-attr]


def main(tasks: int = 10_000, executors: int = 200) -> None:
    from smackbox.mesos.agent.server.service import AgentService
    from smackbox.mesos.agent.settings import MesosAgentSettings
    from smackbox.mesos.master.server.service import MasterServer
    from smackbox.mesos.master.settings import MasterSettings

    secret = "0" * 32
    mesos_thread.MesosThread._task = lambda self, executor: {  # type: ignore[method-assign,assignment]
        "command": {"shell": False, "value": "sleep", "arguments": ["sleep", "600"]}
    }
    with tempfile.TemporaryDirectory() as directory, ServiceThread(MasterServer(MasterSettings())) as master:
        settings = MesosAgentSettings(
            master=master.url.partition("://")[2], dir=Path(directory), switch_user=False, kill_tasks_on_stop=True,
            resources=f"cpus:{executors};mem:{executors * 16};disk:10000;ports:[]", isolation="posix/cpu,posix/mem",
        )  # fmt: skip
        conf = {
            "spark.cores.max": str(executors), "spark.executor.cores": "1", "spark.executor.memory": "8m",
            "spark.executor.memoryOverhead": "8m", "spark.authenticate.secret": secret,
        }  # fmt: skip
        with (
            ServiceThread(AgentService(settings)),
            SparkContext(f"mesos://{settings.master}", "bench", conf) as sc,
        ):
            pool = sc._scheduler.pool
            deadline = time.monotonic() + START_TIMEOUT_S
            while sum(1 for _ in pool._launcher._framework.executors) < executors:  # type: ignore[attr-defined]
                assert time.monotonic() < deadline, "the executors were not launched"
                time.sleep(0.05)
            stand = subprocess.Popen(
                [sys.executable, "-m", "bench.spark_mesos_tasks", "stand-in",
                 f"127.0.0.1:{pool.port}", str(executors)],  # type: ignore[attr-defined]
                env={**os.environ, "SMACK_EXECUTOR_SECRET": secret},
            )  # fmt: skip
            try:
                while len(pool.slots) < executors:
                    assert time.monotonic() < deadline, "the executors did not come"
                    sc.parallelize([0], 1).count()
                rates = [rate(sc, tasks) for _ in range(RUNS)]
            finally:
                stand.kill()
                stand.wait()
    print(f"load {os.getloadavg()[0]:.1f}; {executors} executors, {tasks} tasks, {RUNS} runs")
    print(f"tasks/s: median {median(rates):,.0f} (wanted {WANTED:,}), from {min(rates):,.0f} to {max(rates):,.0f}")


def rate(sc: SparkContext, tasks: int) -> float:
    rows = sc.parallelize(range(tasks), tasks)
    begun = time.perf_counter()
    assert rows.count() == tasks
    return tasks / (time.perf_counter() - begun)


if __name__ == "__main__":
    if sys.argv[1:2] == ["stand-in"]:
        stand_in(sys.argv[2], int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
