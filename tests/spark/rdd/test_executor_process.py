"""What an executor's process does with an order that comes too late."""

from __future__ import annotations

from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import pytest

from smackbox.spark.rdd.cluster.channel import send
from smackbox.spark.rdd.cluster.executor import ExecutorProcess, ready_mark


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_worker_that_has_just_replaced_another_is_not_ended_for_it(tmp_path: Path, is_ready: bool) -> None:
    class Worker:
        pid = 7
        killed = False

        def kill(self) -> None:
            self.killed = True

    executor: Any = ExecutorProcess.__new__(ExecutorProcess)
    worker = Worker()
    executor._directory, executor._workers = tmp_path, {0: worker}
    if is_ready:
        ready_mark(tmp_path, worker.pid).touch()
    ours, theirs = Pipe()
    with ours, theirs:
        send(theirs, ("restart", 0))
        assert executor._obey(ours)
    assert worker.killed == is_ready
