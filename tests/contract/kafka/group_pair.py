"""Ours and a real Kafka side by side for the fuzzes of groups: one topic, and group names that are ready on both."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.contract.conftest import REAL_KAFKA
from tests.contract.kafka.conftest import wait_for
from tests.kafka.client import RawClient

from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import create_topics, describe_configs, find_coordinator, incremental_alter_configs
from smackbox.net.service import ServiceThread

PARTITIONS = 4
GROUPS_AT_ONCE = 100
GROUP_CONFIG = 32
INTERVAL = "consumer.assignment.interval.ms"
TRANSIENT = {errors.COORDINATOR_NOT_AVAILABLE, errors.COORDINATOR_LOAD_IN_PROGRESS, errors.NOT_COORDINATOR}


class Pair:
    """Two brokers; a real one applies a group's configuration late, so that groups are made ready many at once."""

    def __init__(self, addresses: list[str], partitions: int = PARTITIONS) -> None:
        self.partitions = partitions
        self.addresses = addresses
        self.topic = f"fuzz-{uuid.uuid4().hex[:12]}"
        self._ready: list[str] = []
        for address in addresses:
            with RawClient(address) as client:
                topic = create_topics.CreatableTopic(self.topic, partitions, 1)
                created = client.ask(create_topics.CreateTopicsRequest([topic], 10_000), 5)
                assert created.topics[0].error_code == 0
                wait_for(partial(self._readable, client))

    def _readable(self, client: RawClient) -> bool:
        return all(client.fetch(self.topic, 0, partition)[0] == 0 for partition in range(self.partitions))

    def group(self) -> str:
        """A group that nobody has used; assignments under KIP-848 are made at once."""
        if not self._ready:
            names = [f"{self.topic}-{uuid.uuid4().hex[:12]}" for _ in range(GROUPS_AT_ONCE)]
            for address in self.addresses:
                with RawClient(address) as client:
                    _configure(client, names)
            self._ready = names
        return self._ready.pop()


@contextmanager
def pair(partitions: int = PARTITIONS) -> Iterator[Pair]:
    with ServiceThread(KafkaServer(KafkaSettings())) as ours:
        yield Pair([ours.url, os.environ[REAL_KAFKA]], partitions)


def _configure(client: RawClient, names: list[str]) -> None:
    configs = [incremental_alter_configs.AlterableConfig(INTERVAL, 0, "0")]
    resources = [incremental_alter_configs.AlterConfigsResource(GROUP_CONFIG, name, configs) for name in names]
    answer = client.ask(incremental_alter_configs.IncrementalAlterConfigsRequest(resources), 1)
    assert {response.error_code for response in answer.responses} == {0}
    asked = [describe_configs.DescribeConfigsResource(GROUP_CONFIG, name, [INTERVAL]) for name in names]

    def applied() -> bool:
        results = client.ask(describe_configs.DescribeConfigsRequest(asked), 4).results
        return all(result.configs[0].value == "0" for result in results)

    wait_for(applied)
    coordinators = find_coordinator.FindCoordinatorRequest(key_type=0, coordinator_keys=names)
    wait_for(lambda: {found.error_code for found in client.ask(coordinators, 4).coordinators} == {0})


def ask(client: RawClient, request: Any, version: int, code_of: Any) -> Any:
    """The answer, once the group's coordinator has loaded its part of the log."""
    answer = None

    def answered() -> bool:
        nonlocal answer
        answer = client.ask(request, version)
        return code_of(answer) not in TRANSIENT

    wait_for(answered)
    return answer
