"""The agent's checkpoints, for recovery after a restart. Everything is JSON, below `<work_dir>/meta`:

    boot_id                                     the kernel's; a different one means that all processes are gone
    resources                                   dynamic reservations and persistent volumes
    agent                                       AgentInfo with the id that the master gave, and the port
    frameworks/<framework>/info                 FrameworkInfo
    frameworks/<framework>/executors/<executor>/info         kind, container id, ExecutorInfo
                                               /<container>.status   written by the container's wrapper (see `server`)
                                               /tasks/<task>/info    TaskInfo, its group, and its container
                                                            /updates one record a line: a status, or a uuid acknowledged

A folder is removed when everything in it has ended and is acknowledged. An incomplete last line of `updates` is left by
a kill: it is truncated. A framework without `checkpoint` is stored as well, so that its processes can be found and
killed: its tasks are not continued.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import msgspec

from smackbox.base.errors import StorageError
from smackbox.store.fs import Disk

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import AgentInfo, ExecutorInfo, FrameworkInfo, TaskInfo, TaskStatus


_encode = msgspec.json.encode


class AgentRecord(TypedDict):
    """The content of `agent`."""

    info: AgentInfo
    port: int


class ExecutorRecord(TypedDict):
    """The content of an executor's `info`."""

    info: ExecutorInfo
    kind: str
    container_id: str
    directory: str


class TaskRecord(TypedDict):
    """The content of a task's `info`."""

    info: TaskInfo
    container_id: str
    group: Sequence[str]
    kill_grace_ms: NotRequired[int]


@dataclass(frozen=True, slots=True)
class RecoveredTask:
    """A task as an earlier agent process left it."""

    record: TaskRecord
    statuses: list[TaskStatus]
    acknowledged: frozenset[str]


@dataclass(frozen=True, slots=True)
class RecoveredExecutor:
    """An executor as an earlier agent process left it."""

    record: ExecutorRecord
    tasks: list[RecoveredTask]


@dataclass(frozen=True, slots=True)
class RecoveredFramework:
    """A framework as an earlier agent process left it."""

    info: FrameworkInfo
    executors: list[RecoveredExecutor] = field(default_factory=list)


class Checkpoints:
    """One agent's folder. Its methods raise `StorageError` when the disk rejects a write."""

    def __init__(self, root: Path, *, sync: bool = False, disk: Disk | None = None) -> None:
        self.root = root
        self._sync = sync
        self._disk = disk or Disk()
        self._gone = root / "gone"
        self._removed = 0
        self._disk.make_directory(root)
        self._disk.remove_tree(self._gone)

    # --- the agent itself

    def read(self, name: str) -> Any:
        """The content of a file in the folder itself; None if it does not exist."""
        return self._value(self.root / name)

    def write(self, name: str, value: object, *, private: bool = False) -> None:
        """Write a file; `private` makes it readable only for the agent's user."""
        if private:
            (self.root / f"{name}.tmp").touch(mode=0o600)
        self._replace(self.root / name, value)

    def forget_agent(self) -> None:
        """Delete the agent's id and everything that depends on it; reservations and volumes stay."""
        self._disk.remove(self.root / "agent")
        self._disk.remove_tree(self.root / "frameworks")

    # --- frameworks, executors, tasks

    def framework(self, framework_id: str, info: FrameworkInfo) -> None:
        """Store a framework. Raises `StorageError`, like all writes here."""
        self._replace(self._framework(framework_id) / "info", info)

    def executor(self, framework_id: str, executor_id: str, record: ExecutorRecord) -> None:
        """Store an executor."""
        self._replace(self.executor_folder(framework_id, executor_id) / "info", record)

    def task(self, framework_id: str, executor_id: str, task_id: str, record: TaskRecord) -> None:
        """Store a task."""
        self._replace(self._task(framework_id, executor_id, task_id) / "info", record)

    def update(self, framework_id: str, executor_id: str, task_id: str, status: TaskStatus) -> None:
        """Store a status update until it is acknowledged."""
        self._append(framework_id, executor_id, task_id, {"status": status})

    def acknowledged(self, framework_id: str, executor_id: str, task_id: str, uuid: str) -> None:
        """A status update was acknowledged."""
        self._append(framework_id, executor_id, task_id, {"acknowledged": uuid})

    def remove_task(self, framework_id: str, executor_id: str, task_id: str) -> None:
        """A task has ended, and its last update is acknowledged."""
        self._remove(self._task(framework_id, executor_id, task_id))

    def remove_executor(self, framework_id: str, executor_id: str) -> None:
        """An executor has ended with all its tasks."""
        self._remove(self.executor_folder(framework_id, executor_id))

    def remove_framework(self, framework_id: str) -> None:
        """A framework has nothing left on this agent."""
        self._remove(self._framework(framework_id))

    def executor_folder(self, framework_id: str, executor_id: str) -> Path:
        """The folder with an executor's checkpoints."""
        return self._framework(framework_id) / "executors" / executor_id

    def status_file(self, framework_id: str, executor_id: str, container_id: str) -> Path:
        """The status file of a container's wrapper."""
        return self.executor_folder(framework_id, executor_id) / f"{container_id}.status"

    # --- recovery

    def recover(self) -> Iterator[RecoveredFramework]:
        """All stored frameworks, without writes that were incomplete when the agent died."""
        for folder in _folders(self.root / "frameworks"):
            info = self._value(folder / "info")
            if info is None:
                self._remove(folder)
                continue
            executors = []
            for executor in _folders(folder / "executors"):
                record = self._value(executor / "info")
                if record is None:
                    self._remove(executor)
                    continue
                tasks = [task for path in _folders(executor / "tasks") if (task := self._recover_task(path))]
                executors.append(RecoveredExecutor(record, tasks))
            yield RecoveredFramework(info, executors)

    def _recover_task(self, folder: Path) -> RecoveredTask | None:
        record = self._value(folder / "info")
        if record is None:
            return None
        data = self._disk.read(folder / "updates")
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file = self._disk.open(folder / "updates")
            file.truncate(whole)
            file.close()
        statuses, acknowledged = [], set()
        for line in data[:whole].splitlines():
            entry = msgspec.json.decode(line)
            if "status" in entry:
                statuses.append(entry["status"])
            else:
                acknowledged.add(entry["acknowledged"])
        return RecoveredTask(record, statuses, frozenset(acknowledged))

    # --- files

    def _framework(self, framework_id: str) -> Path:
        return self.root / "frameworks" / framework_id

    def _task(self, framework_id: str, executor_id: str, task_id: str) -> Path:
        return self.executor_folder(framework_id, executor_id) / "tasks" / task_id

    def _append(self, framework_id: str, executor_id: str, task_id: str, entry: Mapping[str, object]) -> None:
        file = self._disk.open(self._task(framework_id, executor_id, task_id) / "updates")
        try:
            file.append(_encode(entry) + b"\n")
            if self._sync:
                file.sync()
        finally:
            file.close()

    def _replace(self, path: Path, value: object) -> None:
        self._disk.make_directory(path.parent)
        self._disk.replace(path, _encode(value), sync=self._sync)

    def _remove(self, folder: Path) -> None:
        # renamed first, so that a kill during the removal leaves nothing that looks complete
        if not folder.exists():
            return
        self._disk.make_directory(self._gone)
        gone = self._gone / str(self._removed)
        self._removed += 1
        self._disk.rename(folder, gone)
        self._disk.remove_tree(gone)

    def _value(self, path: Path) -> Any:
        data = self._disk.read(path)
        if not data:
            return None
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise StorageError(f"{path} is damaged: {error}") from error


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []
