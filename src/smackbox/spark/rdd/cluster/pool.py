"""The executors of a context on a cluster, as the driver has them: their connections, slots, and what becomes of them.

The scheduler's thread uses it (`rdd/pool.py`). Two others bring it news through a queue: the one that accepts
connections, and the one that talks to Mesos (`mesos_thread.py`). A slot whose connection ends waits up to
`EXPLAIN_S` for the reason, so that the error of a job can say it.

Dynamic allocation: as many cores are wanted as tasks wait and run. An executor that was idle for
`spark.dynamicAllocation.executorIdleTimeout` ends, unless it may hold map outputs of the job that runs; those of
earlier jobs are made again from lineage when they are needed.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import platform
import queue
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from smackbox.spark.rdd.cluster.blocks import serve_files
from smackbox.spark.rdd.cluster.channel import Listener, peer_host, receive, send
from smackbox.spark.rdd.cluster.framework import Ended, Launched
from smackbox.spark.rdd.cluster.settings import ClusterSettings
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.host_names import host_names
from smackbox.spark.rdd.pool import Answered, Event, FilesGone, Gone, Slot, Wakeup

EXPLAIN_S = 1.0
COMPLAIN_S = 15.0
WANT_LESS_S = 1.0

log = logging.getLogger(__name__)


class Launcher(Protocol):
    """Who starts executors and ends them. All may be called from the scheduler's thread."""

    def want(self, cores: float, hosts: frozenset[str]) -> None: ...

    def registered(self, executor_id: str) -> None: ...

    def find(self, executor_id: str) -> Launched | None: ...

    @property
    def is_growing(self) -> bool: ...

    def lacking(self) -> str:
        """What keeps executors from starting, as a sentence."""
        ...

    def failure(self) -> str | None:
        """Why executors will never start; None where they may."""
        ...

    def stop(self) -> None: ...


@dataclass(eq=False, slots=True)
class ClusterSlot:
    """A worker of an executor, at one of its places."""

    number: int
    owner: ClusterExecutor
    place: int
    connection: Connection
    stage_id: int | None = None

    @property
    def executor(self) -> int:
        return self.owner.launched.number

    @property
    def agent(self) -> str:
        return self.owner.launched.agent_id

    @property
    def hosts(self) -> frozenset[str]:
        return self.owner.hosts

    def send(self, message: tuple[Any, ...]) -> None:
        self.owner.used_s = float("inf")
        send(self.connection, message)


@dataclass(eq=False, slots=True)
class ClusterExecutor:
    """`used_s`: when its last task ended, infinity while it runs one."""

    launched: Launched
    control: Connection
    location: str
    hosts: frozenset[str]
    used_s: float
    used_in_job: bool = False
    slots: dict[int, ClusterSlot] = field(default_factory=dict)
    cached: set[int] = field(default_factory=set)
    exits: dict[int, int] = field(default_factory=dict)


