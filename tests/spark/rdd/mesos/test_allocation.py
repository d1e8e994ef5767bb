"""Dynamic allocation, and the errors of jobs that get no executors."""

from __future__ import annotations

from operator import add
from pathlib import Path

import pytest
from tests.contract.pool import Pool, until
from tests.spark.rdd.mesos.conftest import SMALL, Started, processes

from smackbox.base.errors import SettingError
from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.errors import JobError

DYNAMIC = {**SMALL, "spark.dynamicAllocation.executorIdleTimeout": "300ms"}


def test_two_applications_take_turns_on_one_agent(tmp_path: Path) -> None:
    """Each wants the whole agent: the second runs once the first one's executors are idle and have ended."""
    with Pool(tmp_path) as pool:
        pool.start_master(allocation_interval="50ms")
        pool.start_agent(resources="cpus:2;mem:2048;disk:1000;ports:[]")
        url = f"mesos://{pool.master}"
        with SparkContext(url, "first", DYNAMIC) as first, SparkContext(url, "second", DYNAMIC) as second:
            pairs = first.parallelize(range(10), 2).map(lambda x: (x % 2, x)).reduceByKey(add)
            assert sorted(pairs.collect()) == [(0, 20), (1, 25)]
            assert second.parallelize(range(10), 2).sum() == 45
            until(lambda: not processes(first), "the first one's executors to end")
            assert sorted(pairs.collect()) == [(0, 20), (1, 25)]  # its map outputs are made again


def test_executors_with_cached_partitions_stay(on_mesos: Started) -> None:
    sc = on_mesos(spark_dynamicAllocation_enabled="true", spark_dynamicAllocation_executorIdleTimeout="100ms")
    rows = sc.parallelize(range(10), 1).cache()
    assert rows.sum() == 45
    sc.parallelize(range(3), 3).count()
    until(lambda: len(processes(sc)) == 1, "the others to end")
    rows.unpersist()
    until(lambda: not processes(sc), "the last one to end")


def test_a_job_without_offers_says_what_is_lacking(on_mesos: Started) -> None:
    sc = on_mesos(spark_executor_cores="64", spark_cores_max="64", spark_smack_offerTimeout="2s")
    with pytest.raises(JobError, match=r"offerTimeout \(2 s\): no offer suits .*too little cpus 2 of 64.*; wanted"):
        sc.parallelize([1]).count()


def test_executors_that_do_not_start_fail_the_job(on_mesos: Started) -> None:
    sc = on_mesos(spark_pyspark_python="/there/is/no/python")
    with pytest.raises(JobError, match=r"on every agent executors ended .*exited with status 127"):
        sc.parallelize([1]).count()


def test_a_role_has_what_is_reserved_for_it(tmp_path: Path) -> None:
    with Pool(tmp_path) as pool:
        pool.start_master(allocation_interval="50ms")
        pool.start_agent(resources="cpus(ads):2;mem(ads):2048;disk:1000;cpus:0.5")
        conf = {**SMALL, "spark.cores.max": "2", "spark.smack.offerTimeout": "1s"}
        with SparkContext(f"mesos://{pool.master}", conf={**conf, "spark.mesos.role": "ads"}) as sc:
            assert sc.parallelize(range(4), 4).sum() == 6
        with SparkContext(f"mesos://{pool.master}", conf=conf) as sc, pytest.raises(JobError, match="cpus 0.5 of 1"):
            sc.parallelize(range(4), 4).sum()


def test_an_unknown_option_names_the_near_one(mesos: Pool) -> None:
    with pytest.raises(SettingError, match="did you mean 'spark.executor.memory'"):
        SparkContext(f"mesos://{mesos.master}", conf={"spark.executor.memoy": "1g"})
