"""`smack topics` on a broker, as a person uses it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, TopicPartition

from smackbox.cli.main import group
from smackbox.net.listener import free_port
from smackbox.testing.fixtures import SmackKafka

Topics = Callable[..., Result]


@pytest.fixture
def topics(smack_kafka: SmackKafka) -> Topics:
    def topics(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(group, ["topics", "--kafka", smack_kafka.bootstrap, *arguments], input=stdin)

    return topics


def test_a_topic_lives(topics: Topics) -> None:
    assert topics("create", "orders", "-p", "2", "-c", "retention.ms=60000").output == "created orders\n"
    assert topics("list").output == "orders\t2\n"
    assert topics("produce", "orders", "--key-separator", ":", stdin="a:1\na:2\n").exit_code == 0
    consumed = topics("consume", "orders", "--keys").output
    assert consumed == "a\t1\na\t2\n"
    described = topics("describe", "orders").output
    assert "records 2" in described
    assert "retention.ms=60000" in described
    assert topics("delete", "--yes", "orders").output == "deleted orders\n"
    assert "orders" not in topics("list").output


def test_consume_stops_at_its_limit(topics: Topics) -> None:
    topics("create", "orders")
    topics("produce", "orders", stdin="1\n2\n3\n")
    assert topics("consume", "orders", "--max", "2").output == "1\n2\n"


def test_lag_and_reset_of_a_group(topics: Topics, smack_kafka: SmackKafka) -> None:
    topics("create", "orders")
    topics("produce", "orders", stdin="1\n2\n3\n")
    consumer = Consumer({"bootstrap.servers": smack_kafka.bootstrap, "group.id": "billing"})
    consumer.commit(offsets=[TopicPartition("orders", 0, 1)], asynchronous=False)
    consumer.close()
    assert topics("lag", "billing").output == "orders\tpartition 0\tcommitted 1\tend 3\tlag 2\n"
    assert topics("reset", "billing", "orders", "--to", "earliest").output == "orders\tpartition 0\tcommitted 0\n"
    assert "lag 3" in topics("lag", "billing").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["describe", "none"], "no topic 'none'"),
        (["create", "bad name"], "INVALID_TOPIC|invalid"),
        (["create", "t", "-c", "novalue"], "write it as KEY=VALUE"),
    ],
)
def test_mistakes_are_one_line(topics: Topics, arguments: list[str], message: str) -> None:
    result = topics(*arguments)
    assert result.exit_code == 1
    with pytest.raises(Exception, match=message):
        raise result.exception or AssertionError(result.output)


def test_a_broker_that_is_not_there(unused_port: int) -> None:
    result = CliRunner().invoke(group, ["topics", "--kafka", f"127.0.0.1:{unused_port}", "list"])
    assert result.exit_code == 1
    assert f"127.0.0.1:{unused_port}" in str(result.exception)


@pytest.fixture
def unused_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port that nobody listens on, and no patience."""

    monkeypatch.setattr("smackbox.cli.topics.TIMEOUT_S", 1.0)
    return free_port("127.0.0.1")