class ClusterPool:
    """`readable` are the folders whose files executors may fetch."""

    def __init__(
        self,
        settings: ClusterSettings,
        bind_address: str,
        secret: str,
        readable: Iterable[Path],
        launch: Callable[[ClusterPool], Launcher],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._readable = [path.resolve() for path in readable]
        self._now_s = now_s
        self._slots: dict[int, ClusterSlot] = {}
        self._executors: dict[str, ClusterExecutor] = {}
        self._early: dict[str, list[tuple[int, Connection]]] = {}
        self._next_number = 0
        self._unexplained: list[tuple[ClusterSlot, float]] = []
        self._events: list[Event] = []
        self._files: list[tuple[str, Path]] = []
        self._news: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._wakeup = Wakeup()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wakeup.connection, selectors.EVENT_READ, None)
        self._wanted = (0.0, 0.0)
        self._in_job = False
        self._idle_since_s = self._complained_s = now_s()
        self._has_launcher = threading.Event()
        self._listener = Listener(bind_address, settings.driver_port, secret.encode(), self._accepted)
        try:
            self._launcher = launch(self)
        except BaseException:
            self._listener.close()
            raise
        self._has_launcher.set()
        if not settings.dynamic:
            self._launcher.want(settings.cores_max, frozenset())
        elif settings.min_executors:
            self._launcher.want(settings.min_executors * (settings.executor_cores or 1), frozenset())

    # --- what the scheduler asks

    @property
    def port(self) -> int:
        """Where executors reach the driver."""
        return self._listener.port

    @property
    def slots(self) -> Mapping[int, Slot]:
        return self._slots

    @property
    def is_growing(self) -> bool:
        return self._launcher.is_growing

    def want(self, tasks: int, hosts: frozenset[str]) -> None:
        now_s = self._now_s()
        if not tasks or not self._in_job:
            self._in_job = bool(tasks)
            self._idle_since_s = self._complained_s = now_s
            for executor in list(self._executors.values()):
                executor.used_in_job = False
        if not self._settings.dynamic:
            return
        before, at_s = self._wanted
        cores = float(max(tasks, self._settings.min_executors * (self._settings.executor_cores or 1)))
        if cores != before and (cores > before or not tasks or now_s - at_s > WANT_LESS_S):
            self._wanted = (cores, now_s)
            self._launcher.want(cores, hosts)

    def poll(self, timeout_s: float) -> list[Event]:
        for key, _ in self._selector.select(0 if self._events else min(timeout_s, self._explain_in_s())):
            if key.data is None:
                self._read_news()
            elif isinstance(key.data, ClusterSlot):
                self._read_slot(key.data)
            else:
                self._read_control(key.data)
        self._explain()
        self._complain()  # before the events are taken: it raises
        events, self._events = self._events, []
        return events

    def kill(self, slot: Slot) -> None:
        assert isinstance(slot, ClusterSlot)
        if slot.number in self._slots:
            with contextlib.suppress(OSError):
                send(slot.owner.control, ("restart", slot.place))
            slot.owner.used_s = self._now_s()
            self._drop(slot)

    def tell(self, message: tuple[Any, ...]) -> None:
        if message[0] == "forget":
            for executor in self._executors.values():
                executor.cached.discard(message[1])
        for slot in list(self._slots.values()):
            with contextlib.suppress(OSError):
                send(slot.connection, message)

    def add_file(self, kind: str, path: Path) -> None:
        self._files.append((kind, path))
        self.tell(("file", kind, str(path)))

    def remove(self, files: Iterable[str]) -> None:
        names = [path.rpartition("/") for path in files]
        for executor in self._executors.values():
            own = [name for location, _, name in names if f"{location}/" == executor.location]
            if own:
                with contextlib.suppress(OSError):
                    send(executor.control, ("remove", own))

    def wake(self) -> None:
        self._wakeup.set()

    def stop(self) -> None:
        self._listener.close()
        self._read_news()
        for executor in self._executors.values():
            with contextlib.suppress(OSError):
                send(executor.control, ("stop",))
        self._launcher.stop()
        for executor in list(self._executors.values()):
            self._forget(executor)
        for waiting in self._early.values():
            for _, connection in waiting:
                connection.close()
        self._selector.close()
        self._wakeup.close()

    # --- what other threads bring

    def ended(self, ended: Ended) -> None:
        """An executor has ended, as the cluster says. From any thread."""
        self._news.put(("ended", ended))
        self.wake()

    def idle(self, now_s: float, launched: Iterable[Launched]) -> list[str]:
        """The executors, of those launched, that dynamic allocation can do without. From any thread."""
        if not self._settings.dynamic:
            return []
        every = list(launched)
        idle = [each.executor_id for each in every if self._is_idle(each, now_s)]
        return idle[: max(0, len(every) - self._settings.min_executors)]

    def _is_idle(self, launched: Launched, now_s: float) -> bool:
        executor = self._executors.get(launched.executor_id)
        if executor is None:  # it has come, or comes, after the job that wanted it
            return not self._in_job and now_s - launched.launched_ms / 1_000 >= self._settings.idle_timeout_s
        if self._in_job and executor.used_in_job:
            return False
        limit_s = self._settings.cached_idle_timeout_s if executor.cached else self._settings.idle_timeout_s
        return now_s - executor.used_s >= limit_s

    def _accepted(self, connection: Connection) -> None:
        """In a thread of the connection's own."""
        try:
            hello = receive(connection, COMPLAIN_S)
            if hello[0] == "file":
                serve_files(connection, hello, self._may_read)
                return
            if hello[0] == "executor" and not self._may_register(hello):
                connection.close()
                return
            self._news.put((hello[0], hello, connection, peer_host(connection)))
        except (OSError, EOFError):
            connection.close()
            return
        self.wake()

    def _may_register(self, hello: tuple[Any, ...]) -> bool:
        """Whether an executor is one that was launched, with this Python; Mesos is told at once, job or no job."""
        self._has_launcher.wait()
        launched, version = self._launcher.find(hello[1]), hello[4]
        if launched is None:
            return False
        if version != platform.python_version_tuple()[:2]:
            log.error(
                "executor %d on %s has Python %s, the driver %s: set spark.pyspark.python",
                launched.number, launched.hostname, ".".join(version), platform.python_version(),
            )  # fmt: skip
            return False
        self._launcher.registered(hello[1])
        return True

    def _may_read(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self._readable)

    # --- news

    def _read_news(self) -> None:
        self._wakeup.clear()
        while True:
            try:
                news = self._news.get_nowait()
            except queue.Empty:
                return
            if news[0] == "ended":
                self._take_end(news[1])
            elif news[0] == "executor":
                self._add_executor(news[1], news[2], news[3])
            elif news[0] == "slot":
                self._add_slot(news[1][1], news[1][2], news[2])

    def _add_executor(self, hello: tuple[Any, ...], connection: Connection, host: str) -> None:
        _, executor_id, names, location, _ = hello
        launched = self._launcher.find(executor_id)
        if launched is None:
            connection.close()  # Mesos has ended it already
            return
        hosts = host_names({launched.hostname, host, *names} - {""})
        executor = ClusterExecutor(launched, connection, location, hosts, self._now_s())
        self._executors[executor_id] = executor
        self._selector.register(connection, selectors.EVENT_READ, executor)
        for place, early in self._early.pop(executor_id, []):
            self._add_slot(executor_id, place, early)

    def _add_slot(self, executor_id: str, place: int, connection: Connection) -> None:
        executor = self._executors.get(executor_id)
        if executor is None:
            if self._launcher.find(executor_id) is None:
                connection.close()
            else:
                self._early.setdefault(executor_id, []).append((place, connection))
            return
        slot = ClusterSlot(self._next_number, executor, place, connection)
        self._next_number += 1
        try:
            for kind, path in self._files:
                send(connection, ("file", kind, str(path)))
        except OSError:
            connection.close()
            return
        self._slots[slot.number] = executor.slots[place] = slot
        executor.used_s = self._now_s() if executor.used_s != float("inf") else executor.used_s
        self._selector.register(connection, selectors.EVENT_READ, slot)

    def _take_end(self, ended: Ended) -> None:
        executor_id = ended.executor.executor_id
        for _, connection in self._early.pop(executor_id, []):
            connection.close()
        executor = self._executors.get(executor_id)
        if executor is not None:
            self._lose(executor)
        still = []
        for slot, deadline_s in self._unexplained:
            if slot.owner.launched.executor_id == executor_id:
                self._events.append(Gone(slot, ended.reason, ended.counts))
            else:
                still.append((slot, deadline_s))
        self._unexplained = still

    # --- connections

    def _read_slot(self, slot: ClusterSlot) -> None:
        if slot.number not in self._slots:
            return
        try:
            answer = pickle.loads(slot.connection.recv_bytes())  # noqa: S301 - our executor
        except (EOFError, OSError):
            self._drop(slot)
            self._unexplained.append((slot, self._now_s() + EXPLAIN_S))
            return
        executor = slot.owner
        executor.used_in_job = True
        executor.used_s = self._now_s()
        if answer[0] == "done":
            executor.cached.update(rdd_id for rdd_id, _ in answer[3])
        self._events.append(Answered(slot, answer))

    def _read_control(self, executor: ClusterExecutor) -> None:
        if executor.launched.executor_id not in self._executors:
            return
        try:
            _, place, code = pickle.loads(executor.control.recv_bytes())  # noqa: S301 - our executor
        except (EOFError, OSError):
            self._lose(executor)
            return
        executor.exits[place] = code

    def _lose(self, executor: ClusterExecutor) -> None:
        """Its process is gone, and with it the shuffle files that it served."""
        slots = list(executor.slots.values())
        self._forget(executor)
        self._unexplained += [(slot, self._now_s() + EXPLAIN_S) for slot in slots]
        self._events.append(FilesGone(executor.location))

    def _forget(self, executor: ClusterExecutor) -> None:
        self._executors.pop(executor.launched.executor_id, None)
        for slot in list(executor.slots.values()):
            self._drop(slot)
        self._selector.unregister(executor.control)
        executor.control.close()

    def _drop(self, slot: ClusterSlot) -> None:
        del self._slots[slot.number]
        if slot.owner.slots.get(slot.place) is slot:
            del slot.owner.slots[slot.place]
        self._selector.unregister(slot.connection)
        slot.connection.close()

    # --- reasons

    def _explain_in_s(self) -> float:
        return max(0.0, min((deadline for _, deadline in self._unexplained), default=float("inf")) - self._now_s())

    def _explain(self) -> None:
        """Report the slots that are gone and whose reason is known, or was awaited long enough."""
        if not self._unexplained:
            return
        still = []
        for slot, deadline_s in self._unexplained:
            code = slot.owner.exits.pop(slot.place, None)
            if code is None and self._now_s() < deadline_s:
                still.append((slot, deadline_s))
                continue
            cause = "connection lost" if code is None else f"killed by signal {-code}" if code < 0 else f"exit {code}"
            where = slot.owner.launched.hostname
            self._events.append(Gone(slot, f"the executor on {where} went away in the middle of the task ({cause})"))
        self._unexplained = still

    def _complain(self) -> None:
        """Say what a job waits for that has no slot. Raises `JobError` when it has waited too long."""
        now_s = self._now_s()
        if self._slots or not self._in_job:
            self._idle_since_s = self._complained_s = now_s
            return
        failure = self._launcher.failure()
        if failure is not None:
            raise JobError(failure)
        if now_s - self._idle_since_s > self._settings.offer_timeout_s:
            raise JobError(
                f"no executor within spark.smack.offerTimeout ({self._settings.offer_timeout_s:g} s): "
                f"{self._launcher.lacking()}"
            )
        if now_s - self._complained_s > COMPLAIN_S:
            self._complained_s = now_s
            log.warning("the job has no executor yet: %s", self._launcher.lacking())
