"""The fixtures, used as a user's tests use them."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from smackbox.testing.fixtures import SmackCassandra, SmackKafka


@pytest.mark.parametrize("round_", [1, 2])
def test_every_test_finds_an_empty_broker(smack_kafka: SmackKafka, round_: int) -> None:
    admin = AdminClient({"bootstrap.servers": smack_kafka.bootstrap})
    assert "leftover" not in admin.list_topics(timeout=10).topics
    producer = Producer({"bootstrap.servers": smack_kafka.bootstrap})
    producer.produce("leftover", b"value")
    assert producer.flush(10) == 0
    settings = {"bootstrap.servers": smack_kafka.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe(["leftover"])
    message = consumer.poll(10)
    assert message is not None
    assert (message.error(), message.value(), message.offset()) == (None, b"value", 0)
    consumer.commit(asynchronous=False)
    consumer.close()


@pytest.mark.parametrize("round_", [1, 2])
def test_every_test_finds_an_empty_store(smack_cassandra: SmackCassandra, round_: int) -> None:
    session = smack_cassandra.connect()
    session.execute("CREATE KEYSPACE leftover WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE leftover.t (id int PRIMARY KEY, v text)")
    session.execute("INSERT INTO leftover.t (id, v) VALUES (1, 'one')")
    assert [tuple(row) for row in session.execute("SELECT id, v FROM leftover.t")] == [(1, "one")]


def test_the_same_tests_run_on_servers_elsewhere(pytester: pytest.Pytester, smack_kafka: SmackKafka) -> None:
    pytester.makepyfile("def test_it(smack_kafka): assert smack_kafka.bootstrap == 'kafka.example:9092'")
    pytester.runpytest("--smack-kafka", "kafka.example:9092").assert_outcomes(passed=1)
