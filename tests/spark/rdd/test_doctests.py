"""PySpark's own examples of `RDD` on our context. SMACK_PYSPARK_RDD names an unpacked pyspark's `core/rdd.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.spark.rdd.doctests import run

# each has one example that differs, listed with its reason in SKIPPED.md of the Spark room
DIFFERENT = {
    "RDD.persist",
    "RDD.saveAsNewAPIHadoopDataset",
    "RDD.saveAsNewAPIHadoopFile",
    "RDD.saveAsHadoopDataset",
    "RDD.saveAsHadoopFile",
    "RDD.saveAsSequenceFile",
    "RDD.toDebugString",
    "RDDBarrier.mapPartitions",
    "RDDBarrier.mapPartitionsWithIndex",
}


@pytest.mark.skipif(
    "SMACK_PYSPARK_RDD" not in os.environ, reason="needs pyspark's core/rdd.py, named by SMACK_PYSPARK_RDD"
)
def test_pysparks_own_examples() -> None:
    tried, failed, reports = run(Path(os.environ["SMACK_PYSPARK_RDD"]), "local[4]")
    assert tried > 300
    assert {report.partition(":")[0] for report in reports} == DIFFERENT, "\n".join(reports)
    assert failed == len(DIFFERENT)
