"""The bounds of broker configurations that can change while the broker runs, as in Kafka 4.4.

Bounds shared with topics are in `topic_config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

ANY = -float("inf")
MIB = 1024 * 1024
MIN_CACHED_BUFFER = 512 * 1024
MAX_ASSIGNMENT_INTERVAL_MS = 15_000
JMX_REPORTER = "org.apache.kafka.common.metrics.JmxReporter"
LOCAL_RETENTION, COPY_LAG, RETENTION = "log.local.retention.ms", "log.remote.copy.lag.ms", "log.retention.ms"
THREADS = frozenset(
    {
        "background.threads",
        "log.cleaner.threads",
        "num.io.threads",
        "num.network.threads",
        "num.recovery.threads.per.data.dir",
        "num.replica.fetchers",
        "remote.log.manager.copier.thread.pool.size",
        "remote.log.manager.expiration.thread.pool.size",
        "remote.log.manager.follower.thread.pool.size",
        "remote.log.reader.threads",
    }
)
_LOWEST = {
    "group.coordinator.cached.buffer.max.bytes": MIN_CACHED_BUFFER,
    "share.coordinator.cached.buffer.max.bytes": MIN_CACHED_BUFFER,
    "log.cleaner.dedupe.buffer.size": MIB + 1,
    "log.cleaner.io.buffer.load.factor": ANY,
    "log.cleaner.io.max.bytes.per.second": ANY,
    "log.flush.interval.ms": ANY,
    RETENTION: ANY,
    "max.connection.creation.rate": 1,
    "max.connections": 1,
    "max.connections.per.ip": 1,
    "producer.id.expiration.ms": 1,
    "remote.fetch.max.wait.ms": 1,
    "remote.list.offsets.request.timeout.ms": 1,
    "remote.log.index.file.cache.total.size.bytes": 1,
    "remote.log.manager.copy.max.bytes.per.second": 1,
    "remote.log.manager.fetch.max.bytes.per.second": 1,
}
_CONNECTIONS = re.compile(r"(.*?):\s*(-?\d+)")


def lowest(name: str) -> float:
    """The smallest allowed value of a broker configuration."""
    return 1 if name in THREADS else _LOWEST.get(name, 0)


def highest(name: str) -> float:
    """The largest allowed value of a broker configuration."""
    return MAX_ASSIGNMENT_INTERVAL_MS if name.endswith(".assignment.interval.ms") else float("inf")


def check(name: str, value: str, current: Mapping[str, str], directory: str, *, node: bool) -> None:
    """Check values that depend on other values or are not numbers. Raises `KafkaError` INVALID_REQUEST."""
    problem = _of_number(name, value, current) or _of_text(name, value, directory, node=node)
    if problem is not None:
        raise KafkaError(errors.INVALID_REQUEST, f"Invalid value {value} for configuration {name}: {problem}")


def _of_number(name: str, value: str, current: Mapping[str, str]) -> str | None:
    if name in THREADS:
        threads = int(current[name])
        if not threads // 2 <= int(value) <= threads * 2:
            return f"the number of threads may at most double or halve at once, it is {threads}"
    elif name == RETENTION and int(value) == 0:
        return "it must be unlimited (-1) or at least 1"
    elif name in {LOCAL_RETENTION, COPY_LAG}:
        retention = int(current[RETENTION])
        if int(value) > retention >= 0 or (name == LOCAL_RETENTION and int(value) == -1 and retention != -1):
            return f"it may not be longer than {RETENTION}, which is {retention}"
    return None


def _of_text(name: str, value: str, directory: str, *, node: bool) -> str | None:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if name == "max.connections.per.ip.overrides" and not all(_CONNECTIONS.fullmatch(part) for part in parts):
        return "it must be a list of host:limit"
    if name == "metric.reporters" and not set(parts) <= {JMX_REPORTER}:
        return "metrics reporters cannot be loaded"
    if name == "cordoned.log.dirs":
        if not node:
            return "it can be set for a single broker only"
        if not set(parts) <= {"*", directory}:
            return "all entries must be among log.dirs"
    return None
