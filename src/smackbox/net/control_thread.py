"""A control socket for a program without an event loop, served in its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from smackbox.base.errors import StartError
from smackbox.net.control import ControlSocket, Served

START_LIMIT_S = 10.0
STOP_LIMIT_S = 10.0
TURNS_TO_CLOSE = 3


class ControlThread:
    """Open from `open` to `close`; requests are served one after another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread, control: ControlSocket) -> None:
        self._loop = loop
        self._thread = thread
        self._control = control

    @classmethod
    def open(cls, directory: Path, name: str, requests: Any, serve: Callable[[Any], msgspec.Struct]) -> ControlThread:
        """Accept `requests` for the directory, which this process has locked; `serve` runs in the thread.

        `serve` may raise `SmackError` and `OSError`. Raises `StartError`.
        """

        async def answer(request: Any) -> msgspec.Struct:
            return serve(request)

        async def begin() -> ControlSocket:
            return await ControlSocket.open(directory, Served(name, str(directory), dict, requests, answer))

        loop = asyncio.new_event_loop()
        opened: Future[ControlSocket] = Future()

        def run() -> None:
            asyncio.set_event_loop(loop)
            try:
                opened.set_result(loop.run_until_complete(begin()))
            except BaseException as error:  # noqa: BLE001 - it is raised where the thread was started
                opened.set_exception(error)
                loop.close()
                return
            loop.run_forever()
            loop.run_until_complete(_finish())
            loop.close()

        thread = threading.Thread(target=run, name=f"control-{name}", daemon=True)
        thread.start()
        try:
            return cls(loop, thread, opened.result(START_LIMIT_S))
        except StartError:
            thread.join(STOP_LIMIT_S)
            raise

    def close(self) -> None:
        """Accept no more requests; one in progress is finished first."""
        asyncio.run_coroutine_threadsafe(self._control.close(), self._loop).result(STOP_LIMIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_LIMIT_S)


async def _finish() -> None:
    """Finish the request in progress, and close the connections."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=STOP_LIMIT_S)
    for _ in range(TURNS_TO_CLOSE):
        await asyncio.sleep(0)
