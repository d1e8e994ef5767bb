"""The servers under contract: ours in this process, or a real one whose address `make real` puts into the environment.

Every test here must hold on both. Names (topics, keyspaces, groups) are made unique by the test, for the real server is
shared by the whole run. Where the real server differs on purpose, the test says so with `on_real`.
"""

from __future__ import annotations

import gc
import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from smackbox.net.service import ServiceThread

REAL_KAFKA = "SMACK_REAL_KAFKA"
REAL_CASSANDRA = "SMACK_REAL_CASSANDRA"
REAL_ZOOKEEPER = "SMACK_REAL_ZOOKEEPER"


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """`host:port` of the Kafka under test."""
    if real := os.environ.get(REAL_KAFKA):
        yield real
        return
    from smackbox.kafka.server import KafkaServer
    from smackbox.kafka.settings import KafkaSettings

    with ServiceThread(KafkaServer(KafkaSettings())) as kafka:
        yield kafka.url
        gc.collect()  # clients that tests left behind go before their broker does


@pytest.fixture(scope="session")
def cassandra_address() -> Iterator[tuple[str, int]]:
    """`(host, port)` of the Cassandra under test."""
    if real := os.environ.get(REAL_CASSANDRA):
        host, _, port = real.rpartition(":")
        yield host, int(port)
        return
    from smackbox.cassandra.server import CassandraServer
    from smackbox.cassandra.settings import CassandraSettings

    with ServiceThread(CassandraServer(CassandraSettings())) as cassandra:
        host, _, port = cassandra.url.rpartition(":")
        yield host, int(port)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("orders")` -> a name that no other test uses."""
    return lambda name: f"{name}_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def on_real_kafka() -> bool:
    return REAL_KAFKA in os.environ


@pytest.fixture(scope="session")
def on_real_cassandra() -> bool:
    return REAL_CASSANDRA in os.environ


@pytest.fixture(scope="session")
def zookeeper_address() -> Iterator[str]:
    """`host:port` of the ZooKeeper under test."""
    if real := os.environ.get(REAL_ZOOKEEPER):
        yield real
        return
    from smackbox.zookeeper.server import ZooKeeperServer
    from smackbox.zookeeper.settings import ZooKeeperSettings

    with ServiceThread(ZooKeeperServer(ZooKeeperSettings(sweep_interval_ms=200))) as zookeeper:
        yield zookeeper.url
