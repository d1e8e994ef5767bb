"""Options of a context on Mesos: what they mean, and the errors for those that are unknown."""

from __future__ import annotations

import pytest

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.cluster.settings import ClusterSettings, constraints_of, task_limits


def test_an_executor_needs_its_memory_and_an_overhead() -> None:
    assert ClusterSettings.of({}).container_mb(1024) == 1024 + 384
    assert ClusterSettings.of({}).container_mb(8192) == 8192 + 819
    assert ClusterSettings.of({"spark.executor.memoryOverhead": "1g"}).container_mb(512) == 1536
    assert ClusterSettings.of({"spark.mesos.executor.memoryOverhead": "100"}).container_mb(512) == 612
    assert ClusterSettings.of({"spark.executor.memory": "2G"}).memory_mb == 2048


def test_dynamic_allocation_is_the_default_where_no_cores_are_asked_for() -> None:
    assert ClusterSettings.of({}).dynamic
    assert not ClusterSettings.of({"spark.cores.max": "4"}).dynamic
    assert ClusterSettings.of({"spark.cores.max": "4", "spark.dynamicAllocation.enabled": "true"}).dynamic
    assert not ClusterSettings.of({"spark.dynamicAllocation.enabled": "false"}).dynamic


def test_instances_are_cores_together() -> None:
    settings = ClusterSettings.of({"spark.executor.instances": "3", "spark.executor.cores": "2"})
    assert (settings.cores_max, settings.executor_cores, settings.parallelism) == (6, 2, 6)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("spark.executor.memmory", "1g", "did you mean 'spark.executor.memory'"),
        ("spark.mesos.constraint", "a:b", "did you mean 'spark.mesos.constraints'"),
        ("spark.core.max", "4", None),
        ("spark.cores.maximum", "4", "did you mean 'spark.cores.max'"),
        ("spark.mesos.coarse", "false", "fine-grained"),
        ("spark.executor.memory", "lots", "512m or 2g"),
        ("spark.cores.max", "-1", "number of 0 or more"),
        ("spark.dynamicAllocation.executorIdleTimeout", "soon", "500ms, 3s"),
        ("spark.mesos.constraints", ":x", "attribute:value"),
    ],
)
def test_what_is_wrong_is_named(key: str, value: str, said: str | None) -> None:
    if said is None:
        ClusterSettings.of({key: value})  # not one of the families
        return
    with pytest.raises(SettingError, match=said):
        ClusterSettings.of({key: value})


def test_constraints_are_read_as_spark_reads_them() -> None:
    found = constraints_of("os:centos7,debian; zone:us-east-1a;tachyon")
    assert found == {"os": {"centos7", "debian"}, "zone": {"us-east-1a"}, "tachyon": frozenset()}


def test_limits_of_tasks() -> None:
    limits = task_limits({"spark.locality.wait": "500ms", "spark.speculation": "true"}, 2)
    assert (limits.locality_wait_s, limits.speculation, limits.max_failures) == (0.5, True, 2)


def test_volumes_of_an_image_are_mesos_volumes() -> None:
    settings = ClusterSettings.of({"spark.mesos.executor.docker.volumes": "/a:/b:ro, /c:/d,/e"})
    assert settings.volumes == (
        {"host_path": "/a", "container_path": "/b", "mode": "RO"},
        {"host_path": "/c", "container_path": "/d", "mode": "RW"},
        {"container_path": "/e", "mode": "RW"},
    )
    with pytest.raises(SettingError, match="host:"):
        ClusterSettings.of({"spark.mesos.executor.docker.volumes": "/a:/b:/c"})


def test_what_belongs_to_a_jvm_or_to_a_driver_is_no_error() -> None:
    """Settings that programs for Spark on Mesos bring along."""
    ClusterSettings.of({"spark.executor.uri": "hdfs://spark.tgz", "spark.mesos.driverEnv.HOME": "/x"})
