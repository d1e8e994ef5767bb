"""Where the tasks of a context run: slots, each with room for one task at a time, and what happens on them.

A pool is used by the scheduler's thread alone, but for `wake`. `LocalPool` has a process for each slot of `local[N]`
(one slot runs in the driver's process); `cluster/pool.py` has executors on a cluster.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Protocol

from smackbox.spark.rdd.executor import Executor
from smackbox.spark.rdd.shuffle_files import remove_files

STOP_TIMEOUT_S = 5.0


class Slot(Protocol):
    """Room for one task. `executor` is the number that is shown; `agent` its machine's id, `hosts` that one's names."""

    number: int
    stage_id: int | None

    @property
    def executor(self) -> int: ...

    @property
    def agent(self) -> str: ...

    @property
    def hosts(self) -> frozenset[str]: ...

    def send(self, message: tuple[Any, ...]) -> None:
        """Raises `OSError` where the other end is gone; the pool notices by itself."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """A slot's task has ended; see `executor` for the answers."""

    slot: Slot
    answer: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """A slot is there no more, and its cached blocks with it. `counts`: its task has failed by that."""

    slot: Slot
    reason: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class FilesGone:
    """The shuffle files at this location are there no more."""

    location: str


Event = Answered | Gone | FilesGone


class Pool(Protocol):
    """What the scheduler asks of the place where tasks run."""

    @property
    def slots(self) -> Mapping[int, Slot]:
        """Those that take tasks now, by their number."""
        ...

    @property
    def is_growing(self) -> bool:
        """Whether more slots are expected."""
        ...

    def want(self, tasks: int, hosts: frozenset[str]) -> None:
        """So many tasks wait or run, and these hosts have the data of some of them; 0 is the end of a job."""
        ...

    def poll(self, timeout_s: float) -> list[Event]:
        """What has happened, at the latest after the timeout. Raises `JobError` where tasks will never run."""
        ...

    def kill(self, slot: Slot) -> None:
        """End the task of a slot; no event comes of it. Another slot takes its place."""
        ...

    def tell(self, message: tuple[Any, ...]) -> None:
        """Send this to every slot, before its next task."""
        ...

    def add_file(self, kind: str, path: Path) -> None:
        """A file of the driver's that tasks need: `files` (`SparkFiles`) or `py` (modules)."""
        ...

    def remove(self, files: Iterable[str]) -> None:
        """Delete shuffle files."""
        ...

    def wake(self) -> None:
        """End a `poll`, from any thread."""
        ...

    def stop(self) -> None:
        """End the executors."""
        ...


class Wakeup:
    """Ends a wait for `connection`, from any thread. Calls before `clear` count as one, those after `close` as none."""

    def __init__(self) -> None:
        self.connection, self._sender = Pipe(duplex=False)
        self._lock = threading.Lock()
        self._is_set = self._is_closed = False

    def set(self) -> None:
        with self._lock:
            if not self._is_set and not self._is_closed:
                self._is_set = True
                self._sender.send_bytes(b"wake")

    def clear(self) -> None:
        with self._lock:
            if self._is_set:
                self._is_set = False
                self.connection.recv_bytes()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self.connection.close()
            self._sender.close()


