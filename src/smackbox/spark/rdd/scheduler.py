"""The DAG scheduler: cuts a job at its shuffles into stages, and runs each stage's tasks on executors.

A task that failed is tried again, up to `max_failures` times; then the job fails with the task's own traceback. A
shuffle file that is gone has its map task run again from lineage. An executor that dies is replaced, and the task
that it ran counts as failed once. One job runs at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from smackbox.spark.rdd.closures import dumps
from smackbox.spark.rdd.errors import FetchFailedError, JobCancelledError, JobError
from smackbox.spark.rdd.executor import Executor
from smackbox.spark.rdd.lineage import Node, Shuffle, cached_in, shuffles_of
from smackbox.spark.rdd.seen.call_site import call_site
from smackbox.spark.rdd.seen.events import (
    JOB_GROUP,
    Event,
    JobEnded,
    JobStarted,
    Listener,
    StageEnded,
    StagePlan,
    StageStarted,
    TaskEnded,
    TaskStarted,
)
from smackbox.spark.rdd.shared import apply_additions
from smackbox.spark.rdd.shuffle_files import write_shuffle

MAX_STAGE_ATTEMPTS = 4
STOP_TIMEOUT_S = 5.0
POLL_S = 1.0

TaskFunction = Callable[[int, Iterator[Any]], Any]


class _Process:
    """An executor in a process of its own."""

    def __init__(self, directory: Path, cache_bytes: int) -> None:
        self.connection, theirs = Pipe()
        environment = {**os.environ, "PYTHONHASHSEED": "0", "SPARK_LOCAL_DIRS": str(directory)}
        command = [sys.executable, "-m", "smackbox.spark.rdd.executor", str(theirs.fileno()), str(directory)]
        command += [str(cache_bytes), os.pathsep.join(sys.path)]
        self._process = subprocess.Popen(
            command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        self.stage_id: int | None = None

    def send(self, message: tuple[Any, ...]) -> None:
        self.connection.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    def receive(self) -> tuple[Any, ...]:
        return pickle.loads(self.connection.recv_bytes())  # type: ignore[no-any-return]  # noqa: S301 - our executor

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> int:
        self.connection.close()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(STOP_TIMEOUT_S)


class _InProcess:
    """The same without a process: the answer is there as soon as the task is sent."""

    connection: Connection | None = None

    def __init__(self, directory: Path, cache_bytes: int) -> None:
        self._executor = Executor(directory, cache_bytes)
        self._answers: deque[tuple[Any, ...]] = deque()
        self.stage_id: int | None = None

    def send(self, message: tuple[Any, ...]) -> None:
        answer = self._executor.handle(message)
        if answer is not None:
            self._answers.append(answer)

    def receive(self) -> tuple[Any, ...]:
        return self._answers.popleft()

    def kill(self) -> None:
        self._answers.clear()

    def stop(self) -> int:
        return 0


class Scheduler:
    """Runs the jobs of one context, one at a time."""

    def __init__(
        self,
        executors: int,
        directory: Path,
        cache_bytes: int,
        max_failures: int,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._directory = directory
        self._cache_bytes = cache_bytes
        self._max_failures = max_failures
        self._count = executors
        self._executors: list[_Process | _InProcess] = []
        self._places: dict[tuple[int, int], int] = {}
        self._listeners = listeners
        self._stage_ids = itertools.count()
        self._job_ids = itertools.count()
        self._task_ids = itertools.count()
        self._lock = threading.RLock()
        self._jobs: list[_Job] = []
        self._job = _Job({})
        self._woken, self._wake = Pipe(duplex=False)

    def run(self, node: Node, function: TaskFunction, indexes: list[int], properties: dict[str, str]) -> list[Any]:
        """The results of `function(index, rows)` for each partition named, in their order.

        `properties` are the job's local properties, which its tasks see. Raises `JobError`, `JobCancelledError`.
        """
        job = _Job(properties, name=call_site())
        self._jobs.append(job)
        try:
            while not self._lock.acquire(timeout=POLL_S):
                job.raise_if_cancelled()
            outer, self._job = self._job, job
            try:
                return self._run_seen(node, function, indexes)
            finally:
                self._job = outer
                self._lock.release()
        finally:
            self._jobs.remove(job)

    def cancel(self, group: str | None) -> None:
        """Cancel the jobs of a group, or all, from any thread: their tasks are ended with their executors."""
        for job in list(self._jobs):
            if group is None or job.properties.get(JOB_GROUP) == group:
                job.is_cancelled = True
        self._wake.send_bytes(b"cancel")

    def _run_seen(self, node: Node, function: TaskFunction, indexes: list[int]) -> list[Any]:
        """`_run_job`, with its beginning and its end told to the listeners."""
        job = self._job
        job.job_id = next(self._job_ids)
        job.plans = {each.shuffle_id: self._plan(each, len(each.files)) for each in _bottom_up(node, lambda _: True)}
        result = job.plans[None] = self._plan(None, len(indexes))
        self._tell(JobStarted(job.job_id, result.name, (*job.plans.values(),), job.properties, _now_ms()))
        try:
            results = self._run_job(node, function, indexes)
        except BaseException as error:
            self._tell(JobEnded(job.job_id, str(error) or type(error).__name__, _now_ms()))
            raise
        self._tell(JobEnded(job.job_id, None, _now_ms()))
        return results

    def _plan(self, shuffle: Shuffle | None, tasks: int) -> StagePlan:
        name = self._job.name if shuffle is None else shuffle.made_at
        return StagePlan(next(self._stage_ids), name, tasks, shuffle is not None)

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener.notify(event)

    def _run_job(self, node: Node, function: TaskFunction, indexes: list[int]) -> list[Any]:
        for _ in range(MAX_STAGE_ATTEMPTS):
            try:
                self._make_shuffles(node, indexes)
                return self._run_stage(node, function, indexes, None)
            except FetchFailedError as error:
                self._forget_file(node, error)
        raise JobError(f"shuffle files were lost {MAX_STAGE_ATTEMPTS} times in a row; the job is given up")

    def forget(self, rdd_id: int) -> None:
        """Drop an RDD's cached partitions."""
        with self._lock:
            self._places = {key: place for key, place in self._places.items() if key[0] != rdd_id}
            for executor in self._executors:
                executor.send(("forget", rdd_id))

    def add_path(self, entry: str) -> None:
        """A part of the module path, for executors that run; later ones have the driver's."""
        with self._lock:
            for executor in self._executors:
                executor.send(("path", entry))

    def stop(self) -> None:
        """End the executors."""
        with self._lock:
            for executor in self._executors:
                executor.stop()
            self._executors.clear()

    def _make_shuffles(self, node: Node, indexes: list[int]) -> None:
        """Run the map tasks whose files the stage of `node` will read and that are not there."""
        for shuffle in self._missing(node, indexes):
            self._run_map_stage(shuffle)

    def _missing(self, node: Node, indexes: list[int]) -> list[Shuffle]:
        """The shuffles with files that are not there, bottom up, each once."""
        if node.level is not None and all((node.rdd_id, index) in self._places for index in indexes):
            return []
        return _bottom_up(node, lambda shuffle: None in shuffle.files)

    def _run_map_stage(self, shuffle: Shuffle) -> None:
        missing = [index for index, path in enumerate(shuffle.files) if path is None]
        write = MapOutput(self._directory, shuffle.shuffle_id, shuffle.partitions, shuffle.partition_of)
        self._run_stage(shuffle.parent, write, missing, shuffle)

    def _forget_file(self, node: Node, lost: FetchFailedError) -> None:
        waiting, seen = [node], set[int]()
        while waiting:
            for shuffle in shuffles_of(waiting.pop()):
                if shuffle.shuffle_id == lost.shuffle_id:
                    shuffle.files[lost.map_index] = None
                if shuffle.shuffle_id not in seen:
                    seen.add(shuffle.shuffle_id)
                    waiting.append(shuffle.parent)

    def _run_stage(self, node: Node, function: TaskFunction, indexes: list[int], shuffle: Shuffle | None) -> list[Any]:
        # one that runs again, for files that were lost, is another stage
        plan = self._job.plans.pop(None if shuffle is None else shuffle.shuffle_id, None)
        if plan is None or plan.tasks != len(indexes):
            plan = self._plan(shuffle, len(indexes)) if plan is None else replace(plan, tasks=len(indexes))
        stage = _Stage(plan, dumps((node, function)), node)
        self._start_executors()
        queues = self._deal(node, indexes)
        running: dict[int, TaskStarted] = {}
        self._tell(StageStarted(self._job.job_id, stage.plan, _now_ms()))
        try:
            results = self._run_tasks(stage, indexes, shuffle, queues, running)
        except BaseException as error:
            reason = str(error) or type(error).__name__
            for task in running.values():
                self._tell(TaskEnded(stage.plan, task, reason, None, True, _now_ms()))
            self._tell(StageEnded(self._job.job_id, stage.plan, reason, _now_ms()))
            self._abandon(running)
            raise
        self._tell(StageEnded(self._job.job_id, stage.plan, None, _now_ms()))
        return results

    def _run_tasks(
        self,
        stage: _Stage,
        indexes: list[int],
        shuffle: Shuffle | None,
        queues: list[deque[int]],
        running: dict[int, TaskStarted],
    ) -> list[Any]:
        lost: FetchFailedError | None = None
        results: dict[int, Any] = {}
        failure: JobError | None = None
        while len(results) < len(indexes) or running:
            self._job.raise_if_cancelled()
            if lost is None and failure is None:
                for place in range(self._count):
                    index = self._next(queues, place) if place not in running else None
                    if index is not None:
                        running[place] = self._send(place, stage, index)
            if not running:
                break
            for place in self._ready(running):
                task = running.pop(place)
                index = task.index
                answer = self._receive(place)
                self._tell(_ended(stage, task, answer))
                if answer[0] == "done":
                    results[index] = self._accept(answer, place, index, shuffle)
                elif answer[0] == "lost":
                    lost = FetchFailedError(answer[1], answer[2])
                else:
                    stage.failures[index] = stage.failures.get(index, 0) + 1
                    if stage.failures[index] >= self._max_failures:
                        failure = failure or stage.failure(index, answer)
                    else:
                        queues[-1].append(index)
        if failure is not None:
            raise failure
        if lost is not None:
            raise lost
        return [results[index] for index in indexes]

    def _abandon(self, running: dict[int, TaskStarted]) -> None:
        """Replace the executors whose tasks still run: their answers must not reach the next job."""
        for place in running:
            self._executors[place].kill()
            self._replace(place)

    def _replace(self, place: int) -> int:
        """A new executor for one that is gone, and its cached blocks with it. Its exit code."""
        old = self._executors[place]
        code = old.stop()
        self._executors[place] = type(old)(self._directory, self._cache_bytes)
        self._places = {key: held for key, held in self._places.items() if held != place}
        return code

    def _deal(self, node: Node, indexes: list[int]) -> list[deque[int]]:
        """A queue for each executor, of the tasks whose cached block it holds; the last queue is anybody's."""
        queues: list[deque[int]] = [deque() for _ in range(self._count + 1)]
        cached = cached_in(node)
        for index in indexes:
            places = (self._places.get((rdd_id, index)) for rdd_id in cached)
            place = next((place for place in places if place is not None), self._count)
            queues[place].append(index)
        return queues

    def _next(self, queues: list[deque[int]], place: int) -> int | None:
        for queue in (queues[place], queues[-1]):
            if queue:
                return queue.popleft()
        return None

    def _accept(self, answer: tuple[Any, ...], place: int, index: int, shuffle: Shuffle | None) -> Any:
        _, result, added, cached = answer
        for key in cached:
            self._places[key] = place
        value = pickle.loads(result)  # noqa: S301 - our executor
        if shuffle is not None:
            shuffle.files[index] = value
        if shuffle is None or index not in shuffle.counted:
            apply_additions(pickle.loads(added))  # noqa: S301 - our executor
        if shuffle is not None:
            shuffle.counted.add(index)
        return value

    def _start_executors(self) -> None:
        kind = _InProcess if self._count == 1 else _Process
        while len(self._executors) < self._count:
            self._executors.append(kind(self._directory, self._cache_bytes))

    def _send(self, place: int, stage: _Stage, index: int) -> TaskStarted:
        executor = self._executors[place]
        attempt = stage.failures.get(index, 0)
        task = TaskStarted(stage.plan, next(self._task_ids), index, attempt, place, _now_ms())
        self._tell(task)
        with contextlib.suppress(OSError):  # its end of the socket is closed; `_receive` replaces it
            if executor.stage_id != stage.stage_id:
                executor.stage_id = stage.stage_id
                executor.send(("stage", stage.stage_id, stage.blob))
            executor.send(("task", index, attempt, stage.shuffles, self._job.properties))
        return task

    def _ready(self, running: dict[int, TaskStarted]) -> list[int]:
        connections = {self._executors[place].connection: place for place in running}
        if None in connections:
            return list(running)
        ready: list[Any] = []
        while not ready:
            ready = wait([self._woken, *filter(None, connections)], POLL_S)
        if self._woken in ready:
            self._woken.recv_bytes()
            ready.remove(self._woken)
        return [connections[connection] for connection in ready]

    def _receive(self, place: int) -> tuple[Any, ...]:
        try:
            return self._executors[place].receive()
        except (EOFError, OSError):
            code = self._replace(place)
            cause = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            return "failed", f"the executor went away in the middle of the task ({cause})", "ExecutorLost"


