"""How long does an agent take from an order to TASK_RUNNING, and how many short tasks does it run in a second?

The agent is a process of its own, the master a fake one in this process that acknowledges at once.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mesos.agent.fake_master import FakeMaster

from smackbox.net.service import ServiceThread

LAUNCHES = 200
SHORT_TASKS = 500
TARGET_MS = 50


def main() -> None:
    master = FakeMaster()
    with ServiceThread(master), tempfile.TemporaryDirectory() as directory:
        agent = _start(master, Path(directory))
        try:
            latencies = [_launch(master) for _ in range(LAUNCHES)]
            began = time.perf_counter()
            tasks = [master.run("true") for _ in range(SHORT_TASKS)]
            for task in tasks:
                master.terminal(task)
            seconds = time.perf_counter() - began
            memory_mb = _memory_mb(agent.pid)
        finally:
            agent.terminate()
            agent.communicate()
    cuts = statistics.quantiles(latencies, n=100)
    print(
        f"launch to TASK_RUNNING: p50 {statistics.median(latencies):.1f} ms, p99 {cuts[98]:.1f} ms (<= {TARGET_MS} p50)"
    )
    print(f"short tasks, order to TASK_FINISHED: {SHORT_TASKS / seconds:.0f} a second; agent {memory_mb:.0f} MB")


def _start(master: FakeMaster, directory: Path) -> subprocess.Popen[str]:
    agent = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "smackbox",
            "mesos",
            "agent",
            "--port=0",
            f"--work-dir={directory}",
            f"--master={master.url}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert agent.stdout is not None
    print(agent.stdout.readline().strip())
    return agent


def _launch(master: FakeMaster) -> float:
    began = time.perf_counter()
    task = master.run("sleep 100")
    master.state(task, "TASK_RUNNING")
    latency_ms = (time.perf_counter() - began) * 1_000
    master.kill(task)
    master.terminal(task)
    master.statuses.clear()
    return latency_ms


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
