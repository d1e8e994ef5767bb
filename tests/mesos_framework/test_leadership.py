"""A term of leadership holds what was loaded in it: leadership that was lost meanwhile begins again from the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from smackbox.base.clock import SystemClock
from smackbox.chronos.server.service import ChronosFramework
from smackbox.chronos.settings import ChronosSettings
from smackbox.chronos.state.chronos import Chronos
from smackbox.election.state_store import Fenced, MemoryStateStore
from smackbox.mesos_framework.driver import FixedMasters
from smackbox.mesos_framework.leadership import Leadership


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
async def living(store: GatedStore) -> AsyncIterator[Leadership[Chronos]]:
    framework = ChronosFramework(ChronosSettings(), SystemClock())
    info = {"webui_url": "http://127.0.0.1:2"}
    masters = FixedMasters("127.0.0.1:1")
    leadership = Leadership(store, masters, framework.new_machine, framework.begin_term, info)
    try:
        yield leadership
    finally:
        await leadership.stop()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


def test_what_was_loaded_before_leadership_was_lost_is_not_led_with() -> None:
    async def work() -> None:
        store = GatedStore()
        async with living(store) as leadership:
            leadership.elected()
            await store.loading.get()
            leadership.lost()
            leadership.elected()
            store.loads.release()
            await store.loading.get()
            assert leadership.term is None
            store.loads.release()
            await leadership.led.wait()
            assert leadership.term is not None

    run(work)


def test_a_term_that_is_over_ends_no_other() -> None:
    async def work() -> None:
        store = GatedStore()
        async with living(store) as leadership:
            leadership.elected()
            store.loads.release()
            await leadership.led.wait()
            term = leadership.term
            assert term is not None
            leadership.lost()
            leadership.elected()
            term.fenced()  # as its committer does when the store refuses
            store.loads.release()
            while leadership.term in {None, term}:
                await asyncio.sleep(0)
            assert leadership.leads

    run(work)


def test_a_term_whose_store_refuses_ends() -> None:
    async def work() -> None:
        store = GatedStore()
        async with living(store) as leadership:
            leadership.elected()
            store.loads.release()
            await leadership.led.wait()
            assert leadership.term is not None
            leadership.term.machine.subscribed("f1")
            leadership.term.decided()
            (await store.storing.get()).set_exception(Fenced("another leads"))
            while leadership.term is not None:
                await asyncio.sleep(0)
            assert not leadership.leads

    run(work)
