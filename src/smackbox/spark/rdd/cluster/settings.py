"""The options of a context on Mesos, by the names that Spark 3 gave them.

`spark.cores.max`, `spark.executor.…`, `spark.dynamicAllocation.…`, `spark.locality.wait`, `spark.speculation…` and
`spark.mesos.…`: one of these families that is not known here is an error. Dynamic allocation is on by default where
`spark.cores.max` is not given, so that an idle program holds nothing; in Spark it has to be asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.rdd.task_set import TaskLimits

MEMORY_OVERHEAD_FACTOR, MEMORY_OVERHEAD_MIN_MB = 0.10, 384
DEFAULT_PARALLELISM = 8
CACHE_FRACTION = 0.3
"""Of an executor's memory, for cached partitions (Spark: 0.6 of the heap for caches and shuffles, half of it held)."""

_DEFAULTS = {
    "spark.cores.max": "",
    "spark.executor.cores": "",
    "spark.executor.memory": "1g",
    "spark.executor.memoryOverhead": "",
    "spark.executor.memoryOverheadFactor": str(MEMORY_OVERHEAD_FACTOR),
    "spark.executor.instances": "",
    "spark.dynamicAllocation.enabled": "",
    "spark.dynamicAllocation.minExecutors": "0",
    "spark.dynamicAllocation.initialExecutors": "",
    "spark.dynamicAllocation.maxExecutors": "",
    "spark.dynamicAllocation.executorIdleTimeout": "60s",
    "spark.dynamicAllocation.cachedExecutorIdleTimeout": "",
    "spark.locality.wait": "3s",
    "spark.speculation": "false",
    "spark.speculation.interval": "100ms",
    "spark.speculation.multiplier": "1.5",
    "spark.speculation.quantile": "0.75",
    "spark.mesos.coarse": "true",
    "spark.mesos.constraints": "",
    "spark.mesos.role": "*",
    "spark.mesos.principal": "",
    "spark.mesos.secret": "",
    "spark.mesos.executor.memoryOverhead": "",
    "spark.mesos.executor.home": "",
    "spark.mesos.executor.docker.image": "",
    "spark.mesos.executor.docker.forcePullImage": "false",
    "spark.mesos.executor.docker.volumes": "",
    "spark.mesos.rejectOfferDuration": "120s",
    "spark.mesos.uris": "",
    "spark.mesos.fetcherCache.enable": "false",
    "spark.mesos.task.labels": "",
    "spark.mesos.driver.failoverTimeout": "60",
    "spark.mesos.driver.webui.url": "",
    "spark.mesos.driver.constraints": "",
    "spark.mesos.driver.labels": "",
}
_IGNORED = frozenset(
    {"spark.executor.extraJavaOptions", "spark.executor.extraClassPath", "spark.executor.extraLibraryPath"}
    | {"spark.executor.uri", "spark.dynamicAllocation.shuffleTracking.enabled"}
)
"""Of a JVM and its Spark, which are not there; map outputs are always watched as shuffle tracking does."""

DRIVER_ENVIRONMENT = "spark.mesos.driverEnv."

