# ruff: noqa: N802, N803 - PySpark's names
"""`SparkContext`: where RDDs begin.

`local`, `local[N]` and `local[*]` run on this machine, `mesos://…` on a cluster.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from smackbox.base.errors import SettingError, StartError
from smackbox.spark.rdd.closures import dumps
from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.files import expand, local, storage_of
from smackbox.spark.rdd.lineage import Joined, Lines, Node, PickledFiles, Shuffle, Slices, WholeFiles
from smackbox.spark.rdd.pool import LocalPool, Pool
from smackbox.spark.rdd.rdd import RDD
from smackbox.spark.rdd.scheduler import Scheduler
from smackbox.spark.rdd.seen.events import DESCRIPTION, JOB_GROUP
from smackbox.spark.rdd.seen.observers import Observers
from smackbox.spark.rdd.seen.status_tracker import StatusTracker
from smackbox.spark.rdd.shared import Accumulator, AddingParam, Broadcast
from smackbox.spark.rdd.spark_files import ROOT_VARIABLE, add_file
from smackbox.spark.rdd.task_set import TaskLimits

if TYPE_CHECKING:
    from smackbox.spark.rdd.cassandra import CassandraTableRDD
    from smackbox.spark.rdd.cluster.settings import ClusterSettings
    from smackbox.spark.rdd.kafka import KafkaMessage, KafkaRDD, OffsetRange

MASTERS = "local, local[N], local[*], mesos://host:port, mesos://zk://host:port/mesos"
MESOS = "mesos://"
PY_FILES = "spark.submit.pyFiles"
CONF_VARIABLE = "SMACK_SPARK_CONF"
"""The configuration of a submitted job, as JSON."""
MAX_EXECUTORS = 256
INLINE_BYTES = 64 << 10
SPLIT_BYTES = 32 << 20
BATCH_ROWS = 1024
DEFAULT_CACHE_BYTES = 1 << 30
DEFAULT_WORKER_MEMORY_MB = 512
MAX_FAILURES = 4


class SparkContext:
    """A driver with its executors and a temporary directory, both gone after `stop()`.

    `conf` is a mapping or a `SparkConf`: `spark.default.parallelism`, `spark.task.maxFailures`, `spark.local.dir`,
    `spark.smack.cacheBytes` (of each executor), those of `seen/observers.py`, and on Mesos those of
    `cluster/settings.py`. Raises `SettingError` for a master or an option of Mesos' that is not known.
    """

    new_session: ClassVar[Callable[[], Any] | None] = None
    """What makes a session for `toDF`; the package sets it."""

    def __init__(self, master: str | None = None, appName: str | None = None, conf: Any = None) -> None:
        try:
            import pyspark.cloudpickle  # noqa: F401
        except ImportError as error:
            raise StartError(f"Spark is not installed: pip install 'smackbox[spark]' ({error})") from error
        settings = {**_submitted(), **(dict(conf.getAll()) if hasattr(conf, "getAll") else dict(conf or {}))}
        self.master = master or settings.get("spark.master", "local[*]")
        self.appName = appName or settings.get("spark.app.name", "smackbox")
        on_mesos = self.has_hosts
        cluster = _cluster_settings(settings) if on_mesos else None
        executors = cluster.parallelism if cluster is not None else _executors(self.master)
        self._conf = settings
        self._storage = storage_of(settings)
        parallelism = settings.get("spark.default.parallelism")
        self._default_reduce_partitions = int(parallelism) if parallelism else None
        self.defaultParallelism = self._default_reduce_partitions or executors
        self.defaultMinPartitions = min(self.defaultParallelism, 2)
        self._worker_memory_mb = DEFAULT_WORKER_MEMORY_MB
        failures = int(settings.get("spark.task.maxFailures", MAX_FAILURES))
        self._directory = Path(tempfile.mkdtemp(prefix="smack-rdd-", dir=settings.get("spark.local.dir")))
        self._files_root = Path(os.environ.setdefault(ROOT_VARIABLE, str(self._directory / "files")))
        try:
            pool, limits = self._pool(executors, failures, cluster)
        except BaseException:
            self._remove_files()
            raise
        self._observers = Observers(settings, self.appName, self.master, 0 if on_mesos else executors)
        self._scheduler = Scheduler(pool, limits, self._observers.listeners)
        self._ids = itertools.count()
        self._shuffle_ids = itertools.count()
        self._shared_ids = itertools.count()
        self._checkpoint_dir: str | None = None
        self.session: Any = None
        self._local = threading.local()
        self._stopped = False
        atexit.register(self.stop)
        if on_mesos:
            self._share_submitted_files()

    def _pool(self, executors: int, failures: int, cluster: ClusterSettings | None) -> tuple[Pool, TaskLimits]:
        """Where this context's tasks run."""
        if cluster is None:
            cache_bytes = int(self._conf.get("spark.smack.cacheBytes", DEFAULT_CACHE_BYTES))
            return LocalPool(executors, self._directory, cache_bytes), TaskLimits(max_failures=failures)
        from smackbox.spark.rdd.cluster.settings import task_limits
        from smackbox.spark.rdd.cluster.start import start_pool

        limits = task_limits(self._conf, failures)
        readable = (self._directory, self._files_root, *map(Path, self._py_files()))
        return start_pool(self.master, self.appName, cluster, self._conf, readable), limits

    def _py_files(self) -> list[str]:
        return [part for part in self._conf.get(PY_FILES, "").split(",") if part]

    def _share_submitted_files(self) -> None:
        """What `smack submit` has laid beside the program is for executors on other machines too."""
        for name in self._py_files():
            self._scheduler.add_file("py", Path(name))
        for path in sorted(self._files_root.glob("*")):
            self._scheduler.add_file("files", path)

    def _remove_files(self) -> None:
        if self._files_root.parent == self._directory:
            os.environ.pop(ROOT_VARIABLE, None)
        shutil.rmtree(self._directory, ignore_errors=True)

    def session_for_dataframes(self) -> Any:
        """The session that this context belongs to, or one that is made for it."""
        if self.session is None:
            if SparkContext.new_session is None:
                raise JobError("import SparkContext from smackbox.spark: DataFrames need a session")
            self.session = SparkContext.new_session()
            self.session._rdd_context = self
        return self.session

    @property
    def is_stopped(self) -> bool:
        """Whether `stop()` was called."""
        return self._stopped

    @property
    def applicationId(self) -> str:
        """`local-` and the moment of the start, as on a `local` master of Spark."""
        return self._observers.app_id

    @property
    def uiWebUrl(self) -> str | None:
        """Where the REST interface is (`/api/v1`); None unless `spark.ui.enabled` is true."""
        return self._observers.url

    def statusTracker(self) -> StatusTracker:
        """What runs: jobs and stages with their counts."""
        return StatusTracker(self._observers.log)

    def __repr__(self) -> str:
        return f"<SparkContext master={self.master} appName={self.appName}>"

    def __enter__(self) -> SparkContext:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the executors and remove every file of shuffles, caches and broadcasts."""
        if not self._stopped:
            self._stopped = True
            self._scheduler.stop()
            self._observers.stop()
            self._remove_files()
            atexit.unregister(self.stop)

    def parallelize(self, c: Iterable[Any], numSlices: int | None = None) -> RDD:
        """Rows of the driver in slices, cut as PySpark cuts them."""
        count = int(numSlices) if numSlices is not None else self.defaultParallelism
        if count < 1:
            raise ValueError(f"Positive number of partitions required, not {count}")
        if isinstance(c, range):
            bounds = [index * len(c) // count for index in range(count + 1)]
            return self._slices([c[low:high] for low, high in itertools.pairwise(bounds)])
        rows = list(c)
        batch = max(1, min(len(rows) // max(count, 1), BATCH_ROWS))
        batches = -(-len(rows) // batch)
        bounds = [index * batches // count * batch for index in range(count + 1)]
        return self._slices([rows[low:high] for low, high in itertools.pairwise(bounds)])

    def range(self, start: int, end: int | None = None, step: int = 1, numSlices: int | None = None) -> RDD:
        numbers = range(start) if end is None else range(start, end, step)
        return self.parallelize(numbers, numSlices)

    def emptyRDD(self) -> RDD:
        return RDD(Slices(self._new_id(), 0, [], None, []), self)

    def _slices(self, slices: list[Any]) -> RDD:
        blobs = [dumps(rows, "a row of the collection") for rows in slices]
        rdd_id = self._new_id()
        if sum(map(len, blobs)) <= INLINE_BYTES:
            return RDD(Slices(rdd_id, len(blobs), blobs, None, []), self)
        path = self._directory / f"collection-{rdd_id}"
        path.write_bytes(b"".join(blobs))
        ends = list(itertools.accumulate(map(len, blobs)))
        offsets = [(end - len(blob), len(blob)) for end, blob in zip(ends, blobs, strict=True)]
        return RDD(Slices(rdd_id, len(blobs), [], path, offsets), self)

    def union(self, rdds: list[RDD]) -> RDD:
        """All rows of all; RDDs that share a partitioner keep it."""
        if not rdds:
            return self.emptyRDD()
        first = rdds[0].partitioner
        nodes = [rdd._node for rdd in rdds]
        if first is not None and all(rdd.partitioner == first for rdd in rdds):
            pieces = [[(number, part) for number in range(len(nodes))] for part in range(first.numPartitions)]
            return RDD(Joined(self._new_id(), len(pieces), nodes, pieces), self, first)
        pieces = [[(number, part)] for number, node in enumerate(nodes) for part in range(node.partitions)]
        return RDD(Joined(self._new_id(), len(pieces), nodes, pieces), self)

    def textFile(self, name: str, minPartitions: int | None = None, use_unicode: bool = True) -> RDD:
        """Lines of files or objects: a path, a directory, a glob, several with commas; `.gz` files are read whole.

        `s3://`, `s3n://`, `s3a://`, `gs://`, `az://`: see `files`. Raises `JobError` for a path that is not there.
        """
        files = expand(name, self._storage)
        wanted = max(minPartitions or self.defaultMinPartitions, 1)
        size = max(1, min(SPLIT_BYTES, -(-sum(length for _, length in files) // wanted)))
        splits: list[list[tuple[str, int, int]]] = []
        for path, length in files:
            if path.endswith(".gz") or not length:
                splits.append([(path, 0, length)])
                continue
            splits += [[(path, start, min(start + size, length))] for start in range(0, length, size)]
        return RDD(Lines(self._new_id(), len(splits), splits, use_unicode, self._storage), self)

    def wholeTextFiles(self, path: str, minPartitions: int | None = None, use_unicode: bool = True) -> RDD:
        return self._whole(path, minPartitions, _decode if use_unicode else _as_it_is)

    def binaryFiles(self, path: str, minPartitions: int | None = None) -> RDD:
        return self._whole(path, minPartitions, _as_it_is)

    def _whole(self, path: str, partitions: int | None, decode: Callable[[bytes], Any]) -> RDD:
        files = [file.path for file in expand(path, self._storage)]
        count = min(len(files), max(partitions or self.defaultMinPartitions, 1))
        bounds = [index * len(files) // count for index in range(count + 1)]
        groups = [files[low:high] for low, high in itertools.pairwise(bounds)]
        return RDD(WholeFiles(self._new_id(), count, groups, decode, self._storage), self)

    def pickleFile(self, name: str, minPartitions: int | None = None) -> RDD:
        paths = [local(file.path) for file in expand(name, self._storage)]
        return RDD(PickledFiles(self._new_id(), len(paths), paths), self)

    def cassandraTable(self, keyspace: str, table: str, row_type: type | None = None) -> CassandraTableRDD:
        """A table of Cassandra. A row is a `row_type` (a `msgspec.Struct`, a dataclass, `dict` or `tuple`), or a `Row`.

        Where it is: `spark.cassandra.connection.host` and its like, else `SMACK_CASSANDRA`. Raises `SettingError` for a
        table or a field's column that is not there.
        """
        from smackbox.spark.rdd.cassandra import CassandraTableRDD, Selection

        return CassandraTableRDD(self, Selection(keyspace, table, row_type))

    def kafkaRDD(
        self,
        kafkaParams: Mapping[str, str],
        offsetRanges: Sequence[OffsetRange],
        keyDecoder: Callable[[bytes | None], Any] | None = None,
        valueDecoder: Callable[[bytes | None], Any] | None = None,
        messageHandler: Callable[[KafkaMessage], Any] | None = None,
    ) -> KafkaRDD:
        """The records of these ranges as (key, value), or what `messageHandler` makes of each; a range is a partition.

        Without a decoder a key or value is UTF-8. Records of aborted transactions are left out.
        """
        from smackbox.spark.rdd.kafka import KafkaRDD, as_text

        decoders = (keyDecoder or as_text, valueDecoder or as_text)
        return KafkaRDD(self, dict(kafkaParams), list(offsetRanges), decoders, messageHandler)

    @property
    def has_hosts(self) -> bool:
        """Whether tasks may run on several hosts, so that it matters where data is."""
        return self.master.startswith(MESOS)

    @property
    def settings(self) -> Mapping[str, str]:
        """The context's configuration, `spark.…` by key."""
        return self._conf

    def broadcast(self, value: Any) -> Broadcast:
        return Broadcast(self._directory / f"broadcast-{next(self._shared_ids)}", value)

    def accumulator(self, value: Any, accum_param: Any = None) -> Accumulator:
        if accum_param is None:
            if not isinstance(value, (int, float, complex)):
                raise TypeError(f"No default accumulator param for type {type(value)}")
            accum_param = AddingParam()
        return Accumulator(next(_accumulator_ids), value, accum_param)

    def runJob(
        self, rdd: RDD, partitionFunc: Callable[[Iterator[Any]], Iterable[Any]], partitions: Any = None
    ) -> list[Any]:
        parts = rdd._job(lambda rows: list(partitionFunc(rows)), partitions)
        return list(itertools.chain.from_iterable(parts))

    def addFile(self, path: str, recursive: bool = False) -> None:
        """A file or an object that tasks find by `SparkFiles.get(name)`. Raises `JobError` where it is not there."""
        if recursive:
            raise JobError("addFile takes one file, not a directory")
        self._scheduler.add_file("files", add_file(path, self._files_root, self._storage))

    def addPyFile(self, path: str) -> None:
        """A `.py` file, or a `.zip`, `.egg` or `.whl` of modules, for the driver and all executors."""
        copy = add_file(path, self._directory / "py", self._storage)
        entry = str(copy.parent) if copy.suffix == ".py" else str(copy)
        if entry not in sys.path:
            sys.path.insert(0, entry)
        self._scheduler.add_file("py", copy)

    # --- what a thread says of its jobs

    def setLocalProperty(self, key: str, value: str | None) -> None:
        """A property of the jobs that this thread starts, which their tasks see in `TaskContext`; None removes it."""
        known = self._properties()
        if value is None:
            known.pop(key, None)
        else:
            known[key] = value
        self._local.properties = known

    def getLocalProperty(self, key: str) -> str | None:
        """A property of this thread's jobs, None where it is not set."""
        return self._properties().get(key)

    def setJobGroup(self, groupId: str, description: str, interruptOnCancel: bool = False) -> None:
        """The group of the jobs that this thread starts. Cancelling ends their tasks, whatever `interruptOnCancel`."""
        self.setLocalProperty(JOB_GROUP, groupId)
        self.setLocalProperty(DESCRIPTION, description)
        self.setLocalProperty("spark.job.interruptOnCancel", str(interruptOnCancel).lower())

    def setJobDescription(self, value: str | None) -> None:
        """What this thread's jobs are for."""
        self.setLocalProperty(DESCRIPTION, value)

    def cancelJobGroup(self, groupId: str) -> None:
        """Cancel the group's jobs, running and waiting: their actions raise `JobCancelledError`."""
        self._scheduler.cancel(groupId)

    def cancelAllJobs(self) -> None:
        """Cancel every job, running and waiting."""
        self._scheduler.cancel(None)

    def _properties(self) -> dict[str, str]:
        return dict(getattr(self._local, "properties", {}))

    def setCheckpointDir(self, dirName: str) -> None:
        self._checkpoint_dir = str(local(dirName))

    def getCheckpointDir(self) -> str | None:
        return self._checkpoint_dir

    def _new_id(self) -> int:
        if self._stopped:
            raise JobError("this SparkContext is stopped")
        return next(self._ids)

    def _new_shuffle(self, parent: Node, partitions: int, partition_of: Callable[[Any], int]) -> Shuffle:
        return Shuffle(next(self._shuffle_ids), parent, partitions, partition_of, [None] * parent.partitions)


def _submitted() -> dict[str, str]:
    """The arguments of `smack submit`."""
    text = os.environ.get(CONF_VARIABLE)
    return {} if text is None else {key: str(value) for key, value in json.loads(text).items()}


_accumulator_ids = itertools.count()


def _cluster_settings(conf: Mapping[str, str]) -> ClusterSettings:
    from smackbox.spark.rdd.cluster.settings import ClusterSettings

    return ClusterSettings.of(conf)


def _executors(master: str) -> int:
    match = re.fullmatch(r"local(?:\[(\d+|\*)(?:,\s*\d+)?\])?", master)
    if match is None:
        raise SettingError(f"no master {master!r}; there is {MASTERS}")
    threads = match.group(1)
    count = 1 if threads is None else os.cpu_count() or 1 if threads == "*" else int(threads)
    if not 1 <= count <= MAX_EXECUTORS:
        raise SettingError(f"{master!r}: from 1 to {MAX_EXECUTORS} executors")
    return count


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _as_it_is(data: bytes) -> bytes:
    return data
