"""Changes of configurations: set, delete, append, subtract, replace (KIP-339 and AlterConfigs)."""

from __future__ import annotations

import pytest

from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.config_change import (
    APPEND,
    BROKER,
    CLIENT_METRICS,
    DELETE,
    GROUP,
    SET,
    SUBTRACT,
    TOPIC,
    Change,
    change,
)
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors

REQUEST, CONFIG = errors.INVALID_REQUEST, errors.INVALID_CONFIG
POLICY = "cleanup.policy"


def topic(broker: Broker, *changes: Change, replace: bool = False, validate_only: bool = False) -> dict[str, str]:
    if "t" not in broker.catalog.topics:
        broker.catalog.create("t", 1, {"retention.ms": "5"})
    change(broker.catalog, TOPIC, "t", changes, replace=replace, validate_only=validate_only)
    return broker.catalog.topics["t"].overrides


def test_what_becomes_of_a_topics_overrides(broker: Broker) -> None:
    assert topic(broker, Change("segment.ms", SET, "7")) == {"retention.ms": "5", "segment.ms": "7"}
    assert broker.catalog.topics["t"].partitions[0].config.segment_ms == 7
    assert topic(broker, Change("segment.ms", SET, "8"), validate_only=True)["segment.ms"] == "7"
    assert topic(broker, Change("retention.ms", DELETE, None), Change("flush.ms", DELETE, None)) == {"segment.ms": "7"}
    assert topic(broker, Change("flush.ms", SET, "9"), replace=True) == {"flush.ms": "9"}
    assert topic(broker, replace=True) == {}


def test_lists_grow_and_shrink_from_what_is_in_force(broker: Broker) -> None:
    assert topic(broker, Change(POLICY, APPEND, "compact"))[POLICY] == "delete,compact", "from the default"
    assert topic(broker, Change(POLICY, APPEND, "compact"))[POLICY] == "delete,compact"
    assert topic(broker, Change(POLICY, SUBTRACT, "delete"))[POLICY] == "compact"
    assert topic(broker, Change(POLICY, SUBTRACT, "delete"))[POLICY] == "compact"
    assert topic(broker, Change(POLICY, APPEND, "delete,compact"))[POLICY] == "compact,delete"
    assert topic(broker, Change(POLICY, SUBTRACT, "compact,delete"))[POLICY] == ""


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ([Change("flush.ms", SET, "1"), Change("flush.ms", DELETE, None)], REQUEST, "duplicate config keys"),
        ([Change("flush.ms", SET, None), Change("preallocate", APPEND, None)], REQUEST, "for : flush.ms,preallocate"),
        ([Change("flush.ms", 4, "1")], REQUEST, "Unknown operation 4"),
        ([Change("flush.ms", -1, "1")], REQUEST, "Unknown operation -1"),
        ([Change("flush.ms", APPEND, "1")], CONFIG, "Can't APPEND to key flush.ms"),
        ([Change("flush.ms", SUBTRACT, "1")], CONFIG, "Can't SUBTRACT from key flush.ms"),
        ([Change("nonsense", APPEND, "1")], CONFIG, "Can't APPEND to key nonsense"),
        ([Change("flush.ms", SET, "x")], CONFIG, "Not a number"),
        ([Change("nonsense", SET, "1")], CONFIG, "Unknown topic config name"),
        ([Change(POLICY, APPEND, "shred")], CONFIG, "String must be one of"),
    ],
)
def test_changes_that_are_refused_change_nothing(broker: Broker, changes: list[Change], code: int, reason: str) -> None:
    before = dict(topic(broker))
    with pytest.raises(KafkaError, match=reason) as raised:
        topic(broker, Change("segment.ms", SET, "7"), *changes)
    assert raised.value.code == code
    assert broker.catalog.topics["t"].overrides == before


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        (TOPIC, "", REQUEST),
        (TOPIC, "nowhere", errors.UNKNOWN_TOPIC_OR_PARTITION),
        (GROUP, "", REQUEST),
        (CLIENT_METRICS, "", REQUEST),
        (BROKER, "99", REQUEST),
        (BROKER, "x", REQUEST),
        (8, "x", REQUEST),
    ],
)
def test_resources_that_are_not_there(broker: Broker, kind: int, name: str, code: int) -> None:
    with pytest.raises(KafkaError) as raised:
        change(broker.catalog, kind, name, [], replace=False, validate_only=True)
    assert raised.value.code == code