_FAMILIES = (
    "spark.cores.", "spark.executor.", "spark.dynamicAllocation.", "spark.locality.", "spark.speculation",
    "spark.mesos.",
)  # fmt: skip
_SIZE = re.compile(r"(\d+)\s*([kmgt]?)b?", re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m|min|h|d)?", re.IGNORECASE)
_MB = {"k": 1 / 1024, "": 1, "m": 1, "g": 1024, "t": 1024**2}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Sizes in megabytes, times in seconds. `executor_cores` 0: as many as an offer has."""

    cores_max: float
    executor_cores: int
    memory_mb: int
    overhead_mb: int | None
    overhead_factor: float
    dynamic: bool
    min_executors: int
    max_executors: float
    idle_timeout_s: float
    cached_idle_timeout_s: float
    constraints: Mapping[str, frozenset[str]]
    role: str
    principal: str
    secret: str
    image: str
    pulls_image: bool
    volumes: tuple[Mapping[str, str], ...]
    """As Mesos' Volume messages."""
    home: str
    """Where the agents have a real Spark, for jars."""
    reject_s: float
    uris: tuple[str, ...]
    caches_uris: bool
    labels: Mapping[str, str]
    webui_url: str
    failover_timeout_s: float
    driver_host: str
    driver_bind_address: str
    driver_port: int
    python: str
    environment: Mapping[str, str]
    offer_timeout_s: float

    @property
    def parallelism(self) -> int:
        """How many partitions where nothing says it."""
        return DEFAULT_PARALLELISM if self.cores_max == float("inf") else max(2, int(self.cores_max))

    def container_mb(self, memory_mb: int) -> int:
        """What an executor's container needs for that much memory of its tasks."""
        if self.overhead_mb is not None:
            return memory_mb + self.overhead_mb
        return memory_mb + max(MEMORY_OVERHEAD_MIN_MB, int(memory_mb * self.overhead_factor))

    @classmethod
    def of(cls, conf: Mapping[str, str]) -> ClusterSettings:
        """Raises `SettingError` for an option that is not known, or not of its form."""
        values = dict(_DEFAULTS)
        for key, value in conf.items():
            if key.startswith(_FAMILIES) and key not in _IGNORED and not key.startswith(DRIVER_ENVIRONMENT):
                if key not in _DEFAULTS:
                    raise SettingError(f"there is no option {key!r} on mesos://{near(key, _DEFAULTS)}")
                values[key] = str(value).strip()
        read = _Reader(values)
        if not read.switch("spark.mesos.coarse"):
            raise SettingError("spark.mesos.coarse=false: the fine-grained mode is not there, as in Spark since 2.0")
        cores_max = read.number("spark.cores.max", float("inf"))
        instances = read.number("spark.executor.instances", float("inf"))
        executor_cores = int(read.number("spark.executor.cores", 0))
        if instances != float("inf"):
            executor_cores = executor_cores or 1
            cores_max = min(cores_max, instances * executor_cores)
        asked = values["spark.dynamicAllocation.enabled"]
        dynamic = read.switch("spark.dynamicAllocation.enabled") if asked else cores_max == float("inf")
        overhead = values["spark.mesos.executor.memoryOverhead"] or values["spark.executor.memoryOverhead"]
        least = int(read.number("spark.dynamicAllocation.minExecutors", 0))
        return cls(
            cores_max=cores_max,
            executor_cores=executor_cores,
            memory_mb=read.megabytes("spark.executor.memory"),
            overhead_mb=megabytes_of("spark.executor.memoryOverhead", overhead) if overhead else None,
            overhead_factor=read.number("spark.executor.memoryOverheadFactor", MEMORY_OVERHEAD_FACTOR),
            dynamic=dynamic,
            min_executors=max(least, int(read.number("spark.dynamicAllocation.initialExecutors", least))),
            max_executors=read.number("spark.dynamicAllocation.maxExecutors", float("inf")),
            idle_timeout_s=read.seconds("spark.dynamicAllocation.executorIdleTimeout"),
            cached_idle_timeout_s=read.seconds("spark.dynamicAllocation.cachedExecutorIdleTimeout"),
            constraints=constraints_of(values["spark.mesos.constraints"]),
            role=values["spark.mesos.role"],
            principal=values["spark.mesos.principal"],
            secret=values["spark.mesos.secret"],
            home=values["spark.mesos.executor.home"],
            image=values["spark.mesos.executor.docker.image"],
            pulls_image=read.switch("spark.mesos.executor.docker.forcePullImage"),
            volumes=_volumes(values["spark.mesos.executor.docker.volumes"]),
            reject_s=read.seconds("spark.mesos.rejectOfferDuration"),
            uris=tuple(part.strip() for part in values["spark.mesos.uris"].split(",") if part.strip()),
            caches_uris=read.switch("spark.mesos.fetcherCache.enable"),
            labels=labels_of(values["spark.mesos.task.labels"]),
            webui_url=values["spark.mesos.driver.webui.url"],
            failover_timeout_s=read.seconds("spark.mesos.driver.failoverTimeout"),
            driver_host=conf.get("spark.driver.host", ""),
            driver_bind_address=conf.get("spark.driver.bindAddress", ""),
            driver_port=int(number_of("spark.driver.port", conf.get("spark.driver.port", "0"))),
            python=conf.get("spark.pyspark.python", ""),
            environment={
                key.removeprefix("spark.executorEnv."): value
                for key, value in conf.items()
                if key.startswith("spark.executorEnv.")
            },
            offer_timeout_s=seconds_of("spark.smack.offerTimeout", conf.get("spark.smack.offerTimeout", "1h")),
        )


