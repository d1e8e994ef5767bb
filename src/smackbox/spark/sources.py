"""The data sources that every session knows.

They are plain Python data sources of Spark 4.1 with Arrow batches both ways; smackbox has to be installed where the
executors run. Spark refuses another source by the name of its own `kafka`, so that one has a second name.
"""

from __future__ import annotations

from smackbox.spark.cassandra_source import CassandraDataSource, ConnectorCassandraDataSource
from smackbox.spark.kafka_source import KafkaDataSource, SmackKafkaDataSource

SOURCES = (KafkaDataSource, SmackKafkaDataSource, CassandraDataSource, ConnectorCassandraDataSource)

OWN_NAMES = frozenset(source.name() for source in SOURCES)
