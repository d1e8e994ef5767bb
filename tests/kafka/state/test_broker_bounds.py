"""Bounds of a broker's configuration that depend on other values (`DynamicBrokerConfig`)."""

from __future__ import annotations

import pytest

from smackbox.kafka.state.broker_bounds import check, highest, lowest
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

CURRENT = {"num.io.threads": "9", "log.retention.ms": "100"}
UNLIMITED = {"log.retention.ms": "-1"}
LOCAL, LAG = "log.local.retention.ms", "log.remote.copy.lag.ms"


@pytest.mark.parametrize(
    ("name", "value", "current", "allowed"),
    [
        ("num.io.threads", "4", CURRENT, True),
        ("num.io.threads", "3", CURRENT, False),
        ("num.io.threads", "18", CURRENT, True),
        ("num.io.threads", "19", CURRENT, False),
        ("log.retention.ms", "0", CURRENT, False),
        ("log.retention.ms", "-1", CURRENT, True),
        ("log.retention.ms", "1", CURRENT, True),
        (LOCAL, "100", CURRENT, True),
        (LOCAL, "101", CURRENT, False),
        (LOCAL, "-1", CURRENT, False),
        (LOCAL, "-2", CURRENT, True),
        (LOCAL, "101", UNLIMITED, True),
        (LOCAL, "-1", UNLIMITED, True),
        (LAG, "101", CURRENT, False),
        (LAG, "-1", CURRENT, True),
        ("max.connections.per.ip.overrides", "a:1, b: 2", CURRENT, True),
        ("max.connections.per.ip.overrides", "", CURRENT, True),
        ("max.connections.per.ip.overrides", "a:1,b", CURRENT, False),
        ("metric.reporters", "", CURRENT, True),
        ("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter", CURRENT, True),
        ("metric.reporters", "x.Y", CURRENT, False),
        ("cordoned.log.dirs", "/data", CURRENT, True),
        ("cordoned.log.dirs", "*", CURRENT, True),
        ("cordoned.log.dirs", "/data,/other", CURRENT, False),
    ],
)
def test_values_by_what_else_is_in_force(name: str, value: str, current: dict[str, str], allowed: bool) -> None:
    if allowed:
        check(name, value, current, "/data", node=True)
        return
    with pytest.raises(KafkaError, match=name) as raised:
        check(name, value, current, "/data", node=True)
    assert raised.value.code == errors.INVALID_REQUEST


def test_directories_are_of_one_broker() -> None:
    with pytest.raises(KafkaError, match="single broker"):
        check("cordoned.log.dirs", "/data", CURRENT, "/data", node=False)


@pytest.mark.parametrize(
    "name",
    [
        "max.connection.creation.rate",
        "max.connections",
        "max.connections.per.ip",
        "producer.id.expiration.ms",
        "remote.fetch.max.wait.ms",
        "remote.list.offsets.request.timeout.ms",
        "remote.log.index.file.cache.total.size.bytes",
        "remote.log.manager.copy.max.bytes.per.second",
        "remote.log.manager.fetch.max.bytes.per.second",
    ],
)
def test_what_must_be_positive(name: str) -> None:
    """`atLeast(1)` in the broker's own definitions; with 0 nothing would ever connect, or be copied."""
    assert lowest(name) == 1


def test_the_least_and_the_greatest() -> None:
    assert [lowest(name) for name in ("num.io.threads", "anything")] == [1, 0]
    assert lowest("group.coordinator.cached.buffer.max.bytes") == 524_288
    assert lowest("log.cleaner.dedupe.buffer.size") == 1_048_577
    assert lowest("log.retention.ms") < -1
    assert highest("anything") == float("inf")
    assert highest("group.share.assignment.interval.ms") < float("inf")
