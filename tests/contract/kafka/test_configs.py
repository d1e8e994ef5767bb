"""Configurations of brokers and groups: what there is, and what may be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.kafka.client import RawClient

from smackbox.kafka.state.broker_config import table
from smackbox.kafka.state.group_config import KEYS
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import describe_configs, incremental_alter_configs

pytestmark = pytest.mark.contract

TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
DYNAMIC_BROKER, DYNAMIC_DEFAULT_BROKER, STATIC_BROKER, DEFAULT, CLIENT_METRICS_SOURCE, GROUP_SOURCE = 2, 3, 4, 5, 7, 8


@pytest.fixture
def client(kafka_bootstrap: str) -> Iterator[RawClient]:
    with RawClient(kafka_bootstrap) as connected:
        yield connected


def describe(client: RawClient, kind: int, name: str) -> tuple[int, dict[str, Any]]:
    resource = describe_configs.DescribeConfigsResource(kind, name, None)
    (result,) = client.ask(describe_configs.DescribeConfigsRequest([resource], True), 4).results
    return result.error_code, {config.name: config for config in result.configs}


def alter(
    client: RawClient, kind: int, name: str, *changes: tuple[str, int, str | None], validate: bool = False
) -> int:
    configs = [incremental_alter_configs.AlterableConfig(*change) for change in changes]
    resource = incremental_alter_configs.AlterConfigsResource(kind, name, configs)
    request = incremental_alter_configs.IncrementalAlterConfigsRequest([resource], validate)
    (answer,) = client.ask(request, 1).responses
    code: int = answer.error_code
    return code


def value_of(client: RawClient, kind: int, name: str, config: str) -> tuple[str | None, int]:
    code, found = describe(client, kind, name)
    assert code == 0
    return found[config].value, found[config].config_source


def test_the_broker_lists_all_of_kafkas_configurations(client: RawClient) -> None:
    code, found = describe(client, BROKER, "1")
    assert code == 0
    assert found.keys() == table().keys()
    for name, key in table().items():
        config = found[name]
        assert (config.config_type, config.read_only, config.is_sensitive) == (key.kind, not key.dynamic, key.kind == 9)
        defaults = [synonym.value for synonym in config.synonyms if synonym.source == DEFAULT]
        assert defaults == ([] if key.default is None else [key.default]), name
        assert [synonym.name for synonym in config.synonyms] == [name] * len(config.synonyms)
        if config.synonyms and not config.is_sensitive:
            assert (config.value, config.config_source) == (config.synonyms[0].value, config.synonyms[0].source)
    assert found["min.insync.replicas"].config_source == DYNAMIC_DEFAULT_BROKER
    for name in ("node.id", "listeners", "advertised.listeners", "log.dirs", "process.roles"):
        assert found[name].config_source == STATIC_BROKER, name
    assert found["listeners"].value.startswith("PLAINTEXT://")
    assert (found["log.retention.ms"].value, found["log.roll.ms"].value) == (None, None)
    assert found["log.retention.hours"].value == "168"


def test_what_is_set_for_all_brokers_is_shown_by_the_empty_name(client: RawClient) -> None:
    assert value_of(client, BROKER, "", "min.insync.replicas") == ("1", DYNAMIC_DEFAULT_BROKER)


def test_broker_configurations_change_for_one_and_for_all(client: RawClient) -> None:
    name = "background.threads"
    try:
        assert alter(client, BROKER, "", (name, SET, "12")) == 0
        assert alter(client, BROKER, "1", (name, SET, "11")) == 0
        eventually(lambda: value_of(client, BROKER, "1", name), ("11", DYNAMIC_BROKER))
        assert alter(client, BROKER, "1", (name, DELETE, None)) == 0
        eventually(lambda: value_of(client, BROKER, "1", name), ("12", DYNAMIC_DEFAULT_BROKER))
    finally:
        alter(client, BROKER, "1", (name, DELETE, None))
        alter(client, BROKER, "", (name, DELETE, None))
    eventually(lambda: value_of(client, BROKER, "1", name), ("10", DEFAULT))


@pytest.mark.parametrize("name", ["1", ""])
def test_what_a_broker_refuses(client: RawClient, name: str) -> None:
    for config, value in [
        ("max.connections", "-1"),
        ("max.connections", "x"),
        ("node.id", "3"),
        ("ssl.keystore.password", "x"),
        ("listeners", "PLAINTEXT://:1"),
        ("background.threads", "0"),
    ]:
        assert alter(client, BROKER, name, (config, SET, value), validate=True) == errors.INVALID_REQUEST, config
    assert alter(client, BROKER, name, ("max.connections", SET, "500"), validate=True) == 0
    assert alter(client, BROKER, "77", ("max.connections", SET, "500"), validate=True) == errors.INVALID_REQUEST


def test_a_group_has_configurations(client: RawClient, unique: Callable[[str], str]) -> None:
    group = unique("group")
    code, found = describe(client, GROUP, group)
    assert (code, found.keys()) == (0, KEYS.keys())
    for name, key in KEYS.items():
        config = found[name]
        assert (config.config_type, config.read_only, config.is_sensitive) == (key.kind, False, False)
        assert [(s.name, s.value, s.source) for s in config.synonyms] == [(key.broker_key, key.default, DEFAULT)], name
    assert describe(client, GROUP, "")[0] == errors.INVALID_REQUEST


def test_a_groups_configurations_change(client: RawClient, unique: Callable[[str], str]) -> None:
    group, name = unique("group"), "consumer.session.timeout.ms"
    assert alter(client, GROUP, group, (name, SET, "50000")) == 0
    eventually(lambda: value_of(client, GROUP, group, name), ("50000", GROUP_SOURCE))
    assert alter(client, GROUP, group, (name, DELETE, None)) == 0
    eventually(lambda: value_of(client, GROUP, group, name), ("45000", DEFAULT))
    assert alter(client, GROUP, "", (name, SET, "50000")) == errors.INVALID_REQUEST
    assert alter(client, GROUP, group, ("nothing", SET, "1")) == errors.INVALID_CONFIG
    assert alter(client, GROUP, group, ("nothing", DELETE, None)) == 0
    assert alter(client, GROUP, group, (name, APPEND, "1")) == errors.INVALID_CONFIG
    assert alter(client, GROUP, group, (name, SET, None)) == errors.INVALID_REQUEST


@pytest.mark.parametrize("name", sorted(KEYS))
def test_the_bounds_of_a_groups_configurations(client: RawClient, unique: Callable[[str], str], name: str) -> None:
    group, key = unique("group"), KEYS[name]
    tried = {"x": None, "": None}
    if key.low > -float("inf"):
        tried |= {str(int(key.low) - 1): errors.INVALID_CONFIG, str(int(key.low)): 0}
    if key.high < float("inf"):
        tried |= {str(int(key.high) + 1): errors.INVALID_CONFIG, str(int(key.high)): 0}
    for choice in key.choices:
        tried |= {choice: 0, choice.upper(): errors.INVALID_CONFIG}
    for value, code in tried.items():
        if code is not None:
            assert alter(client, GROUP, group, (name, SET, value)) == code, value
    alter(client, GROUP, group, (name, DELETE, None))


def test_an_empty_cleanup_policy(client: RawClient, make_topic: Callable[..., str]) -> None:
    topic, name = make_topic(1, {"cleanup.policy": ""}), "cleanup.policy"
    assert value_of(client, TOPIC, topic, name) == ("", 1)
    for change, value in [
        ((SET, "delete"), "delete"),
        ((SUBTRACT, "delete"), ""),
        ((APPEND, "compact"), "compact"),
        ((APPEND, "delete"), "compact,delete"),
        ((SET, "delete,delete"), "delete"),
        ((SET, ""), ""),
    ]:
        assert alter(client, TOPIC, topic, (name, *change)) == 0
        eventually(lambda value=value: value_of(client, TOPIC, topic, name), (value, 1))
    for refused in [(SET, " , "), (APPEND, "x"), (SET, "x")]:
        assert alter(client, TOPIC, topic, (name, *refused)) == errors.INVALID_CONFIG
    assert alter(client, TOPIC, topic, (name, APPEND, "")) == 0
    assert alter(client, TOPIC, topic, (name, SET, "delete")) == 0
    eventually(lambda: value_of(client, TOPIC, topic, name), ("delete", 1))
    assert alter(client, TOPIC, topic, (name, APPEND, "")) == errors.INVALID_CONFIG
    assert alter(client, TOPIC, topic, (name, APPEND, None)) == errors.INVALID_REQUEST


def eventually(look: Callable[[], object], expected: object) -> None:
    """A real broker answers before it has applied a change."""
    from tests.contract.kafka.conftest import wait_for

    wait_for(lambda: look() == expected)


def test_subscriptions_to_client_metrics(client: RawClient, unique: Callable[[str], str]) -> None:
    name = unique("subscription")
    code, found = describe(client, CLIENT_METRICS, name)
    assert (code, found.keys()) == (0, {"interval.ms", "match", "metrics"})
    assert (found["interval.ms"].value, found["interval.ms"].config_source) == ("300000", DEFAULT)
    assert found["interval.ms"].synonyms == []
    assert describe(client, CLIENT_METRICS, "")[0] == errors.INVALID_REQUEST
    assert alter(client, CLIENT_METRICS, "", ("interval.ms", SET, "100")) == errors.INVALID_REQUEST
    for change, code in [
        (("interval.ms", SET, "99"), errors.INVALID_REQUEST),
        (("interval.ms", SET, "3600001"), errors.INVALID_REQUEST),
        (("interval.ms", SET, "x"), errors.INVALID_CONFIG),
        (("nothing", SET, "1"), errors.INVALID_REQUEST),
        (("nothing", DELETE, None), 0),
        (("metrics", APPEND, "a"), errors.INVALID_CONFIG),
        (("match", SET, "client_id=["), errors.INVALID_CONFIG),
        (("match", SET, "x=1"), errors.INVALID_CONFIG),
        (("match", SET, "client_id=a.*,client_software_name=b"), 0),
        (("interval.ms", SET, "100"), 0),
    ]:
        assert alter(client, CLIENT_METRICS, name, change) == code, change
    eventually(lambda: value_of(client, CLIENT_METRICS, name, "interval.ms"), ("100", CLIENT_METRICS_SOURCE))
    for config in ("interval.ms", "match"):
        assert alter(client, CLIENT_METRICS, name, (config, DELETE, None)) == 0
    eventually(lambda: value_of(client, CLIENT_METRICS, name, "interval.ms"), ("300000", DEFAULT))


@pytest.mark.parametrize(
    ("config", "taken", "refused"),
    [
        ("background.threads", ["5", "20"], ["4", "21"]),
        ("num.network.threads", ["1", "6"], ["0", "7"]),
        ("group.consumer.assignment.interval.ms", ["0", "15000"], ["-1", "15001"]),
        ("group.coordinator.cached.buffer.max.bytes", ["524288"], ["524287"]),
        ("log.cleaner.dedupe.buffer.size", ["1048577"], ["1048576"]),
        ("log.local.retention.ms", ["-2", "0", "604800000"], ["-3", "-1", "604800001"]),
        ("log.retention.ms", ["-3", "-1", "1"], ["0"]),
        ("max.decompressed.message.bytes", ["1", "2147483639"], ["0", "2147483640"]),
        ("max.connections.per.ip", ["1"], ["0"]),
        ("max.connections.per.ip.overrides", ["", "10.0.0.1:5,h:0"], ["h", "h:x"]),
        ("metric.reporters", [""], ["x"]),
        ("compression.gzip.level", ["-1", "1", "9"], ["0", "10"]),
        ("log.cleaner.io.buffer.load.factor", ["-1", "0.9"], ["x", "1_0"]),
    ],
)
def test_the_bounds_of_a_brokers_configurations(
    client: RawClient, config: str, taken: list[str], refused: list[str]
) -> None:
    for name in ("", "1"):
        for value in taken:
            assert alter(client, BROKER, name, (config, SET, value), validate=True) == 0, value
        for value in refused:
            assert alter(client, BROKER, name, (config, SET, value), validate=True) == errors.INVALID_REQUEST, value