def _bottom_up(node: Node, wanted: Callable[[Shuffle], bool]) -> list[Shuffle]:
    """The shuffles that the job of `node` stands on, each once and behind those that it reads; below one that is not
    wanted nothing is looked at.
    """
    found: dict[int, Shuffle] = {}
    pending = [(shuffle, False) for shuffle in shuffles_of(node)]
    while pending:
        shuffle, parents_done = pending.pop()
        if shuffle.shuffle_id in found or not wanted(shuffle):
            continue
        if parents_done:
            found[shuffle.shuffle_id] = shuffle
            continue
        pending.append((shuffle, True))
        pending += [(parent, False) for parent in shuffles_of(shuffle.parent)]
    return list(found.values())


class _Job:
    """`plans` are the stages that it will run, by the shuffle that they make; None is the last one."""

    def __init__(self, properties: dict[str, str], name: str = "") -> None:
        self.properties = properties
        self.name = name
        self.job_id = -1
        self.plans: dict[int | None, StagePlan] = {}
        self.is_cancelled = False

    def raise_if_cancelled(self) -> None:
        if self.is_cancelled:
            group = self.properties.get(JOB_GROUP)
            raise JobCancelledError("Job cancelled" + (f" part of cancelled job group {group}" if group else ""))


class _Stage:
    def __init__(self, plan: StagePlan, blob: bytes, node: Node) -> None:
        self.plan = plan
        self.stage_id = plan.stage_id
        self.blob = blob
        self.shuffles = {shuffle.shuffle_id: shuffle.files for shuffle in shuffles_of(node)}
        self.failures: dict[int, int] = {}

    def failure(self, index: int, answer: tuple[Any, ...]) -> JobError:
        return JobError(
            f"Job aborted due to stage failure: Task {index} in stage {self.stage_id} failed "
            f"{self.failures[index]} times, most recent failure: {answer[2]}\n{answer[1]}"
        )


def _ended(stage: _Stage, task: TaskStarted, answer: tuple[Any, ...]) -> TaskEnded:
    error = traceback = None
    if answer[0] == "lost":
        error = f"FetchFailed: the file of map task {answer[2]} of shuffle {answer[1]} is gone"
    elif answer[0] == "failed":
        traceback, error = answer[1], answer[2]
    return TaskEnded(stage.plan, task, error, traceback, False, _now_ms())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MapOutput:
    """The function of a map task: writes its shuffle file and answers where it is."""

    def __init__(self, directory: Path, shuffle_id: int, partitions: int, partition_of: Callable[[Any], int]) -> None:
        self._directory, self._shuffle_id = directory, shuffle_id
        self._partitions, self._partition_of = partitions, partition_of

    def __call__(self, index: int, rows: Iterator[Any]) -> str:
        path = self._directory / f"shuffle-{self._shuffle_id}-{index}.data"
        write_shuffle(path, rows, self._partitions, self._partition_of)
        return str(path)
