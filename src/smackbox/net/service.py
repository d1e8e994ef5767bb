"""The interface of every server: a `Service`, run in the foreground or in a thread.

A `Server` is a `Service` whose running state is a value: `open` gives a `Running`, all of whose fields are set.

`run` is the main loop of a server command: start, probe, print `ready NAME URL in N ms`, wait for SIGINT or SIGTERM,
stop. `ServiceThread` is the same for tests: a separate loop in a daemon thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

STOP_TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Service(Protocol):
    """A server of one protocol. `start` binds and loads; `probe` sends it a request over its own socket."""

    name: str

    @property
    def url(self) -> str:
        """Its address for clients, with the bound port."""
        ...

    async def start(self) -> object:
        """Open everything and accept requests. Raises `StartError`."""
        ...

    async def probe(self) -> None:
        """Send a request as a client would; raises if there is no answer."""
        ...

    async def stop(self) -> None:
        """Finish work in progress and close everything."""
        ...


class Running(Protocol):
    """A server between its start and its stop."""

    @property
    def url(self) -> str:
        """Its address for clients, with the bound port."""
        ...

    async def probe(self) -> None:
        """Send it a request over its own socket. Raises `StartError`."""
        ...

    async def stop(self) -> None:
        """Finish work in progress and close everything."""
        ...


R = TypeVar("R", bound=Running)


class Server(Generic[R]):
    """A `Service` built from settings: each `start` opens one `Running`."""

    name = "server"

    def __init__(self) -> None:
        self._running: R | None = None

    @abstractmethod
    async def open(self) -> R:
        """Bind, load, and return the running server. Raises `StartError` and leaves nothing open."""

    @property
    def running(self) -> R:
        """The running server from `start`. Raises `RuntimeError` before that and after `stop`."""
        if self._running is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._running

    @property
    def url(self) -> str:
        """The address of the running server."""
        return self.running.url

    async def start(self) -> R:
        """Open the server. Raises `StartError`."""
        self._running = await self.open()
        return self._running

    async def probe(self) -> None:
        """Send a request as a client would; raises if there is no answer."""
        await self.running.probe()

    async def stop(self) -> None:
        """Stop the running server; does nothing after a failed start, or the second time."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A uvloop loop if uvloop is installed, otherwise asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()  # type: ignore[no-any-return, unused-ignore]


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on uvloop, and close the loop afterwards."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def run(service: Service, *, started_ns: int | None = None, lifeline: str | None = None) -> None:
    """Run `service` until SIGINT or SIGTERM. `started_ns` (monotonic) is the start of the work in its process.

    With a `lifeline` it also stops when that FIFO's other end is closed: its owner is gone.
    Raises `StartError` when it cannot start.
    """
    run_loop(_run(service, time.monotonic_ns() if started_ns is None else started_ns, lifeline))


async def _run(service: Service, started_ns: int, lifeline: str | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    if lifeline is not None:
        at_end_of(lifeline, lambda: loop.call_soon_threadsafe(stop.set))
    try:
        await service.start()
        async with asyncio.timeout(START_TIMEOUT_S):
            await service.probe()
        say(f"ready {service.name} {service.url} in {(time.monotonic_ns() - started_ns) // 1_000_000} ms")
        await stop.wait()
    finally:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await service.stop()
        except TimeoutError:
            log.error("%s did not stop within %d s", service.name, STOP_TIMEOUT_S)


class ServiceThread:
    """A service in this process, on a loop in a daemon thread; a context manager that returns its `url`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"smackbox-{service.name}", daemon=True)

    @property
    def url(self) -> str:
        """Where the service listens."""
        return self.service.url

    def start(self) -> None:
        """Start the thread and the service in it. Raises the errors of the service's start."""
        self._thread.start()
        try:
            self.call(self._start())
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Stop the service and end the thread."""
        try:
            self.call(self.service.stop(), timeout_s=STOP_TIMEOUT_S)
        finally:
            self._end_loop()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float = START_TIMEOUT_S) -> T:
        """Run a coroutine on the service's loop and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    async def _start(self) -> None:
        await self.service.start()
        try:
            await self.service.probe()
        except BaseException:
            await self.service.stop()
            raise

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        self._loop.close()

    def __enter__(self) -> ServiceThread:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def at_end_of(lifeline: str, act: Callable[[], object]) -> None:
    """Call `act`, in a separate thread, when this FIFO has no writer any more: its holder is gone."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open(lifeline, os.O_RDONLY)
            while os.read(descriptor, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has already ended
            act()

    threading.Thread(target=wait, daemon=True).start()


def say(line: str) -> None:
    """Print one line at once, for a reader that waits at the other end of a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
