"""The pytest plugin: real servers in the test's process, one set per session, wiped between tests.

    def test_ads(smack):                     Kafka and Cassandra, and applications on them
    def test_log(smack_kafka): …             a broker alone
    def test_tables(smack_cassandra): …      a CQL server alone
    def test_actors(akka_testkit): …         an actor system with manual time, and probes

With `--smack-kafka` and `--smack-cassandra` (or SMACK_KAFKA and SMACK_CASSANDRA) the same tests run on other servers.
Those are not wiped, so tests that run on both need unique names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from smackbox.akka.testkit.kit import ActorTestKit
    from smackbox.net.service import ServiceThread
    from smackbox.testing.fixtures import Smack, SmackCassandra, SmackKafka


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options `--smack-…`, which name servers to test on instead of embedded ones."""
    group = parser.getgroup("smackbox")
    group.addoption("--smack-kafka", metavar="HOST:PORT", help="run tests on this Kafka instead of an embedded one")
    group.addoption("--smack-cassandra", metavar="HOST:PORT", help="the same for Cassandra")


@pytest.fixture(scope="session")
def _smack_kafka_server(pytestconfig: pytest.Config) -> Iterator[ServiceThread | str]:
    from smackbox.testing.fixtures import server

    with server(pytestconfig, "kafka") as kafka:
        yield kafka


@pytest.fixture(scope="session")
def _smack_cassandra_server(pytestconfig: pytest.Config) -> Iterator[ServiceThread | str]:
    from smackbox.testing.fixtures import server

    with server(pytestconfig, "cassandra") as cassandra:
        yield cassandra


@pytest.fixture
def smack_kafka(_smack_kafka_server: ServiceThread | str) -> Iterator[SmackKafka]:
    """A broker without topics; `bootstrap` is its `host:port`."""
    from smackbox.testing.fixtures import SmackKafka, reset

    yield SmackKafka(_smack_kafka_server if isinstance(_smack_kafka_server, str) else _smack_kafka_server.url)
    reset(_smack_kafka_server)


@pytest.fixture
def smack_cassandra(_smack_cassandra_server: ServiceThread | str) -> Iterator[SmackCassandra]:
    """A CQL server without keyspaces; `address` is its `host:port`, `connect()` a session of the Python driver."""
    from smackbox.testing.fixtures import SmackCassandra, reset

    server = _smack_cassandra_server
    with SmackCassandra(server if isinstance(server, str) else server.url) as cassandra:
        yield cassandra
    reset(server)


@pytest.fixture
def smack(smack_kafka: SmackKafka, smack_cassandra: SmackCassandra) -> Iterator[Smack]:
    """Kafka and Cassandra, and applications that run on them in this process."""
    from smackbox.testing.fixtures import Smack

    with Smack(smack_kafka, smack_cassandra) as box:
        yield box


@pytest.fixture
def akka_testkit() -> Iterator[ActorTestKit]:
    """An actor system with manual time: `spawn`, `probe()`, `advance(seconds)`, `dead_letters`."""
    from smackbox.akka.testkit.kit import ActorTestKit

    with ActorTestKit() as kit:
        yield kit
