"""An executor: a process that runs one task at a time for the driver at the other end of a socket.

The driver sends a stage once (`("stage", id, blob, shuffles)`), then its tasks (`("task", index, attempt,
properties)`, where the properties are those of the job's thread).
Answers: `("done", result, added, cached)`, `("lost", shuffle_id, map_index)`, `("failed", traceback, error)`.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.errors import FetchFailedError
from smackbox.spark.rdd.task import BlockStore, Task, set_current


class Executor:
    """Runs tasks in this process; in a process of its own for `local[N]`, in the driver's for `local[1]`.

    `location` is what other executors put before the name of a file in `directory` to reach it.
    """

    def __init__(
        self, directory: Path, cache_bytes: int, *, own_process: bool = False, location: str | None = None
    ) -> None:
        self._blocks = BlockStore(directory, cache_bytes, location or f"{directory}/")
        self._own_process = own_process
        self._stage: tuple[int, bytes, dict[int, list[str | None]]] = (0, b"", {})

    def handle(self, message: tuple[Any, ...]) -> tuple[Any, ...] | None:
        kind, *arguments = message
        if kind == "task":
            return self._run(*arguments)
        if kind == "stage":
            self._stage = (arguments[0], arguments[1], arguments[2])
        elif kind == "path":
            if arguments[0] not in sys.path:
                sys.path.insert(0, arguments[0])
        elif kind == "forget":
            self._blocks.remove(arguments[0])
        return None

    def _run(self, index: int, attempt: int, properties: dict[str, str]) -> tuple[Any, ...]:
        stage_id, blob, shuffles = self._stage
        task = Task(stage_id, index, attempt, self._blocks, shuffles, properties)
        set_current(task)
        try:
            node, function = pickle.loads(blob)  # noqa: S301 - the driver's own bytes
            if self._own_process:
                from smackbox.spark.rdd.main_classes import adopt_classes

                adopt_classes()
            result = function(index, node.rows(index, task))
            from smackbox.spark.rdd.closures import dumps

            return "done", dumps(result, "the task's result"), dumps(task.added, "an accumulator"), task.cached
        except FetchFailedError as error:
            return "lost", error.shuffle_id, error.map_index
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises goes to the driver
            return "failed", traceback.format_exc(), f"{type(error).__name__}: {error}"
        finally:
            set_current(None)


def main() -> None:
    descriptor, directory, cache_bytes, path = sys.argv[1:]
    sys.path[:] = path.split(os.pathsep)
    driver = Connection(int(descriptor))
    executor = Executor(Path(directory), int(cache_bytes), own_process=True)
    while True:
        try:
            message = pickle.loads(driver.recv_bytes())  # noqa: S301 - the driver's own bytes
        except (EOFError, OSError):
            return
        answer = executor.handle(message)
        if answer is not None:
            driver.send_bytes(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


if __name__ == "__main__":
    main()
