"""A broker and a registry in this process, once for each file that needs them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import ServiceThread
from smackbox.registry.server.service import RegistryServer
from smackbox.registry.settings import RegistrySettings


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    with ServiceThread(KafkaServer(KafkaSettings())) as server:
        yield server.url


@pytest.fixture(scope="module")
def registry(kafka: str) -> Iterator[str]:
    with ServiceThread(RegistryServer(RegistrySettings(kafka=kafka))) as server:
        yield server.url
