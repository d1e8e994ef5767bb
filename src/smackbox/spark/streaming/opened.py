"""What runners share: open in a `with` block or a loop of steps, closed behind it, also where opening fails."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

from smackbox.spark.streaming.errors import StoppedError

log = logging.getLogger(__name__)


class Opened:
    """A subclass says how it is opened and closed, and what a step is."""

    name: str
    """Of what it runs, as logs show it: `stream totals`."""

    @abstractmethod
    def open(self) -> None:
        """Take what it needs."""

    @abstractmethod
    def close(self) -> None:
        """Release everything, also what a failed `open` has taken."""

    def stop_with(self, stop: threading.Event) -> None:
        """End waits when `stop` is set, as `run` does; for who calls `step` itself."""
        raise NotImplementedError

    def step(self) -> Any:
        """One batch."""
        raise NotImplementedError

    def run(self, stop: threading.Event, ready: Callable[[], None] | None = None) -> None:
        """Open, call `ready`, and take steps until `stop` is set; the one under way is finished first.

        Raises what `open` and `step` raise.
        """
        self.stop_with(stop)
        try:
            self.open()
            if ready is not None:
                ready()
            while not stop.is_set():
                self.step()
        except StoppedError:
            log.info("%s stopped while it waited for a server", self.name)
        finally:
            self.close()

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
