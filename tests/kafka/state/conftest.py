"""A broker without sockets, whose clock moves only when told."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smackbox.base.clock import FakeClock
from smackbox.kafka.settings import KafkaSettings
from smackbox.kafka.state.broker import Broker
from smackbox.store.fs import Disk

MakeBroker = Callable[..., Broker]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_broker(tmp_path: Path, clock: FakeClock) -> MakeBroker:
    """`make_broker(message_max_bytes=1000)` -> an open broker on the test's directory."""

    def make(**settings: Any) -> Broker:
        settings = {
            "offsets_topic_num_partitions": 4,
            "transaction_state_log_num_partitions": 4,
        } | settings
        dice = random.Random(1)
        (tmp_path / "kafka").mkdir(exist_ok=True)
        broker = Broker(
            Disk(), tmp_path / "kafka", KafkaSettings(**settings), clock, lambda: uuid.UUID(int=dice.getrandbits(128))
        )
        broker.open()
        return broker

    return make


@pytest.fixture
def broker(make_broker: MakeBroker) -> Broker:
    return make_broker()


def advance(broker: Broker, clock: FakeClock, duration_ms: int) -> None:
    """Let time pass, every timer at its moment."""
    end = clock.monotonic_ms() + duration_ms
    while (deadline := broker.timers.next_deadline_ms()) is not None and deadline <= end:
        clock.advance_ms(max(deadline - clock.monotonic_ms(), 0))
        broker.tick()
    clock.advance_ms(end - clock.monotonic_ms())
    broker.tick()
