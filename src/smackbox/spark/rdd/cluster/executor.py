"""An executor on a cluster: one process that serves shuffle files, and a worker process for each of its cores.

It tells the driver who it is (`("executor", id, hosts, location, version of Python)`) and obeys it: `("restart",
place)` kills the worker at that place, `("remove", names)` deletes shuffle files, `("stop",)` ends it. A worker that
ends is reported (`("worker", place, exit code)`) and replaced: the files of shuffles outlive it. When the driver is
gone, all end.

What it is to do comes in the environment, as JSON in `SMACK_EXECUTOR` and the secret in `SMACK_EXECUTOR_SECRET`.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from smackbox.spark.rdd.cluster.blocks import BlockServer
from smackbox.spark.rdd.cluster.channel import connect, own_host, receive, send, url_host
from smackbox.spark.rdd.shuffle_files import BLOCKS_SCHEME, remove_files

ORDER_VARIABLE, SECRET_VARIABLE = "SMACK_EXECUTOR", "SMACK_EXECUTOR_SECRET"
LOOK_S = 0.1
STOP_TIMEOUT_S = 5.0


class Order(msgspec.Struct, frozen=True):
    """What an executor is to be. `modules` is the driver's module path; parts that are not here do no harm."""

    executor_id: str
    driver: str
    cores: int
    cache_bytes: int
    modules: list[str]


class WorkerOrder(msgspec.Struct, frozen=True):
    """What a worker is told by its executor."""

    order: Order
    place: int
    directory: str
    location: str


class ExecutorProcess:
    """Runs until the driver says stop or is gone."""

    def __init__(self, order: Order, secret: str) -> None:
        self._order = order
        self._secret = secret
        self._directory = Path(tempfile.mkdtemp(prefix="blocks-", dir=Path.cwd()))
        self._driver = connect(order.driver, secret.encode())
        host = own_host(self._driver)
        version = platform.python_version_tuple()[:2]
        self._server = BlockServer(host, secret.encode(), self._directory)
        self._location = f"{BLOCKS_SCHEME}{url_host(host)}:{self._server.port}/"
        send(self._driver, ("executor", order.executor_id, [host], self._location, version))
        self._workers = {place: self._start(place) for place in range(order.cores)}

    def run(self) -> int:
        """The exit code."""
        try:
            while True:
                for place, worker in list(self._workers.items()):
                    code = worker.poll()
                    if code is not None and not self._replace(place, worker, code):
                        return 1
                if self._driver.poll(LOOK_S) and not self._obey(self._driver):
                    return 0
        except (EOFError, OSError):
            return 0
        finally:
            self._stop()

    def _obey(self, driver: Connection) -> bool:
        match receive(driver):
            case ("restart", place):
                worker = self._workers[place]
                if ready_mark(self._directory, worker.pid).exists():  # else the one that was meant has ended by itself
                    worker.kill()
            case ("remove", names):
                remove_files([str(self._directory / name) for name in names])
            case ("stop",):
                return False
        return True

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        order = WorkerOrder(self._order, place, str(self._directory), self._location)
        environment = {
            **os.environ,
            ORDER_VARIABLE: msgspec.json.encode(order).decode(),
            SECRET_VARIABLE: self._secret,
            "SPARK_LOCAL_DIRS": str(self._directory),
        }
        command = [sys.executable, "-m", "smackbox.spark.rdd.cluster.worker"]
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)

    def _replace(self, place: int, worker: subprocess.Popen[bytes], code: int) -> bool:
        """Start another worker; False where this one could not even begin."""
        if not ready_mark(self._directory, worker.pid).exists():
            return False
        send(self._driver, ("worker", place, code))
        self._workers[place] = self._start(place)
        return True

    def _stop(self) -> None:
        for worker in self._workers.values():
            worker.kill()
        for worker in self._workers.values():
            worker.wait(STOP_TIMEOUT_S)
        self._driver.close()
        self._server.close()
        shutil.rmtree(self._directory, ignore_errors=True)


def ready_mark(directory: Path, pid: int) -> Path:
    """The file that a worker makes once it is ready for tasks."""
    return directory / f"worker-{pid}"


def main() -> None:
    order = msgspec.json.decode(os.environ.pop(ORDER_VARIABLE), type=Order)
    sys.exit(ExecutorProcess(order, os.environ.pop(SECRET_VARIABLE)).run())


if __name__ == "__main__":
    main()