def task_limits(conf: Mapping[str, str], max_failures: int) -> TaskLimits:
    """How the tasks of a cluster are placed and tried again. Raises `SettingError`."""
    read = _Reader({**_DEFAULTS, **conf})
    return TaskLimits(
        max_failures=max_failures,
        locality_wait_s=read.seconds("spark.locality.wait"),
        speculation=read.switch("spark.speculation"),
        speculation_quantile=read.number("spark.speculation.quantile", 0.75),
        speculation_multiplier=read.number("spark.speculation.multiplier", 1.5),
        speculation_interval_s=read.seconds("spark.speculation.interval"),
    )


def constraints_of(text: str) -> dict[str, frozenset[str]]:
    """`attribute:value,value;attribute:value`; an attribute without values has only to be there.

    Raises `SettingError`.
    """
    found = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, values = part.partition(":")
        if not name:
            raise SettingError(f"spark.mesos.constraints={text}: it has to be attribute:value;attribute:value")
        found[name.strip()] = frozenset(value.strip() for value in values.split(",") if value.strip())
    return found


class _Reader:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def switch(self, key: str) -> bool:
        value = str(self._values[key]).lower()
        if value not in {"true", "false"}:
            raise SettingError(f"{key} must be true or false, not {self._values[key]!r}")
        return value == "true"

    def number(self, key: str, default: float) -> float:
        text = str(self._values[key])
        return number_of(key, text) if text else default

    def seconds(self, key: str) -> float:
        text = str(self._values[key])
        return seconds_of(key, text) if text else float("inf")

    def megabytes(self, key: str) -> int:
        return megabytes_of(key, str(self._values[key]))


def number_of(key: str, text: str) -> float:
    """A number of 0 or more. Raises `SettingError`."""
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise SettingError(f"{key} must be a number of 0 or more, not {text!r}")
    return float(text)


def seconds_of(key: str, text: str) -> float:
    """A time as Spark writes it, `500ms` or `3s`; seconds where nothing stands behind it. Raises `SettingError`."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise SettingError(f"{key} must be a time such as 500ms, 3s or 1h, not {text!r}")
    return float(match.group(1)) * _SECONDS[(match.group(2) or "s").lower()]


def megabytes_of(key: str, text: str) -> int:
    """A size as Spark writes it, `512m` or `2g`; megabytes where nothing stands behind it. Raises `SettingError`."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match.group(1)):
        raise SettingError(f"{key} must be a size such as 512m or 2g, not {text!r}")
    return max(1, int(int(match.group(1)) * _MB[match.group(2).lower()]))


def _volumes(text: str) -> tuple[dict[str, str], ...]:
    """`[host path:]container path[:ro|:rw]`, with commas between. Raises `SettingError`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        paths = part.split(":")
        mode = paths.pop().upper() if paths[-1] in {"ro", "rw"} else "RW"
        if not 1 <= len(paths) <= 2 or not all(paths):
            raise SettingError(f"spark.mesos.executor.docker.volumes={text}: it has to be [host:]container[:ro|:rw],…")
        host = {"host_path": paths[0]} if len(paths) > 1 else {}
        found.append({**host, "container_path": paths[-1], "mode": mode})
    return tuple(found)


def labels_of(text: str) -> dict[str, str]:
    """`key:value,key:value`."""
    pairs = (part.partition(":") for part in text.split(",") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}
