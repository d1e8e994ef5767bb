"""Hypothesis changes configurations of topics, brokers, groups and client metrics on ours and on a real Kafka.

Every key, every operation, every boundary value with its neighbours: equal are the error codes, and what
DescribeConfigs shows afterwards. A broker's configurations are only validated: the real one is shared.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import REAL_KAFKA
from tests.contract.kafka.conftest import wait_for
from tests.kafka.client import RawClient

from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state import broker_config, group_config, topic_config
from smackbox.kafka.wire.messages import create_topics, describe_configs, incremental_alter_configs
from smackbox.net.service import ServiceThread

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(REAL_KAFKA not in os.environ, reason="needs a real Kafka beside ours: make real"),
]

TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
METRICS_KEYS = ("interval.ms", "metrics", "match")
EDGES = (-(2**63), -(2**31), -(2**15), -131072, -2, -1, 0, 1, 2, 4, 9, 14, 17, 22, 100, 1000, 4096, 5000, 10_000,
         15_000, 30_000, 45_000, 60_000, 3_600_000, 2**15 - 1, 1 << 20, 2**30, 2**31 - 1, 2**63 - 1)  # fmt: skip
NUMBERS = tuple(str(edge + by) for edge in EDGES for by in (-1, 0, 1))
WORDS = (
    "", " ", "x", "true", "TRUE", "false", "1.0", "0.5", "-0.1", "1.1", "1e3", "NaN", " 7 ", "+7", "0x10", "1_000", "٣",
    "delete", "compact", "delete,compact", "compact,", ",", "delete,x", "Delete", "producer", "gzip", "zstd", "lz4",
    "snappy", "uncompressed", "none", "CreateTime", "LogAppendTime", "createtime", "*", "0:1", "0:1,1:1", "0:1,*", "0",
    "earliest", "latest", "by_duration:P1D", "by_duration:x", "by_duration:PT1.5S", "by_duration:-P1D",
    "read_committed", "read_uncommitted", "READ_COMMITTED", "sticky", "__dlq", "dlq", "a b", "a,b", "a,a",
    "client_id=x",
    "client_id=[", "client_software_name=a,client_id=b", "nothing=x", "org.apache.kafka.", "10.0.0.1:5", "h:1,h:2",
    "h:x",
)  # fmt: skip
BROKER_SKIPPED = broker_config.SET_AT_START


class Change(NamedTuple):
    name: str
    operation: int
    value: str | None


def keys(kind: int) -> list[str]:
    if kind == TOPIC:
        return [*topic_config.KEYS, "nothing"]
    if kind == GROUP:
        return [*group_config.KEYS, "nothing"]
    if kind == CLIENT_METRICS:
        return [*METRICS_KEYS, "nothing"]
    return [name for name in broker_config.table() if not name.startswith(BROKER_SKIPPED)]


values = st.one_of(st.none(), st.sampled_from(NUMBERS), st.sampled_from(WORDS))


def changes(kind: int) -> st.SearchStrategy[list[Change]]:
    """Not asked for is what a real one answers with UNKNOWN_SERVER_ERROR: operation 4, and lists that are fixed."""
    one = st.builds(Change, st.sampled_from(keys(kind)), st.sampled_from([0, 0, 0, 1, 2, 3]), values)
    if kind == BROKER:
        table = broker_config.table()
        one = one.filter(lambda change: change.operation < 2 or table[change.name].kind != topic_config.LIST)
    return st.lists(one, min_size=1, max_size=3)


class Side:
    """One broker and what is changed there."""

    def __init__(self, client: RawClient, name: str) -> None:
        self.client = client
        self.name = name

    def alter(self, kind: int, name: str, wanted: list[Change], *, validate: bool) -> int:
        configs = [incremental_alter_configs.AlterableConfig(*change) for change in wanted]
        resource = incremental_alter_configs.AlterConfigsResource(kind, name, configs)
        request = incremental_alter_configs.IncrementalAlterConfigsRequest([resource], validate)
        (answer,) = self.client.ask(request, 1).responses
        return int(answer.error_code)

    def described(self, kind: int, name: str) -> Any:
        asked = describe_configs.DescribeConfigsResource(kind, name, None)
        (found,) = self.client.ask(describe_configs.DescribeConfigsRequest([asked], True), 4).results
        shown = {
            config.name: (config.value, config.config_source, [(s.name, s.value, s.source) for s in config.synonyms])
            for config in found.configs
        }
        return found.error_code, shown


@pytest.fixture(scope="module")
def sides() -> Iterator[list[Side]]:
    name = f"fuzz-{uuid.uuid4().hex[:12]}"
    with (
        ServiceThread(KafkaServer(KafkaSettings())) as ours,
        RawClient(ours.url) as first,
        RawClient(os.environ[REAL_KAFKA]) as second,
    ):
        made = [Side(client, name) for client in (first, second)]
        for side in made:
            topic = create_topics.CreatableTopic(name, 1, 1)
            answer = side.client.ask(create_topics.CreateTopicsRequest([topic], 10_000), 5)
            assert answer.topics[0].error_code == 0
            wait_for(lambda side=side: side.described(TOPIC, name)[0] == 0)
        yield made


EXAMPLES = settings(
    max_examples=int(os.environ.get("SMACK_FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def both_change(sides: list[Side], kind: int, name: str, wanted: list[Change]) -> None:
    """Change it on both, look at both, and take everything back."""
    codes = [side.alter(kind, name, wanted, validate=False) for side in sides]
    assert codes[0] == codes[1]
    try:
        if codes[0] == 0:
            last: list[Any] = []

            def equal() -> bool:
                last[:] = [side.described(kind, name) for side in sides]
                return bool(last[0] == last[1])

            try:
                wait_for(equal, 3.0)
            except AssertionError:
                ours, real = (shown for _, shown in last)
                differs = {key: (ours.get(key), real.get(key)) for key in ours.keys() | real.keys()}
                assert not {key: pair for key, pair in differs.items() if pair[0] != pair[1]}
                assert last[0] == last[1]
    finally:
        back = [Change(key, 1, None) for key in {change.name for change in wanted}]
        for side in sides:
            side.alter(kind, name, back, validate=False)


@EXAMPLES
@given(changes(TOPIC))
def test_topics(sides: list[Side], wanted: list[Change]) -> None:
    both_change(sides, TOPIC, sides[0].name, wanted)


@EXAMPLES
@given(changes(GROUP))
def test_groups(sides: list[Side], wanted: list[Change]) -> None:
    both_change(sides, GROUP, sides[0].name, wanted)


@EXAMPLES
@given(changes(CLIENT_METRICS))
def test_client_metrics(sides: list[Side], wanted: list[Change]) -> None:
    both_change(sides, CLIENT_METRICS, sides[0].name, wanted)


@EXAMPLES
@given(st.sampled_from(["", "1"]), changes(BROKER))
def test_brokers(sides: list[Side], name: str, wanted: list[Change]) -> None:
    codes = [side.alter(BROKER, name, wanted, validate=True) for side in sides]
    assert codes[0] == codes[1]
