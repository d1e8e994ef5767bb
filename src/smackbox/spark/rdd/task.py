"""A task as an executor sees it: what it runs, where it keeps blocks, what it adds to accumulators."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

BLOCK_ROWS = 10_000

_current: Task | None = None


@dataclass(slots=True)
class Task:
    stage_id: int
    index: int
    attempt: int
    blocks: BlockStore
    shuffles: dict[int, list[str | None]]
    """For each shuffle that the stage reads: the file of every map task, None where there is none."""
    properties: dict[str, str] = field(default_factory=dict)
    """Local properties of the job's thread."""
    added: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """Accumulator id -> (its parameter, what this task added)."""
    cached: list[tuple[int, int]] = field(default_factory=list)


def current() -> Task | None:
    """The task that runs in this process; None in the driver."""
    return _current


def set_current(task: Task | None) -> None:
    global _current
    _current = task
    _tell_task_context(task)


def _tell_task_context(task: Task | None) -> None:
    from pyspark.taskcontext import TaskContext

    if task is None:
        TaskContext._setTaskContext(None)
        return
    context = object.__new__(TaskContext)
    TaskContext._setTaskContext(context)
    context._stageId, context._partitionId, context._attemptNumber = task.stage_id, task.index, task.attempt
    context._taskAttemptId = (task.stage_id << 32) | (task.index << 4) | task.attempt
    context._cpus, context._resources, context._localProperties = 1, {}, dict(task.properties)


class BlockStore:
    """Cached partitions of one executor, pickled, in memory up to a limit; beyond it on disk where the level allows."""

    def __init__(self, directory: Path, limit_bytes: int, location: str = "") -> None:
        self.directory = directory
        """Where the executor's files are; it is shared with other executors of this machine."""
        self.location = location
        """What to put before a file's name for other executors to read it."""
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._memory: dict[tuple[int, int], list[bytes]] = {}
        self._disk: dict[tuple[int, int], Path] = {}

    def get(self, key: tuple[int, int]) -> Iterator[Any] | None:
        if key in self._memory:
            return _unpickled(self._memory[key])
        if key in self._disk:
            return read_chunks(self._disk[key])
        return None

    def put(self, key: tuple[int, int], rows: Iterable[Any], *, memory: bool, disk: bool) -> Iterator[Any] | None:
        """Keep a partition; its rows, should it find no place, are handed back uncached."""
        chunks: list[bytes] = []
        size = 0
        iterator = iter(rows)
        while batch := list(islice(iterator, BLOCK_ROWS)):
            chunks.append(pickle.dumps(batch, pickle.HIGHEST_PROTOCOL))
            size += len(chunks[-1])
        if memory and self._held_bytes + size <= self._limit_bytes:
            self._memory[key] = chunks
            self._held_bytes += size
        elif disk:
            path = self.directory / f"block-{os.getpid()}-{key[0]}-{key[1]}"
            path.write_bytes(b"".join(chunks))
            self._disk[key] = path
        else:
            return _unpickled(chunks)
        return None

    def remove(self, rdd_id: int) -> None:
        for key in [key for key in self._memory if key[0] == rdd_id]:
            self._held_bytes -= sum(map(len, self._memory.pop(key)))
        for key in [key for key in self._disk if key[0] == rdd_id]:
            self._disk.pop(key).unlink(missing_ok=True)


def _unpickled(chunks: list[bytes]) -> Iterator[Any]:
    return (row for chunk in chunks for row in pickle.loads(chunk))  # noqa: S301 - our own bytes


def read_chunks(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        while True:
            try:
                yield from pickle.load(file)  # noqa: S301 - our own bytes
            except EOFError:
                return
