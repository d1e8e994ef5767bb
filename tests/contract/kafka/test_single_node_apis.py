"""APIs of features that one node does not have or has switched off: log directories, delegation tokens, quotas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.kafka.client import RawClient

from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages import (
    alter_replica_log_dirs,
    api_versions,
    create_delegation_token,
    describe_client_quotas,
    describe_delegation_token,
    describe_log_dirs,
    expire_delegation_token,
    renew_delegation_token,
)

pytestmark = pytest.mark.contract

NOT_ALLOWED = errors.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED


@pytest.fixture
def client(kafka_bootstrap: str) -> Iterator[RawClient]:
    with RawClient(kafka_bootstrap) as connected:
        yield connected


def move(client: RawClient, path: str, topic: str, *partitions: int, version: int = 2) -> dict[int, int]:
    moved = alter_replica_log_dirs.AlterReplicaLogDirTopic(topic, list(partitions))
    asked = alter_replica_log_dirs.AlterReplicaLogDirsRequest(
        [alter_replica_log_dirs.AlterReplicaLogDir(path, [moved])]
    )
    (answer,) = client.ask(asked, version).results
    assert answer.topic_name == topic
    return {partition.partition_index: partition.error_code for partition in answer.partitions}


@pytest.mark.parametrize("version", [1, 2])
def test_replicas_stay_in_the_one_directory(client: RawClient, make_topic: Callable[..., str], version: int) -> None:
    topic = make_topic(2)
    (directory,) = client.ask(describe_log_dirs.DescribeLogDirsRequest(None), 4).results
    path = directory.log_dir
    assert move(client, path, topic, 0, 1, version=version) == {0: 0, 1: 0}
    assert move(client, path, topic, 7, version=version) == {7: errors.UNKNOWN_TOPIC_OR_PARTITION}
    assert move(client, path, "not-there", 0, version=version) == {0: errors.UNKNOWN_TOPIC_OR_PARTITION}
    assert move(client, "/not-there", topic, 0, version=version) == {0: errors.LOG_DIR_NOT_FOUND}
    assert move(client, "/not-there", "not-there", 0, version=version) == {0: errors.LOG_DIR_NOT_FOUND}


@pytest.mark.parametrize(
    ("message", "versions"),
    [
        (create_delegation_token.CreateDelegationTokenRequest(None, None, [], 1000), (1, 2, 3)),
        (renew_delegation_token.RenewDelegationTokenRequest(b"x", 1000), (1, 2)),
        (expire_delegation_token.ExpireDelegationTokenRequest(b"x", 1000), (1, 2)),
        (describe_delegation_token.DescribeDelegationTokenRequest(None), (1, 2, 3)),
        (describe_delegation_token.DescribeDelegationTokenRequest([]), (1, 2, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_is_not_known_asks_for_no_tokens(client: RawClient, message: Any, versions: tuple[int, ...]) -> None:
    for version in versions:
        assert client.ask(message, version).error_code == NOT_ALLOWED


@pytest.mark.parametrize("version", [0, 1])
def test_no_quotas_are_set(client: RawClient, version: int) -> None:
    for components in ([], [describe_client_quotas.ComponentData("client-id", 0, "nobody")]):
        answer = client.ask(describe_client_quotas.DescribeClientQuotasRequest(components), version)
        assert (answer.error_code, answer.error_message, answer.entries) == (0, "", [])


def test_the_keys_by_which_tools_guess_the_version_are_advertised(client: RawClient) -> None:
    answer = client.ask(api_versions.ApiVersionsRequest("test", "1"), 3)
    found = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    assert [found.get(key) for key in (34, 38, 39, 40, 41, 48, 49)] == [
        (1, 2), (1, 3), (1, 2), (1, 2), (1, 3), (0, 1), (0, 1),
    ]  # fmt: skip
