"""The data sources that every session knows.

`kafka` and `cassandra` are plain Python data sources of Spark 4 with Arrow batches both ways; they need smackbox to be
installed where the executors run. On a Spark that has a JVM source of the same name that one is used instead.
"""

from __future__ import annotations

from smackbox.spark.cassandra_source import CassandraDataSource
from smackbox.spark.kafka_source import KafkaDataSource

SOURCES = (KafkaDataSource, CassandraDataSource)
