"""franz-go, KafkaJS and Kafka's Java client run one scenario: topics, compressions, groups, transactions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.clients import builds

RECORDS = 300
ALL_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

pytestmark = [pytest.mark.polyglot, pytest.mark.timeout(1200)]


def digest(codecs: tuple[str, ...]) -> str:
    lines = sorted(f"{codec}-{i}=value {codec} {i};codec={codec}" for codec in codecs for i in range(RECORDS))
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def scenario(program: str, bootstrap: str, unique: Callable[[str], str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(builds.run(program, bootstrap, unique(program)))
    return found


def common(codecs: tuple[str, ...]) -> dict[str, Any]:
    """What every client finds. The records of both transactions and their two markers count in the end offset."""
    return {
        "created_again": True,
        "segment_bytes": "1048576",
        "read_committed": ["committed"],
        "end": RECORDS * len(codecs) + 4,
        "after_now": True,
    }


def test_franz_go(kafka_bootstrap: str, unique: Callable[[str], str]) -> None:
    assert scenario("kafka_go", kafka_bootstrap, unique) == {
        **common(ALL_CODECS),
        "consumed": RECORDS * 5,
        "digest": digest(ALL_CODECS),
        "committed": RECORDS * 5,
        "group_state": "Stable",
    }


def test_kafkajs(kafka_bootstrap: str, unique: Callable[[str], str]) -> None:
    codecs = ("none", "gzip")
    assert scenario("kafka_node", kafka_bootstrap, unique) == {
        **common(codecs),
        "consumed": RECORDS * 2,
        "digest": digest(codecs),
        "committed": RECORDS * 2,
        "group_state": "Empty",
    }


def test_the_java_client(kafka_bootstrap: str, unique: Callable[[str], str]) -> None:
    found = scenario("kafka_java", kafka_bootstrap, unique)
    expected = {**common(ALL_CODECS), "offset_in_transaction": 5}
    for protocol in ("classic", "consumer"):
        expected[f"consumed_{protocol}"] = expected[f"committed_{protocol}"] = RECORDS * 5
        expected[f"digest_{protocol}"] = digest(ALL_CODECS)
    expected |= {f"recompressed_{codec}": RECORDS for codec in ALL_CODECS if codec != "none"}
    assert found == expected
