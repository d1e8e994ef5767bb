"""Streams from and to Kafka that are killed, on our broker and on the real one: each record is there once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.spark.conftest import Topic
from tests.spark.structured.test_recovery import check

pytestmark = pytest.mark.contract


def test_copies_and_totals_are_exact_after_kills(kafka_bootstrap: str, tmp_path: Path) -> None:
    rounds = [("planned", 1), ("written", 1), ("committed", 1), ("written", 6)]
    check(kafka_bootstrap, lambda partitions: Topic(kafka_bootstrap, partitions), tmp_path, rounds, 60)
