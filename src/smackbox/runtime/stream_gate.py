"""The gate between a stream and its replays: the stream's process stops while one is installed, then restarts.

An interrupted committed change is finished before the stream continues.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from smackbox.app.model import App, Stream
from smackbox.runtime.settings import BoxSettings, Urls
from smackbox.spark.replay.journal import GatedError, Journal, replays_dir

WATCH_S = 0.2

log = logging.getLogger(__name__)


class StreamGate:
    """The gate of `stream`; `stop` ends the stream, and every wait."""

    def __init__(self, app: App, stream: Stream, urls: Urls, settings: BoxSettings) -> None:
        self._app = app
        self._stream = stream
        self._urls = urls
        self._settings = settings
        self._stop = threading.Event()
        self._leave = threading.Event()
        self._journal = Journal(replays_dir(settings.dir, app.name, stream.name))

    def stop(self) -> None:
        """End it."""
        self._stop.set()
        self._leave.set()

    def wait(self, *, restart: bool = False) -> None:
        """Return when the stream may go on; with `restart`, or after a wait, as this program begun again."""
        waited = self._journal.wait_while_gated(self._stop)
        while not self._stop.is_set() and self._journal.unfinished() is not None:
            with suppress(GatedError):  # another instance of the stream does it
                self._finish()
            waited |= self._journal.wait_while_gated(self._stop)
        if (waited or restart) and not self._stop.is_set():
            log.info("stream %s begins again after a replay", self._stream.name)
            sys.stdout.flush()
            sys.stderr.flush()
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - this program itself

    @contextmanager
    def watched(self) -> Iterator[threading.Event]:
        """An event that is set when the stream must stop, or make room for a replay."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(WATCH_S):
                if self._journal.is_gated():
                    self._leave.set()
                    return

        thread = threading.Thread(target=watch, name=f"gate-{self._stream.name}", daemon=True)
        thread.start()
        try:
            yield self._leave
        finally:
            ended.set()
            thread.join()

    def _finish(self) -> None:
        from smackbox.runtime.replay import StreamReplay

        log.info("stream %s finishes a replay that was cut off", self._stream.name)
        StreamReplay(self._app, self._settings.dir, self._stream, self._urls, self._settings).finish()
