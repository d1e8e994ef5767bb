"""What the engine promises: stages, retries, caches, shared values, files; all in processes and in this one."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import ClosureError, JobCancelledError, JobError
from smackbox.spark.rdd.portable_hash import portable_hash


@pytest.fixture(scope="module", params=["local[1]", "local[2]"])
def sc(request: pytest.FixtureRequest) -> Iterator[SparkContext]:
    with SparkContext(request.param) as context:
        yield context


def mark(path: Path) -> Any:
    """A function that appends a line to `path` for each row that it sees."""

    def note(row: Any) -> Any:
        with path.open("a") as file:
            file.write(f"{row}\n")
        return row

    return note


def lines(path: Path) -> list[str]:
    return sorted(path.read_text().splitlines()) if path.exists() else []


def test_nothing_runs_before_an_action(sc: SparkContext, tmp_path: Path) -> None:
    rdd = sc.parallelize([1, 2], 2).map(mark(tmp_path / "seen"))
    assert lines(tmp_path / "seen") == []
    assert rdd.collect() == [1, 2]
    assert lines(tmp_path / "seen") == ["1", "2"]


def test_a_shuffle_is_written_once_and_read_by_later_jobs(sc: SparkContext, tmp_path: Path) -> None:
    counts = sc.parallelize([1, 2, 3], 3).map(mark(tmp_path / "seen")).map(lambda x: (x % 2, x)).reduceByKey(max, 2)
    assert sorted(counts.collect()) == [(0, 2), (1, 3)]
    assert counts.count() == 2
    assert lines(tmp_path / "seen") == ["1", "2", "3"]


def test_a_lost_shuffle_file_is_written_again_and_its_accumulators_count_once(sc: SparkContext) -> None:
    seen = sc.accumulator(0)

    def count(x: int) -> tuple[int, int]:
        seen.add(1)
        return x % 2, x

    totals = sc.parallelize(range(10), 4).map(count).reduceByKey(lambda a, b: a + b, 2)
    assert sorted(totals.collect()) == [(0, 20), (1, 25)]
    shuffle = totals._node.parent.shuffle
    Path(shuffle.files[2]).unlink()
    assert sorted(totals.collect()) == [(0, 20), (1, 25)]
    assert seen.value == 10


def test_results_stay_when_a_later_task_of_their_stage_lacks_a_file(sc: SparkContext, tmp_path: Path) -> None:
    """The stage runs again for what is missing alone: accumulators of its finished tasks count once."""
    seen, runs = sc.accumulator(0), mark(tmp_path / "runs")
    directory, flag = sc._directory, tmp_path / "removed"

    def count(index: int, rows: Iterator[Any]) -> list[int]:
        total = sum(value for _, value in rows)
        seen.add(1)
        runs(index)
        if index == 0 and not flag.exists():
            for path in directory.glob("shuffle-*-1.data"):
                path.unlink()
            flag.touch()
        return [total]

    pairs = sc.parallelize(range(40), 3).map(lambda x: (x, x)).partitionBy(8)
    assert sum(pairs.mapPartitionsWithIndex(count).collect()) == sum(range(40))
    assert flag.exists()
    assert seen.value == 8
    assert lines(tmp_path / "runs") == [str(index) for index in range(8)]


def test_a_map_task_combines_before_it_writes(sc: SparkContext) -> None:
    totals = sc.parallelize([("a", 1)] * 100, 2).reduceByKey(lambda a, b: a + b, 2)
    assert totals.collect() == [("a", 100)]
    shuffled = totals._node.parent
    rows = sc._scheduler.run(shuffled, lambda _, found: list(found), [0, 1], {})
    assert sorted(row for part in rows for row in part) == [("a", 50), ("a", 50)]


def test_four_failures_abort_with_the_tasks_own_traceback(sc: SparkContext, tmp_path: Path) -> None:
    note = mark(tmp_path / "tries")

    def divide_by_nothing(x: int) -> float:
        note(x)
        return x / 0

    with pytest.raises(JobError, match=r"(?s)failed 4 times.*ZeroDivisionError.*in divide_by_nothing"):
        sc.parallelize([7], 1).map(divide_by_nothing).collect()
    assert lines(tmp_path / "tries") == ["7"] * 4


def test_a_job_that_failed_does_not_wait_for_a_task_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smackbox.spark.rdd.scheduler.ABORT_GRACE_S", 0.1)

    def fail_or_hang(x: int) -> None:
        if x == 0:
            raise ValueError("broken")
        time.sleep(1_000)

    with SparkContext("local[2]") as sc:
        with pytest.raises(JobError, match="ValueError: broken"):
            sc.parallelize([0, 1], 2).foreach(fail_or_hang)
        assert sc.parallelize([1, 2], 2).sum() == 3


@pytest.mark.parametrize("name", ["map", "flatMap", "filter"])
def test_a_functions_stop_iteration_fails_the_job_and_does_not_end_its_rows(sc: SparkContext, name: str) -> None:
    def stop(x: int) -> Any:
        if x == 2:
            raise StopIteration
        return [x]

    with pytest.raises(JobError, match="StopIteration"):
        getattr(sc.parallelize(range(5), 2), name)(stop).count()


def test_a_task_that_fails_at_first_counts_once(sc: SparkContext, tmp_path: Path) -> None:
    total = sc.accumulator(0)
    note, path = mark(tmp_path / "tries"), tmp_path / "tries"

    def shaky(x: int) -> int:
        total.add(x)
        if x == 5:
            note(x)
            if len(path.read_text().splitlines()) < 3:
                raise OSError("not yet")
        return x

    assert sc.parallelize(range(6), 2).map(shaky).sum() == 15
    assert total.value == 15


def test_a_killed_executor_is_replaced(tmp_path: Path) -> None:
    flag = tmp_path / "killed"

    def die_once(x: int) -> int:
        if x == 3 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with SparkContext("local[2]") as sc:
        pairs = sc.parallelize(range(8), 4).map(die_once).map(lambda x: (x % 2, x))
        assert sorted(pairs.reduceByKey(lambda a, b: a + b).collect()) == [(0, 12), (1, 16)]
    assert flag.exists()


def test_a_cached_partition_is_computed_once(sc: SparkContext, tmp_path: Path) -> None:
    rdd = sc.parallelize(range(4), 4).map(mark(tmp_path / "seen")).cache()
    assert rdd.count() == 4
    assert rdd.map(lambda x: x + 1).sum() == 10
    assert lines(tmp_path / "seen") == ["0", "1", "2", "3"]
    rdd.unpersist()
    assert rdd.count() == 4
    assert len(lines(tmp_path / "seen")) == 8


def test_what_exceeds_the_cache_is_computed_again_or_kept_on_disk(tmp_path: Path) -> None:
    from pyspark.storagelevel import StorageLevel

    with SparkContext("local[1]", conf={"spark.smack.cacheBytes": "10"}) as sc:
        memory = sc.parallelize([1, 2], 1).map(mark(tmp_path / "memory")).cache()
        disk = sc.parallelize([1, 2], 1).map(mark(tmp_path / "disk")).persist(StorageLevel.MEMORY_AND_DISK)
        for rdd in (memory, disk):
            assert rdd.collect() == rdd.collect() == [1, 2]
    assert len(lines(tmp_path / "memory")) == 4
    assert len(lines(tmp_path / "disk")) == 2


def test_broadcast_values_reach_the_tasks(sc: SparkContext) -> None:
    names = sc.broadcast({1: "one", 2: "two"})
    assert sc.parallelize([1, 2], 2).map(lambda x: names.value[x]).collect() == ["one", "two"]
    names.destroy()
    with pytest.raises(JobError, match="destroyed"):
        names.value  # noqa: B018 - reading it is the test


def test_text_files_by_globs_gz_and_splits(sc: SparkContext, tmp_path: Path) -> None:
    rows = [f"line {number}" for number in range(100)]
    (tmp_path / "a.txt").write_text("\n".join(rows))
    with gzip.open(tmp_path / "b.gz", "wt") as file:
        file.write("zipped\r\nlines\n")
    assert sc.textFile(str(tmp_path / "a.txt"), 7).collect() == rows
    assert sc.textFile(f"{tmp_path}/*").count() == 102
    assert sc.textFile(f"{tmp_path}/b.*").collect() == ["zipped", "lines"]
    assert [Path(path).name for path, _ in sc.wholeTextFiles(str(tmp_path)).collect()] == ["a.txt", "b.gz"]
    with pytest.raises(JobError, match=r"does not exist: .*nothing"):
        sc.textFile(f"{tmp_path}/nothing")


def test_text_is_saved_and_not_written_over(sc: SparkContext, tmp_path: Path) -> None:
    target = str(tmp_path / "out")
    sc.parallelize(["a", 2], 2).saveAsTextFile(target)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_SUCCESS", "part-00000", "part-00001"]
    assert sc.textFile(target).collect() == ["a", "2"]
    with pytest.raises(JobError, match="already exists"):
        sc.parallelize([1]).saveAsTextFile(target)


def test_samples_with_a_seed_are_equal_and_are_pysparks(sc: SparkContext) -> None:
    from pyspark.rddsampler import RDDSampler

    rdd = sc.parallelize(range(100), 4)
    parts = rdd.glom().collect()
    expected = [row for index, part in enumerate(parts) for row in RDDSampler(False, 0.2, 17).func(index, part)]
    assert rdd.sample(False, 0.2, 17).collect() == rdd.sample(False, 0.2, 17).collect() == expected


def test_a_closure_that_does_not_pickle_names_the_variable(sc: SparkContext) -> None:
    guard = threading.Lock()

    def locked(x: int) -> int:
        with guard:
            return x

    with pytest.raises(ClosureError, match=r"'guard' \(lock\).*cannot be sent"):
        sc.parallelize([1]).map(locked).collect()


def test_an_rdd_within_a_task_is_refused(sc: SparkContext) -> None:
    inner = sc.parallelize([1])
    with pytest.raises((ClosureError, JobError), match="only the driver has RDDs"):
        sc.parallelize([1]).map(lambda _: inner.count()).collect()


@pytest.mark.parametrize("master", ["locl[2]", "local[0]", "local[x]", "spark://host:7077"])
def test_an_unknown_master_is_told_what_there_is(master: str) -> None:
    with pytest.raises(SettingError, match="local"):
        SparkContext(master)


def test_stop_leaves_neither_files_nor_processes() -> None:
    context = SparkContext("local[2]")
    context.parallelize([(1, 2)], 2).groupByKey().collect()
    directory = context._directory
    processes = [slot.process for slot in context._scheduler.pool.slots.values()]
    assert any(directory.glob("shuffle-*"))
    context.stop()
    assert not directory.exists()
    assert [process.poll() for process in processes] == [0, 0]
    with pytest.raises(JobError, match="stopped"):
        context.parallelize([1])


def test_task_context_tells_the_partition(sc: SparkContext) -> None:
    from pyspark.taskcontext import TaskContext

    assert sc.parallelize(range(3), 3).map(lambda _: TaskContext.get().partitionId()).collect() == [0, 1, 2]
    assert TaskContext.get() is None


HASHED = "(None, 1, 'é', b'x', 2.5, frozenset('abc'), (1, ('a',)), date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC))"


def test_portable_hash_is_the_same_whatever_the_seed() -> None:
    program = (
        "from datetime import *; UTC = timezone.utc; from smackbox.spark.rdd.portable_hash import portable_hash; "
        f"print([portable_hash(x) for x in {HASHED}])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            timeout=30,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(found) == 1
    assert portable_hash(1) == portable_hash(1.0) == portable_hash(True)
    assert portable_hash((None, 1)) & 0xFFFFFFFF == 219750521


def test_an_interrupted_job_leaves_no_answer_to_the_next_one(tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)

    class Broken:
        """Adding in the driver fails while another task still runs."""

        def zero(self, value: int) -> int:
            return 0

        def addInPlace(self, left: int, right: int) -> int:
            if os.getpid() == driver:
                raise KeyboardInterrupt
            return left + right

    driver = os.getpid()

    with SparkContext("local[2]") as sc:
        broken = sc.accumulator(0, Broken())

        def work(x: int) -> int:
            if x == 1:
                go.read_text()  # until somebody writes: never
            broken.add(1)
            return 1000

        with pytest.raises(KeyboardInterrupt):
            sc.parallelize([0, 1], 2).map(work).collect()
        assert sc.parallelize([1, 2], 2).collect() == [1, 2]


def test_no_partitions_are_refused(sc: SparkContext) -> None:
    with pytest.raises(ValueError, match="Positive number of partitions required, not 0"):
        sc.parallelize([1, 2], 0)


# ---- groups of jobs


def test_tasks_see_the_properties_of_their_jobs_thread(sc: SparkContext) -> None:
    def property_of(_: Any) -> Any:
        from pyspark.taskcontext import TaskContext

        context = TaskContext.get()
        assert context is not None
        return context.getLocalProperty("colour")

    sc.setLocalProperty("colour", "red")
    assert sc.parallelize([1, 2], 2).map(property_of).collect() == ["red", "red"]
    elsewhere: list[Any] = []
    other = threading.Thread(target=lambda: elsewhere.append(sc.getLocalProperty("colour")))
    other.start()
    other.join()
    assert elsewhere == [None]
    sc.setLocalProperty("colour", None)
    assert sc.parallelize([1], 1).map(property_of).collect() == [None]


def test_a_cancelled_group_ends_its_jobs_and_no_other(tmp_path: Path) -> None:
    """One job runs, one of its group waits, and one of another group waits behind both."""
    started = tmp_path / "started"

    def wait_for_ever(row: int) -> int:
        import time

        started.touch()
        while True:
            time.sleep(0.01)
        return row

    with SparkContext("local[2]") as sc:
        ends: dict[str, Any] = {}

        def job(name: str, group: str, function: Any) -> None:
            sc.setJobGroup(group, name)
            try:
                ends[name] = sc.parallelize([1, 2], 2).map(function).collect()
            except JobCancelledError as error:
                ends[name] = str(error)

        threads = [threading.Thread(target=job, args=("first", "slow", wait_for_ever))]
        threads[0].start()
        while not started.exists():
            assert threads[0].is_alive()
        threads += [
            threading.Thread(target=job, args=("second", "slow", lambda row: row)),
            threading.Thread(target=job, args=("third", "quick", lambda row: row)),
        ]
        for thread in threads[1:]:
            thread.start()
        while len(sc._scheduler._jobs) < 3:
            assert all(thread.is_alive() for thread in threads)
        sc.cancelJobGroup("slow")
        for thread in threads:
            thread.join(60)
        assert ends["first"] == ends["second"] == "Job cancelled part of cancelled job group slow"
        assert ends["third"] == [1, 2]
        sc.setJobGroup("slow", "again")
        assert sc.parallelize([3], 1).collect() == [3]  # a later job of the group runs


def test_a_large_driver_is_no_reason_to_spill(monkeypatch: pytest.MonkeyPatch) -> None:
    """`local[1]` runs tasks in the driver's process, whose own size is not the merge's."""
    from pyspark.shuffle import ExternalMerger

    spills: list[object] = []
    monkeypatch.setattr(ExternalMerger, "_spill", lambda self: spills.append(self))
    with SparkContext("local[1]") as sc:
        sc._worker_memory_mb = 1
        pairs = sc.parallelize([(number % 3, number) for number in range(30)], 2)
        assert sorted(pairs.reduceByKey(lambda a, b: a + b).collect()) == [(0, 135), (1, 145), (2, 155)]
        assert {key: sorted(values) for key, values in pairs.groupByKey().collect()}.keys() == {0, 1, 2}
        assert pairs.countByKey() == {0: 10, 1: 10, 2: 10}
        assert sorted(pairs.combineByKey(int, max, max).collect()) == [(0, 27), (1, 28), (2, 29)]
    assert not spills


def test_an_executor_that_died_between_jobs_does_not_fail_an_unpersist() -> None:
    with SparkContext("local[2]") as sc:
        numbers = sc.parallelize(range(4), 2).cache()
        processes = sc.parallelize(range(2), 2).map(lambda _: os.getpid()).collect()
        assert numbers.sum() == 6
        for process in processes:
            os.kill(process, signal.SIGKILL)
        for slot in sc._scheduler.pool.slots.values():
            slot.process.wait(60)
        numbers.unpersist()
        assert numbers.sum() == 6


def test_cancelling_when_nothing_runs_does_not_block_nor_fail() -> None:
    sc = SparkContext("local[2]")
    cancelling = threading.Thread(target=lambda: [sc.cancelAllJobs() for _ in range(20_000)], daemon=True)
    cancelling.start()
    cancelling.join(30)
    assert not cancelling.is_alive()
    assert sc.parallelize(range(4), 2).sum() == 6
    sc.stop()
    sc.cancelAllJobs()
