"""The DAG scheduler: cuts a job at its shuffles into stages, and runs each stage's tasks on executors.

A task that failed is tried again, up to `max_failures` times; then the job fails with the task's own traceback. A
shuffle file that is gone has its map task run again from lineage. An executor that dies is replaced, and the task
that it ran counts as failed once. One job runs at a time.
"""

from __future__ import annotations

import contextlib
import itertools
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from smackbox.base.clock import Clock, SystemClock
from smackbox.spark.rdd.closures import dumps
from smackbox.spark.rdd.errors import FetchFailedError, JobCancelledError, JobError
from smackbox.spark.rdd.host_names import host_names
from smackbox.spark.rdd.lineage import Node, Shuffle, data_of, shuffles_of
from smackbox.spark.rdd.pool import Answered, Event, FilesGone, Pool, Slot
from smackbox.spark.rdd.seen.call_site import call_site
from smackbox.spark.rdd.seen.events import (
    JOB_GROUP,
    JobEnded,
    JobStarted,
    Listener,
    StageEnded,
    StagePlan,
    StageStarted,
    TaskEnded,
    TaskStarted,
)
from smackbox.spark.rdd.seen.events import Event as SeenEvent
from smackbox.spark.rdd.shared import apply_additions
from smackbox.spark.rdd.shuffle_files import BLOCKS_SCHEME, write_shuffle
from smackbox.spark.rdd.task import current
from smackbox.spark.rdd.task_set import NO_PREFERENCE, SLOT, Preference, Run, TaskLimits, TaskSet

MAX_STAGE_ATTEMPTS = 4
POLL_S = 1.0
ABORT_GRACE_S = 5.0
"""So long the other tasks of a stage that failed may run on, before they are ended with their executors."""

TaskFunction = Callable[[int, Iterator[Any]], Any]


