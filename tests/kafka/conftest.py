"""A broker in this process for each test that needs one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smackbox.kafka.server import KafkaServer
from smackbox.kafka.settings import KafkaSettings
from smackbox.net.service import ServiceThread

StartKafka = Callable[..., ServiceThread]


@pytest.fixture
def start_kafka(tmp_path: Path) -> Iterator[StartKafka]:
    """`start_kafka(sync=True)` -> a running broker on the test's directory; several may follow each other."""
    with ExitStack() as stack:

        def start(fs: Any = None, **settings: Any) -> ServiceThread:
            server = KafkaServer(KafkaSettings(dir=tmp_path / "kafka", **settings), fs=fs)
            return stack.enter_context(StoppableOnce(server))

        yield start


class StoppableOnce(ServiceThread):
    """A service thread that a test may stop before its fixture does."""

    stopped = False

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            super().stop()
