"""One pool of machines, shared in two ways: dynamic allocation, and static allocation by roles.

Every server is started by the command line that it has on a cluster. Run it: `python examples/pool/pool.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

SMACK = (sys.executable, "-m", "smackbox")
READY = re.compile(r"ready \S+ (\S+) in")
WAIT_S = 60.0


class Pool:
    """The servers, and what is asked of them."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        zookeeper = self.serve("zookeeper", "serve", "--memory")
        self._mesos = f"zk://{zookeeper}/mesos"
        self._zookeeper = zookeeper
        self.serve("mesos", "master", "--memory", "--zk", self._mesos)

    def serve(self, *verb: str) -> str:
        """Start a server on a free port; its URL, once it is ready."""
        log = (self._directory / "log").open("ab")
        process = subprocess.Popen([*SMACK, *verb, "--port", "0"], stdout=subprocess.PIPE, stderr=log, text=True)
        self._stack.callback(log.close)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        assert process.stdout is not None
        for line in process.stdout:
            if found := READY.match(line):
                return found[1]
        raise SystemExit(f"smack {' '.join(verb)} did not start, see {self._directory / 'log'}")

    def agent(self, resources: str) -> None:
        self.serve("mesos", "agent", "--memory", "--master", self._mesos, "--resources", resources,
                   "--isolation", "posix/cpu,posix/mem")  # fmt: skip

    def framework(self, kind: str, folder: str, *flags: str) -> str:
        zk = f"zk://{self._zookeeper}/{folder}"
        return self.serve(kind, "serve", "--memory", "--master", self._mesos, "--zk", zk, *flags)


def ask(method: str, url: str, body: Any = None) -> Any:
    """The JSON of a successful answer; None while there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
            return json.loads(text) if text else {}
    except urllib.error.URLError:
        return None


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come true within {WAIT_S:.0f} s")
        time.sleep(0.05)
    return found


def service(marathon: str, instances: int, cpus: float = 1.0) -> None:
    app = {"id": "/service", "cmd": "exec sleep 100000", "cpus": cpus, "mem": 32, "instances": instances}
    until(lambda: ask("PUT", f"{marathon}/v2/apps/service?force=true", app), "the service")


def running(marathon: str) -> int:
    found = ask("GET", f"{marathon}/v2/apps/service")
    return found["app"]["tasksRunning"] if found else 0


def jobs(chronos: str, names: list[str]) -> None:
    for name in names:
        job = {"name": name, "command": "exec sleep 100000", "schedule": "R1//P1D", "cpus": 1, "mem": 32, "disk": 1}
        until(lambda job=job: ask("POST", f"{chronos}/v1/scheduler/iso8601", job) is not None, "a job")


def states(chronos: str) -> tuple[int, int]:
    """How many jobs run, and how many wait."""
    found = [job["state"] for job in (ask("GET", f"{chronos}/v1/scheduler/jobs/summary") or {"jobs": []})["jobs"]]
    return sum(state.endswith("running") for state in found), found.count("queued")


def dynamic(pool: Pool) -> None:
    print("dynamic allocation: two agents of 2 CPUs, nothing belongs to anybody")
    for _ in range(2):
        pool.agent("cpus:2;mem:1024;disk:1024")
    marathon, chronos = pool.framework("marathon", "marathon"), pool.framework("chronos", "chronos")
    service(marathon, 3)
    until(lambda: running(marathon) == 3, "three instances")
    jobs(chronos, [f"job{number}" for number in range(3)])
    until(lambda: states(chronos) == (1, 2), "one job")
    print("  a service of 3 CPUs runs; of three jobs of 1 CPU one runs and two wait")
    service(marathon, 1)
    until(lambda: states(chronos) == (3, 0), "all jobs")
    print("  the service is scaled down to 1: the two jobs that waited run")


def static(pool: Pool) -> None:
    print("static allocation: a third agent, its 2 CPUs reserved for the role web")
    pool.agent("cpus(web):2;mem(web):1024;disk(web):1024;ports(web):[31000-31999]")
    chronos = pool.framework("chronos", "chronos")
    jobs(chronos, [f"more{number}" for number in range(3)])
    until(lambda: states(chronos)[1] >= 3, "jobs that wait")
    print("  three more jobs wait: the reserved CPUs are not for them")
    marathon = pool.framework("marathon", "web", "--mesos-role", "web")
    service(marathon, 2)
    until(lambda: running(marathon) == 2, "the service of the role")
    assert states(chronos)[1] >= 3
    print("  the Marathon of the role web starts a service of 2 CPUs on them at once; the jobs still wait")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        pool = Pool(stack, Path(directory))
        dynamic(pool)
        static(pool)


if __name__ == "__main__":
    main()
