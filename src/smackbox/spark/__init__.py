"""Spark: sessions on an embedded Sail server or on a real one, data sources, and streaming in micro-batches.

    from smackbox.spark import session
    spark = session()                       # embedded
    spark = session("sc://cluster:15002")   # Spark 4
    sc = SparkContext("local[2]")           # RDDs, on two processes

Names are loaded when they are first used: importing this imports neither pyspark nor pyarrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.spark.cassandra_join import direct_join as direct_join
    from smackbox.spark.connect import register_sources as register_sources
    from smackbox.spark.connect import session as session
    from smackbox.spark.rdd.context import SparkContext as SparkContext
    from smackbox.spark.rdd.spark_files import SparkFiles as SparkFiles

_LAZY = {
    "SparkContext": "smackbox.spark.rdd.context",
    "SparkFiles": "smackbox.spark.rdd.spark_files",
    "direct_join": "smackbox.spark.cassandra_join",
    "register_sources": "smackbox.spark.connect",
    "session": "smackbox.spark.connect",
    "stop_embedded": "smackbox.spark.connect",
}

__all__ = ["SparkContext", "SparkFiles", "direct_join", "register_sources", "session", "stop_embedded"]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    if name == "SparkContext":
        value.new_session = lambda: import_module("smackbox.spark.connect").session()
    return value
