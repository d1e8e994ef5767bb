"""What the Kafka contract tests share: topics made for one test, and waiting for conditions."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_LIMIT_S = 30.0


@pytest.fixture(scope="session")
def admin(kafka_bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_bootstrap, "log_level": 2})


@pytest.fixture
def make_topic(admin: AdminClient, unique: Callable[[str], str]) -> Callable[..., str]:
    """`make_topic(partitions=1, **configs)` -> the name of a topic that is ready."""

    def make(partitions: int = 1, configs: dict[str, str] | None = None, name: str = "topic") -> str:
        topic = unique(name)
        admin.create_topics([NewTopic(topic, partitions, 1, config=configs or {})])[topic].result(WAIT_LIMIT_S)
        wait_for(lambda: topic_is_ready(admin, topic, partitions))
        return topic

    return make


def topic_is_ready(admin: AdminClient, topic: str, partitions: int) -> bool:
    found = admin.list_topics(topic, timeout=WAIT_LIMIT_S).topics[topic]
    return found.error is None and len([p for p in found.partitions.values() if p.leader >= 0]) == partitions


def wait_for(condition: Callable[[], object], limit_s: float = WAIT_LIMIT_S) -> None:
    """Ask until the condition holds."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)