class Scheduler:
    """Runs the jobs of one context, one at a time."""

    def __init__(
        self, pool: Pool, limits: TaskLimits, listeners: Sequence[Listener] = (), clock: Clock | None = None
    ) -> None:
        self.pool = pool
        self._limits = limits
        self._clock = clock or SystemClock()
        self._places: dict[tuple[int, int], Slot] = {}
        self._shuffles: WeakValueDictionary[int, Shuffle] = WeakValueDictionary()
        self._listeners = listeners
        self._stage_ids = itertools.count()
        self._job_ids = itertools.count()
        self._task_ids = itertools.count()
        self._lock = threading.RLock()
        self._jobs: list[_Job] = []
        self._job = _Job({})

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
                self.pool.want(0, frozenset())
                self._lock.release()
        finally:
            self._jobs.remove(job)

    def cancel(self, group: str | None) -> None:
        """Cancel the jobs of a group, or all, from any thread: their tasks are ended with their executors."""
        for job in list(self._jobs):
            if group is None or job.properties.get(JOB_GROUP) == group:
                job.is_cancelled = True
        self.pool.wake()

    def _run_seen(self, node: Node, function: TaskFunction, indexes: list[int]) -> list[Any]:
        """`_run_job`, with its beginning and its end told to the listeners."""
        job = self._job
        job.job_id = next(self._job_ids)
        shuffles = _bottom_up(node, lambda _: True)
        self._shuffles.update((each.shuffle_id, each) for each in shuffles)
        job.plans = {each.shuffle_id: self._plan(each, len(each.files)) for each in shuffles}
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

    def _tell(self, event: SeenEvent) -> None:
        for listener in self._listeners:
            listener.notify(event)

    def _run_job(self, node: Node, function: TaskFunction, indexes: list[int]) -> list[Any]:
        results: dict[int, Any] = {}
        fruitless: dict[int | None, int] = {}
        while True:
            missing = [index for index in dict.fromkeys(indexes) if index not in results]
            try:
                self._make_shuffles(node, missing)
                self._run_stage(node, function, missing, None, results)
                return [results[index] for index in indexes]
            except _FilesLost as lost:
                fruitless[lost.stage] = 0 if lost.progressed else fruitless.get(lost.stage, 0) + 1
                if fruitless[lost.stage] >= MAX_STAGE_ATTEMPTS:
                    raise JobError(
                        f"shuffle files were lost {MAX_STAGE_ATTEMPTS} times in a row; the job is given up"
                    ) from lost

    def forget(self, rdd_id: int) -> None:
        """Drop an RDD's cached partitions."""
        with self._lock:
            self._places = {key: slot for key, slot in self._places.items() if key[0] != rdd_id}
            self.pool.tell(("forget", rdd_id))

    def remove(self, shuffle: Shuffle) -> None:
        """Delete a shuffle's files; it is made again when a job needs it."""
        with self._lock:
            self.pool.remove(shuffle.forget())

    def add_file(self, kind: str, path: Path) -> None:
        """A file of the driver's for tasks: `files` or `py`."""
        with self._lock:
            self.pool.add_file(kind, path)

    def stop(self) -> None:
        """End the executors."""
        with self._lock:
            self.pool.stop()

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
        write = MapOutput(shuffle.shuffle_id, shuffle.partitions, shuffle.partition_of)
        self._run_stage(shuffle.parent, write, missing, shuffle, {})

    def _run_stage(
        self, node: Node, function: TaskFunction, indexes: list[int], shuffle: Shuffle | None, results: dict[int, Any]
    ) -> None:
        """Run a task for each index and put what it gives into `results`, or its file's place into the shuffle.

        Raises `JobError`, and `_FilesLost` when each task has succeeded or lacks a file.
        """
        # one that runs again, for files that were lost, is another stage
        plan = self._job.plans.pop(None if shuffle is None else shuffle.shuffle_id, None)
        if plan is None or plan.tasks != len(indexes):
            plan = self._plan(shuffle, len(indexes)) if plan is None else replace(plan, tasks=len(indexes))
        tasks = TaskSet(indexes, lambda index: self._preference(node, index), self._limits, self._now_s())
        stage = _Stage(plan, dumps((node, function)), node, shuffle, tasks, results)
        self._tell(StageStarted(self._job.job_id, stage.plan, _now_ms()))
        try:
            self._run_tasks(stage)
        except BaseException as error:
            reason = str(error) or type(error).__name__
            for slot in [run.slot for run in tasks.runs.values()]:
                self._end_task(stage, slot, reason)
            self._tell(StageEnded(self._job.job_id, stage.plan, reason, _now_ms()))
            raise
        self._tell(StageEnded(self._job.job_id, stage.plan, None, _now_ms()))

    def _run_tasks(self, stage: _Stage) -> None:
        tasks = stage.tasks
        while not tasks.is_complete:
            self._job.raise_if_cancelled()
            if not stage.is_ending:
                self.pool.want(tasks.demand, tasks.hosts)
                self._send_tasks(stage)
            elif not tasks.runs or (stage.failure is not None and self._now_s() - stage.failed_s > ABORT_GRACE_S):
                break
            for event in self.pool.poll(min(POLL_S, tasks.wait_s(self._now_s()))):
                self._take(event, stage)
        if stage.failure is not None:
            raise stage.failure
        if stage.lost is not None:
            raise _FilesLost(stage.shuffle_id, progressed=stage.succeeded > 0) from stage.lost

    def _take(self, event: Event, stage: _Stage) -> None:
        if isinstance(event, Answered):
            if event.slot.number in stage.running:  # else it was ended by another event of the same poll
                self._answered(event.slot, event.answer, stage)
        elif isinstance(event, FilesGone):
            self._take_files(event.location)
        else:
            self._places = {key: slot for key, slot in self._places.items() if slot is not event.slot}
            stage.tasks.slot_gone(event.slot.number)
            if event.slot.number in stage.running:
                self._failed(event.slot, ("failed", event.reason, "ExecutorLost"), stage, counts=event.counts)

    def _answered(self, slot: Slot, answer: tuple[Any, ...], stage: _Stage) -> None:
        if answer[0] == "failed":
            self._failed(slot, answer, stage)
            return
        self._tell(_ended(stage, stage.running.pop(slot.number), answer))
        if answer[0] == "lost":
            stage.tasks.failed(slot, counts=False)
            stage.lost = stage.lost or FetchFailedError(answer[1], answer[2])
            self._forget_file(answer[1], answer[2])
            return
        index = stage.tasks.runs[slot.number].index
        is_first, others = stage.tasks.succeeded(slot, self._now_s())
        for other in others:
            self._end_task(stage, other, "another attempt succeeded")
        if is_first:
            stage.succeeded += 1
            self._accept(answer, slot, index, stage)

    def _failed(self, slot: Slot, answer: tuple[Any, ...], stage: _Stage, *, counts: bool = True) -> None:
        task = stage.running.pop(slot.number)
        self._tell(_ended(stage, task, answer))
        if stage.tasks.failed(slot, counts=counts) and stage.failure is None:
            stage.failure = stage.job_error(task.index, answer)
            stage.failed_s = self._now_s()

    def _end_task(self, stage: _Stage, slot: Slot, reason: str) -> None:
        """End a task whose answer is not wanted any more, and what its slot has cached."""
        self._tell(TaskEnded(stage.plan, stage.running.pop(slot.number), reason, None, True, _now_ms()))
        stage.tasks.dropped(slot)
        stage.tasks.slot_gone(slot.number)
        self.pool.kill(slot)
        self._places = {key: held for key, held in self._places.items() if held is not slot}

    def _forget_file(self, shuffle_id: int, map_index: int) -> None:
        """A file could not be read: neither can the others of its executor, where it is another machine's."""
        shuffle = self._shuffles.get(shuffle_id)
        path = None if shuffle is None else shuffle.files[map_index]
        if shuffle is not None and path is not None:
            shuffle.files[map_index] = None
            if path.startswith(BLOCKS_SCHEME):
                self._take_files(path.rpartition("/")[0])

    def _take_files(self, location: str) -> None:
        for shuffle in list(self._shuffles.values()):
            shuffle.forget(lambda path: path.startswith(location))

    def _preference(self, node: Node, index: int) -> Preference:
        """Where a partition is cached, else the hosts that the nearest node with data of its own names."""
        hosts: Sequence[str] = ()
        for each, part in data_of(node, index):
            if each.level is not None and (slot := self._places.get((each.rdd_id, part))) is not None:
                return Preference(slots=(slot.number,))
            hosts = hosts or each.hosts(part)
        return Preference(hosts=host_names(hosts))

    def _accept(self, answer: tuple[Any, ...], slot: Slot, index: int, stage: _Stage) -> None:
        _, result, added, cached = answer
        for key in cached:
            self._places[key] = slot
        value = pickle.loads(result)  # noqa: S301 - our executor
        shuffle = stage.shuffle
        if shuffle is None:
            stage.results[index] = value
            apply_additions(pickle.loads(added))  # noqa: S301 - our executor
            return
        shuffle.files[index] = value
        if index not in shuffle.counted:
            shuffle.counted.add(index)
            apply_additions(pickle.loads(added))  # noqa: S301 - our executor

    def _send_tasks(self, stage: _Stage) -> None:
        tasks, now_s = stage.tasks, self._now_s()
        tasks.look_for_stragglers(now_s)
        slots = self.pool.slots
        for slot in list(slots.values()):
            if not tasks.has_waiting:
                return
            if slot.number not in tasks.runs:
                run = tasks.next(slot, slots, now_s, growing=self.pool.is_growing)
                if run is not None:
                    self._send(run, stage)

    def _send(self, run: Run, stage: _Stage) -> None:
        slot, index = run.slot, run.index
        attempt = stage.attempts.get(index, 0)
        stage.attempts[index] = attempt + 1
        locality = SLOT if run.locality == NO_PREFERENCE else run.locality  # as Spark shows it
        task = TaskStarted(
            stage.plan, next(self._task_ids), index, attempt, slot.executor, _now_ms(), locality, run.is_copy
        )
        stage.running[slot.number] = task
        self._tell(task)
        with contextlib.suppress(OSError):  # its end of the socket is closed; the pool says so
            if slot.stage_id != stage.stage_id:
                slot.stage_id = stage.stage_id
                slot.send(("stage", stage.stage_id, stage.blob, stage.shuffles))
            slot.send(("task", index, attempt, self._job.properties))

    def _now_s(self) -> float:
        return self._clock.monotonic_ms() / 1_000


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
    """A stage that runs: its task set, which task each slot has, and what has come of it."""

    def __init__(
        self, plan: StagePlan, blob: bytes, node: Node, shuffle: Shuffle | None, tasks: TaskSet, results: dict[int, Any]
    ) -> None:
        self.plan = plan
        self.stage_id = plan.stage_id
        self.blob = blob
        self.shuffles = {read.shuffle_id: read.files for read in shuffles_of(node)}
        self.shuffle = shuffle
        self.tasks = tasks
        self.results = results
        self.running: dict[int, TaskStarted] = {}
        self.attempts: dict[int, int] = {}
        self.succeeded = 0
        self.failure: JobError | None = None
        self.failed_s = 0.0
        self.lost: FetchFailedError | None = None

    @property
    def shuffle_id(self) -> int | None:
        return None if self.shuffle is None else self.shuffle.shuffle_id

    @property
    def is_ending(self) -> bool:
        """Whether no more tasks are to start."""
        return self.failure is not None or self.lost is not None

    def job_error(self, index: int, answer: tuple[Any, ...]) -> JobError:
        return JobError(
            f"Job aborted due to stage failure: Task {index} in stage {self.stage_id} failed "
            f"{self.tasks.failures[index]} times, most recent failure: {answer[2]}\n{answer[1]}"
        )


class _FilesLost(Exception):  # noqa: N818 - it is no failure: the stage runs again
    """A stage's tasks lacked shuffle files. `progressed`: others of them succeeded."""

    def __init__(self, stage: int | None, *, progressed: bool) -> None:
        super().__init__(stage)
        self.stage = stage
        self.progressed = progressed


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
    """The function of a map task: writes its shuffle file into its executor's directory and answers where it is."""

    def __init__(self, shuffle_id: int, partitions: int, partition_of: Callable[[Any], int]) -> None:
        self._shuffle_id = shuffle_id
        self._partitions, self._partition_of = partitions, partition_of

    def __call__(self, index: int, rows: Iterator[Any]) -> str:
        task = current()
        assert task is not None, "a map task runs on an executor"
        name = f"shuffle-{self._shuffle_id}-{index}.data"
        write_shuffle(task.blocks.directory / name, rows, self._partitions, self._partition_of)
        return f"{task.blocks.location}{name}"
