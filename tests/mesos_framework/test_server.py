"""A term of leadership holds what was loaded in it: leadership that was lost meanwhile begins again from the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from smackbox.chronos.server.service import ChronosServer
from smackbox.chronos.settings import ChronosSettings
from smackbox.election.state_store import Fenced, MemoryStateStore
from smackbox.mesos_framework.driver import FixedMasters


class GatedStore(MemoryStateStore):
    """Loads when it may; refuses to store when told so."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = asyncio.Semaphore(0)
        self.loading: asyncio.Queue[None] = asyncio.Queue()
        self.storing: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()

    async def load(self) -> dict[str, bytes]:
        self.loading.put_nowait(None)
        await self.loads.acquire()
        return dict(self.records)

    async def store(self, changes: dict[str, bytes | None]) -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.storing.put_nowait(answer)
        await answer
        await super().store(changes)


@asynccontextmanager
async def living(store: GatedStore) -> AsyncIterator[ChronosServer]:
    server = ChronosServer(ChronosSettings(master="127.0.0.1:1"))
    server.address = "http://127.0.0.1:2"
    server._store = store
    server._masters = FixedMasters("127.0.0.1:1")
    life = asyncio.create_task(server._live())
    try:
        yield server
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await server._end_term()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


def test_what_was_loaded_before_leadership_was_lost_is_not_led_with() -> None:
    async def work() -> None:
        store = GatedStore()
        async with living(store) as server:
            server._elected()
            await store.loading.get()
            server._lost()
            server._elected()
            store.loads.release()
            await store.loading.get()
            assert server.term is None
            store.loads.release()
            await server._led.wait()
            assert server.term is not None

    run(work)


def test_a_term_that_is_over_ends_no_other() -> None:
    async def work() -> None:
        store = GatedStore()
        async with living(store) as server:
            server._elected()
            store.loads.release()
            await server._led.wait()
            term = server.term
            assert term is not None
            server._lost()
            server._elected()
            term._fenced()  # as its committer does when the store refuses
            store.loads.release()
            while server.term in {None, term}:
                await asyncio.sleep(0)
            assert server._leading

    run(work)


def test_a_term_whose_store_refuses_ends() -> None:
    async def work() -> None:
        store = GatedStore()
        async with living(store) as server:
            server._elected()
            store.loads.release()
            await server._led.wait()
            assert server.term is not None
            server.term.machine.subscribed("f1")
            server.term.decided()
            (await store.storing.get()).set_exception(Fenced("another leads"))
            while server.term is not None:
                await asyncio.sleep(0)
            assert not server._leading

    run(work)