def test_a_groups_own_configuration(broker: Broker) -> None:
    name = "consumer.session.timeout.ms"
    change(broker.catalog, GROUP, "g", [Change(name, SET, "50000")], replace=False, validate_only=True)
    assert broker.catalog.group_config("g", name) is None
    change(broker.catalog, GROUP, "g", [Change(name, SET, "50000")], replace=False, validate_only=False)
    assert broker.catalog.group_config("g", name) == "50000"
    with pytest.raises(KafkaError, match="Can't APPEND"):
        change(broker.catalog, GROUP, "g", [Change(name, APPEND, "1")], replace=False, validate_only=False)
    change(broker.catalog, GROUP, "g", [], replace=True, validate_only=False)
    assert broker.catalog.group_config("g", name) is None


def broker_change(broker: Broker, name: str, *changes: Change, replace: bool = False, dry: bool = False) -> None:
    change(broker.catalog, BROKER, name, changes, replace=replace, validate_only=dry)


def test_a_brokers_configuration_for_all_and_for_one(broker: Broker) -> None:
    key = "log.retention.ms"
    broker_change(broker, "", Change(key, SET, "77000000"), dry=True)
    assert broker.catalog.broker_overrides == {}
    broker_change(broker, "", Change(key, SET, "77000000"))
    broker_change(broker, "1", Change(key, SET, "88000000"))
    assert broker.catalog.broker_overrides == {key: "77000000"}
    assert broker.catalog.node_overrides == {key: "88000000"}
    broker_change(broker, "1", Change("log.flush.interval.messages", SET, "9"))
    assert broker.catalog.node_overrides == {key: "88000000", "log.flush.interval.messages": "9"}
    broker_change(broker, "1", replace=True)
    assert (broker.catalog.broker_overrides, broker.catalog.node_overrides) == ({key: "77000000"}, {})


@pytest.mark.parametrize(
    ("name", "changes", "code", "reason"),
    [
        ("", [Change("num.io.threads.nonsense", SET, "1")], REQUEST, r"Cannot update these configs dynamically: \["),
        ("", [Change("log.retention.ms", APPEND, "1")], CONFIG, "append is not allowed"),
        ("", [Change("log.retention.ms", SUBTRACT, "1")], CONFIG, "subtract is not allowed"),
        ("", [Change("log.retention.ms", SET, "x")], REQUEST, "Not a number"),
        ("", [Change("log.retention.ms", SET, "0")], REQUEST, "unlimited"),
        ("1", [Change("min.insync.replicas", SET, "1")], CONFIG, "Broker-level min.insync.replicas"),
        ("", [Change("min.insync.replicas", DELETE, None)], CONFIG, "Cluster-level min.insync.replicas"),
    ],
)
def test_changes_of_a_broker_that_are_refused(
    broker: Broker, name: str, changes: list[Change], code: int, reason: str
) -> None:
    with pytest.raises(KafkaError, match=reason) as raised:
        broker_change(broker, name, *changes)
    assert raised.value.code == code
    assert (broker.catalog.broker_overrides, broker.catalog.node_overrides) == ({}, {})


def test_the_metrics_that_clients_are_asked_for(broker: Broker) -> None:
    """KIP-714."""
    asked = [Change("interval.ms", SET, "60000")]
    change(broker.catalog, CLIENT_METRICS, "m", asked, replace=False, validate_only=True)
    assert "m" not in broker.catalog.metrics_overrides
    change(broker.catalog, CLIENT_METRICS, "m", asked, replace=False, validate_only=False)
    assert broker.catalog.metrics_overrides["m"]["interval.ms"] == "60000"
    with pytest.raises(KafkaError):
        change(broker.catalog, CLIENT_METRICS, "m", [Change("x", SET, "1")], replace=False, validate_only=False)
    assert (TOPIC, BROKER, CLIENT_METRICS, GROUP) == (2, 4, 16, 32), "`ConfigResource.Type`"
