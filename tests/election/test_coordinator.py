"""One leads, and another one only after it; what a leader stores is refused once it was succeeded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import TransactionRequest
from kazoo.exceptions import ConnectionLoss, NoAuthError
from kazoo.handlers.threading import KazooTimeoutError

from smackbox.base.errors import StartError, StorageError
from smackbox.election.coordinator import Coordinator
from smackbox.election.serial_executor import SerialExecutor
from smackbox.election.state_file import FileStateStore
from smackbox.election.state_store import ChangeTooLarge, Fenced, MemoryStateStore, StateStore
from smackbox.election.state_zookeeper import ZooKeeperStateStore
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.net.service import ServiceThread
from smackbox.zookeeper.server import ZooKeeperServer
from smackbox.zookeeper.settings import ZooKeeperSettings

PREFIX = "json.info_"


@pytest.fixture
def zookeeper() -> Iterator[ServiceThread]:
    with ServiceThread(ZooKeeperServer(ZooKeeperSettings(min_session_timeout_ms=500))) as thread:
        yield thread


class Candidate:
    """A process that contends, and what it was told."""

    def __init__(self, url: str, name: bytes = b"", *, path: str = "/mesos") -> None:
        self.coordinator = Coordinator(ZooKeeperUrl.parse(f"zk://{url}{path}"), session_timeout_s=1.5)
        self.name = name
        self.leads = asyncio.Event()
        self.lost = asyncio.Event()
        self.leaders: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def __aenter__(self) -> Candidate:
        await self.coordinator.start()
        self.coordinator.watch_leader(PREFIX, self.leaders.put_nowait)
        if self.name:
            self.coordinator.contend(PREFIX, self.name, self.leads.set, self.lost.set)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.coordinator.stop()

    async def sees(self, leader: bytes | None) -> None:
        while await self.leaders.get() != leader:
            pass


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(bounded())


def test_the_first_leads_and_the_next_follows_it(zookeeper: ServiceThread) -> None:
    async def work() -> None:
        async with Candidate(zookeeper.url) as watcher:
            await watcher.sees(None)
            async with Candidate(zookeeper.url, b"one") as one:
                await one.leads.wait()
                await watcher.sees(b"one")
                async with Candidate(zookeeper.url, b"two") as two:
                    await two.sees(b"one")
                    await nodes(two, 2)
                    assert not two.leads.is_set()
                    await one.coordinator.stop()
                    await two.leads.wait()
                    await watcher.sees(b"two")

    run(work)


def test_a_leader_that_zookeeper_does_not_hear_stops_by_itself_and_leads_again(zookeeper: ServiceThread) -> None:
    async def work() -> None:
        async with relay(zookeeper.url) as (url, cut), Candidate(url, b"one") as one:
            await one.leads.wait()
            await one.sees(b"one")
            one.leads.clear()
            cut(True)
            await one.lost.wait()
            await one.sees(None)
            assert one.coordinator.leading_node is None
            cut(False)
            await one.leads.wait()
            await one.sees(b"one")

    run(work)


def test_who_resigns_stands_again_behind_the_others(zookeeper: ServiceThread) -> None:
    async def work() -> None:
        async with Candidate(zookeeper.url, b"one") as one:
            await one.leads.wait()
            async with Candidate(zookeeper.url, b"two") as two:
                await nodes(two, 2)
                one.leads.clear()
                one.coordinator.resign()
                assert one.lost.is_set() and one.coordinator.leading_node is None
                await two.leads.wait()
                await nodes(two, 2)
                await two.coordinator.stop()
                await one.leads.wait()

    run(work)


def test_a_node_that_an_answer_lost_on_its_way_has_made_is_stood_with(zookeeper: ServiceThread) -> None:
    """Another one would never go while the session lives, and nobody would lead by it."""

    async def work() -> None:
        async with Candidate(zookeeper.url) as one, Candidate(zookeeper.url, b"other") as other:
            await nodes(other, 1)
            await other.leads.wait()
            made = await asyncio.to_thread(
                one.coordinator.client.create, f"/mesos/{PREFIX}", b"one", ephemeral=True, sequence=True
            )
            one.coordinator.contend(PREFIX, b"one", one.leads.set, one.lost.set)
            await other.coordinator.stop()
            await one.leads.wait()
            assert one.coordinator.leading_node == made
            await nodes(one, 1)

    run(work)


def test_a_leader_that_zookeeper_hears_goes_on_leading(zookeeper: ServiceThread) -> None:
    """What it leads for is two thirds of a session from the last answer, and each answer counts."""

    async def work() -> None:
        async with Candidate(zookeeper.url, b"one") as one:
            await one.leads.wait()
            heard = one.coordinator._heard_at
            async with Candidate(zookeeper.url, b"two") as two:
                await two.sees(b"one")
                while one.coordinator._heard_at == heard:
                    await asyncio.sleep(0.01)
            assert one.coordinator._heard_at > heard and not one.lost.is_set()

    run(work)


async def nodes(candidate: Candidate, count: int) -> None:
    """Wait until so many stand."""
    while len(await asyncio.to_thread(candidate.coordinator.client.get_children, "/mesos")) != count:
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def relay(url: str) -> AsyncIterator[tuple[str, Callable[[bool], None]]]:
    """A way to `url` that can be cut and mended."""
    host, _, port = url.rpartition(":")
    writers: set[asyncio.StreamWriter] = set()
    is_cut = False

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_cut:
            writer.close()
            return
        back, forth = await asyncio.open_connection(host, int(port))
        writers.update((writer, forth))
        await asyncio.gather(pump(reader, forth), pump(back, writer))

    def cut(wanted: bool) -> None:
        nonlocal is_cut
        is_cut = wanted
        if wanted:
            for writer in writers:
                writer.close()
            writers.clear()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", cut
    finally:
        server.close()
        cut(True)


def test_credentials_close_the_folder_to_others(zookeeper: ServiceThread) -> None:
    async def work() -> None:
        async with Candidate(f"me:secret@{zookeeper.url}", b"one") as one:
            await one.leads.wait()
            async with Candidate(zookeeper.url) as other:
                await other.sees(b"one")
                node = one.coordinator.leading_node
                assert node is not None
                with pytest.raises(NoAuthError):
                    await asyncio.to_thread(other.coordinator.client.set, node, b"x")

    run(work)


def test_nobody_there_is_a_clear_error() -> None:
    async def work() -> None:
        coordinator = Coordinator(ZooKeeperUrl.parse("zk://127.0.0.1:1/x"))
        with pytest.raises(StartError, match="ZooKeeper at 127.0.0.1:1 does not answer"):
            await coordinator.start(timeout_s=0.2)

    run(work)


@pytest.mark.parametrize("kind", ["memory", "file", "zookeeper"])
def test_records_are_changed_all_or_none_and_are_there_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async def work() -> None:
        async with contextlib.AsyncExitStack() as stack:
            memory = MemoryStateStore()
            coordinator: Coordinator | None = None
            if kind == "zookeeper":
                candidate = Candidate(request.getfixturevalue("zookeeper").url, b"one")
                coordinator = (await stack.enter_async_context(candidate)).coordinator
                await candidate.leads.wait()

            def opened() -> StateStore:
                if kind == "memory":
                    return memory
                return ZooKeeperStateStore(coordinator, "state") if coordinator else FileStateStore(tmp_path)

            store = opened()
            assert await store.load() == {}
            await store.store({"app:/a/b": b"1", "app:/c": b"2"})
            await store.store({"app:/a/b": b"3", "app:/c": None, "never there": None})
            await store.close()
            again = opened()
            assert await again.load() == {"app:/a/b": b"3"}
            await again.close()

    run(work)


def test_a_leader_that_was_succeeded_stores_nothing(zookeeper: ServiceThread) -> None:
    async def work() -> None:
        async with contextlib.AsyncExitStack() as stack:
            one = await stack.enter_async_context(Candidate(zookeeper.url, b"one"))
            await one.leads.wait()
            two = await stack.enter_async_context(Candidate(zookeeper.url, b"two"))
            store = ZooKeeperStateStore(one.coordinator, "state")
            await store.load()
            with pytest.raises(Fenced):
                await ZooKeeperStateStore(two.coordinator, "state").store({"a": b"2"})
            node = one.coordinator.leading_node
            assert node is not None
            client, folder = two.coordinator.client, two.coordinator.url.path
            while len([name for name in await asyncio.to_thread(client.get_children, folder) if "_" in name]) < 2:
                await asyncio.sleep(0.01)  # the second has no node yet, and the first would lead again
            await asyncio.to_thread(client.delete, node)
            with pytest.raises(Fenced):
                await store.store({"a": b"1"})
            await two.leads.wait()
            assert await ZooKeeperStateStore(two.coordinator, "state").load() == {}

    run(work)


def test_a_change_whose_answer_was_lost_is_stored_by_trying_again(
    zookeeper: ServiceThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = TransactionRequest.commit

    def lost(transaction: TransactionRequest) -> Any:
        commit(transaction)
        raise ConnectionLoss

    async def work() -> None:
        async with Candidate(zookeeper.url, b"one") as one:
            await one.leads.wait()
            store = ZooKeeperStateStore(one.coordinator, "state")
            await store.load()
            await store.store({"old": b"1"})
            changes = {"new": b"1", "old": None}
            with monkeypatch.context() as patched:
                patched.setattr(TransactionRequest, "commit", lost)
                with pytest.raises(StorageError):
                    await store.store(changes)
            await store.store(changes)
            assert await store.load() == {"new": b"1"}

    run(work)


def test_a_zookeeper_that_is_late_with_a_record_is_a_storage_error(
    zookeeper: ServiceThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late:
        def get(self, timeout: float) -> Any:
            raise KazooTimeoutError(f"nothing within {timeout} s")

    async def work() -> None:
        async with Candidate(zookeeper.url, b"one") as one:
            await one.leads.wait()
            store = ZooKeeperStateStore(one.coordinator, "state")
            await store.load()
            await store.store({"a": b"1"})
            with monkeypatch.context() as patched:
                patched.setattr(one.coordinator.client, "get_async", lambda path: Late())
                with pytest.raises(StorageError):
                    await store.load()
            assert await store.load() == {"a": b"1"}

    run(work)


def test_what_was_cancelled_is_over_before_the_next_piece_begins() -> None:
    async def work() -> None:
        turns = SerialExecutor()
        began, may_end = threading.Event(), threading.Event()
        order: list[str] = []

        def slow() -> None:
            began.set()
            may_end.wait(10)
            order.append("slow")

        first = asyncio.create_task(turns.run(slow))
        await asyncio.to_thread(began.wait, 10)
        first.cancel()
        await asyncio.wait([first])
        second = asyncio.create_task(turns.run(lambda: order.append("next")))
        await asyncio.sleep(0)
        may_end.set()
        await second
        assert order == ["slow", "next"]

    run(work)


@pytest.mark.parametrize("steps", range(6))
def test_a_stop_that_comes_with_a_change_is_not_lost(zookeeper: ServiceThread, steps: int) -> None:
    async def work() -> None:
        async with Candidate(zookeeper.url) as one:
            await one.sees(None)
            await asyncio.sleep(0.05)  # the follower waits for a change again
            one.coordinator._changed.set()
            for _ in range(steps):
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await one.coordinator.stop()

    run(work)


def test_large_records_are_deflated_and_a_change_that_is_too_large_is_refused(zookeeper: ServiceThread) -> None:
    async def work() -> None:
        async with Candidate(zookeeper.url, b"one") as one:
            await one.leads.wait()
            store = ZooKeeperStateStore(one.coordinator, "state")
            await store.load()
            large = b"the same words again and again " * 100_000
            await store.store({"large": large, "small": b"1"})
            assert await ZooKeeperStateStore(one.coordinator, "state").load() == {"large": large, "small": b"1"}
            with pytest.raises(ChangeTooLarge, match="larger than ZooKeeper's limit"):
                await store.store({"random": os.urandom(1_100_000)})
            await store.store({"small": b"2"})
            assert (await store.load())["small"] == b"2"

    run(work)
