"""A worker of an executor: a process that runs one task at a time, with a connection of its own to the driver.

It takes the messages of `rdd/executor.py`, and `("file", kind, path)` for a file of the driver's that tasks will need.
Files come from the driver, unless they are on this machine under the same path. It ends with its executor, whose pipe
is its standard input.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from pathlib import Path

import msgspec

from smackbox.spark.rdd.cluster import blocks
from smackbox.spark.rdd.cluster.channel import connect, receive, send
from smackbox.spark.rdd.cluster.executor import ORDER_VARIABLE, SECRET_VARIABLE, WorkerOrder, ready_mark
from smackbox.spark.rdd.driver_files import fetch_by
from smackbox.spark.rdd.executor import Executor
from smackbox.spark.rdd.spark_files import ROOT_VARIABLE


class DriverFiles:
    """Copies of the driver's files, which the workers of an executor share."""

    def __init__(self, driver: str, directory: Path) -> None:
        self._driver = driver
        self._directory = directory

    def fetch(self, path: Path, kind: str = "driver") -> Path:
        """Where the file is here. Raises `FileNotFoundError`."""
        if kind == "driver" and path.exists():
            return path
        target = self._directory / kind / path.name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            blocks.fetch_file(self._driver, path, target)
        return target

    def add(self, kind: str, path: Path) -> None:
        """A file for `SparkFiles`, or a part of the module path."""
        copy = self.fetch(path, kind)
        entry = str(copy.parent) if copy.suffix == ".py" else str(copy)
        if kind == "py" and entry not in sys.path:
            sys.path.insert(0, entry)


def main() -> None:
    order = msgspec.json.decode(os.environ.pop(ORDER_VARIABLE), type=WorkerOrder)
    secret = os.environ.pop(SECRET_VARIABLE).encode()
    sys.path[:] = [*order.order.modules, *(entry for entry in sys.path if entry not in order.order.modules)]
    directory = Path(order.directory)
    threading.Thread(target=_end_with_executor, name="executor", daemon=True).start()
    os.environ[ROOT_VARIABLE] = str(directory / "files")
    (directory / "files").mkdir(exist_ok=True)
    blocks.use(secret, order.location, directory)
    files = DriverFiles(order.order.driver, directory)
    fetch_by(files.fetch)
    executor = Executor(directory, order.order.cache_bytes, own_process=True, location=order.location)
    import pyspark.taskcontext  # noqa: F401 - so that the first task does not wait for it

    driver = connect(order.order.driver, secret)
    ready_mark(directory, os.getpid()).touch()
    send(driver, ("slot", order.order.executor_id, order.place))
    while True:
        try:
            message = receive(driver)
            if message[0] == "file":
                files.add(message[1], Path(message[2]))
                continue
            answer = executor.handle(message)
            if answer is not None:
                driver.send_bytes(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
        except (EOFError, OSError):
            return


def _end_with_executor() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
