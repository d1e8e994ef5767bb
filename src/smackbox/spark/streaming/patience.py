"""Work that is tried again while a server does not answer, with growing pauses, until the stream is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from smackbox.spark.streaming.errors import AwayError, StoppedError

RETRY_FIRST_S = 0.1
RETRY_LONGEST_S = 5.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Patience:
    """Of one stream; `stop` ends every wait. `metrics` counts attempts, once it is there."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.stop = threading.Event()
        self.metrics: Any = None

    def retry(self, work: Callable[[], T]) -> T:
        """`work` until it does not raise `AwayError`. Raises `StoppedError` when told to stop meanwhile."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                return work()
            except AwayError as error:
                log.warning("stream %s tries again in %.1f s: %s", self._stream, pause_s, error)
                if self.metrics is not None:
                    self.metrics.retries.inc()
                if self.stop.wait(pause_s):
                    raise StoppedError(str(error)) from error
                pause_s = min(RETRY_LONGEST_S, pause_s * 2)

    def raise_if_stopping(self) -> None:
        """Raises `StoppedError` when told to stop."""
        if self.stop.is_set():
            raise StoppedError("the batch is planned and comes first at the next start")
