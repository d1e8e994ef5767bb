"""An agent's checkpoints on a disk that fails: what was written down is recovered, whatever failed before or after."""

from __future__ import annotations

from pathlib import Path

from tests.store.faults import survive

from smackbox.base.errors import StorageError
from smackbox.mesos.agent.state.checkpoints import Checkpoints
from smackbox.store.fs import FaultyDisk


def workload(directory: Path, disk: FaultyDisk) -> dict[str, object]:
    acknowledged: dict[str, object] = {}
    try:
        checkpoints = Checkpoints(directory, disk=disk)
    except StorageError:
        return {}

    def attempt(key: str, value: object, action: object) -> None:
        try:
            action()  # type: ignore[operator]
        except StorageError:
            return
        acknowledged[key] = value

    for number in range(3):
        attempt("agent", number, lambda: checkpoints.write("agent", number))  # noqa: B023 - called at once
    attempt("framework", {"name": "f"}, lambda: checkpoints.framework("f", {"name": "f"}))
    attempt("executor", {"name": "e"}, lambda: checkpoints.executor("f", "e", {"name": "e"}))
    attempt("task", {"name": "t"}, lambda: checkpoints.task("f", "e", "t", {"name": "t"}))
    for number in range(4):
        status = {"uuid": str(number)}
        attempt(f"status {number}", True, lambda: checkpoints.update("f", "e", "t", status))  # noqa: B023
    attempt("acknowledged 0", True, lambda: checkpoints.acknowledged("f", "e", "t", "0"))
    if not {"framework", "executor", "task"} <= acknowledged.keys():  # what is under a lost record is not looked for
        return {key: value for key, value in acknowledged.items() if key == "agent"}
    return acknowledged


def read(directory: Path) -> dict[str, object]:
    checkpoints = Checkpoints(directory)
    found: dict[str, object] = {"agent": checkpoints.read("agent")}
    for framework in checkpoints.recover():
        found["framework"] = framework.info
        for executor in framework.executors:
            found["executor"] = executor.record
            for task in executor.tasks:
                found["task"] = task.record
                found |= {f"status {status['uuid']}": True for status in task.statuses}
                found |= {f"acknowledged {uuid}": True for uuid in task.acknowledged}
    return found


def test_what_the_agent_wrote_down_is_recovered_whatever_fails(tmp_path: Path) -> None:
    assert survive(tmp_path, workload, read) > 100