class LocalSlot:
    """An executor in a process of its own."""

    agent = ""
    hosts: frozenset[str] = frozenset()

    def __init__(self, number: int, executor: int, directory: Path, cache_bytes: int) -> None:
        self.number, self.executor = number, executor
        self.stage_id: int | None = None
        self.connection, theirs = Pipe()
        environment = {**os.environ, "PYTHONHASHSEED": "0", "SPARK_LOCAL_DIRS": str(directory)}
        command = [sys.executable, "-m", "smackbox.spark.rdd.executor", str(theirs.fileno()), str(directory)]
        command += [str(cache_bytes), os.pathsep.join(sys.path)]
        self.process = subprocess.Popen(
            command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()

    def send(self, message: tuple[Any, ...]) -> None:
        self.connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    def receive(self) -> tuple[Any, ...]:
        """Raises `EOFError` or `OSError` where the process is gone."""
        return pickle.loads(self.connection.recv_bytes())  # type: ignore[no-any-return]  # noqa: S301 - our executor

    def stop(self) -> int:
        self.connection.close()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(STOP_TIMEOUT_S)


class DriverSlot:
    """The same without a process: the answer is there as soon as the task is sent."""

    number = executor = 0
    agent = ""
    hosts: frozenset[str] = frozenset()

    def __init__(self, directory: Path, cache_bytes: int) -> None:
        self._executor = Executor(directory, cache_bytes)
        self.answers: deque[tuple[Any, ...]] = deque()
        self.stage_id: int | None = None

    def send(self, message: tuple[Any, ...]) -> None:
        answer = self._executor.handle(message)
        if answer is not None:
            self.answers.append(answer)


class LocalPool:
    """`local[N]`: N slots, started with the first job; one that is gone is replaced at once."""

    is_growing = False

    def __init__(self, count: int, directory: Path, cache_bytes: int) -> None:
        self._count = count
        self._directory = directory
        self._cache_bytes = cache_bytes
        self._slots: dict[int, LocalSlot] = {}
        self._in_driver = DriverSlot(directory, cache_bytes) if count == 1 else None
        self._started = 0
        self._wakeup = Wakeup()

    @property
    def slots(self) -> Mapping[int, Slot]:
        return self._slots if self._in_driver is None else {0: self._in_driver}

    def want(self, tasks: int, hosts: frozenset[str]) -> None:
        if tasks and self._in_driver is None:
            for executor in range(len(self._slots), self._count):
                self._start(executor)

    def poll(self, timeout_s: float) -> list[Event]:
        if self._in_driver is not None:
            answers = self._in_driver.answers
            return [Answered(self._in_driver, answers.popleft()) for _ in range(len(answers))]
        slots = {slot.connection: slot for slot in self._slots.values()}
        events: list[Event] = []
        for connection in wait([self._wakeup.connection, *slots], timeout_s):
            if connection is self._wakeup.connection:
                self._wakeup.clear()
            elif isinstance(connection, Connection):
                events.append(self._received(slots[connection]))
        return events

    def kill(self, slot: Slot) -> None:
        if isinstance(slot, LocalSlot):
            slot.process.kill()
            self._replace(slot)
        elif isinstance(slot, DriverSlot):
            slot.answers.clear()

    def tell(self, message: tuple[Any, ...]) -> None:
        for slot in self.slots.values():
            with contextlib.suppress(OSError):  # it has died; the next `poll` replaces it
                slot.send(message)

    def add_file(self, kind: str, path: Path) -> None:
        """Executors see the driver's files; later ones have its module path too."""
        if kind == "py":
            self.tell(("path", str(path.parent) if path.suffix == ".py" else str(path)))

    def remove(self, files: Iterable[str]) -> None:
        remove_files(files)

    def wake(self) -> None:
        if self._in_driver is None:
            self._wakeup.set()

    def stop(self) -> None:
        for slot in self._slots.values():
            slot.stop()
        self._slots.clear()
        self._wakeup.close()

    def _start(self, executor: int) -> None:
        slot = LocalSlot(self._started, executor, self._directory, self._cache_bytes)
        self._started += 1
        self._slots[slot.number] = slot

    def _received(self, slot: LocalSlot) -> Event:
        try:
            return Answered(slot, slot.receive())
        except (EOFError, OSError):
            code = self._replace(slot)
            cause = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            return Gone(slot, f"the executor went away in the middle of the task ({cause})")

    def _replace(self, slot: LocalSlot) -> int:
        """A new executor for one that is gone. Its exit code."""
        del self._slots[slot.number]
        code = slot.stop()
        self._start(slot.executor)
        return code
