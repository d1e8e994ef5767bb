"""The scheduler driver on a master that only listens: subscribing, order, redirects, silence, and coming back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from smackbox.mesos_framework.driver import (
    BACK_OFF_FIRST_S,
    REDIRECTS_AT_ONCE,
    FixedMasters,
    SchedulerDriver,
    master_url,
)
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream
from smackbox.net.http_client import HttpClient
from smackbox.net.http_server import HttpServer
from smackbox.net.recordio import encode

Message = dict[str, Any]


class Master:
    """Accepts every subscription and keeps every call."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[tuple[str | None, Message]] = asyncio.Queue()
        self.streams: list[HttpStream] = []
        self.redirect: str | None = None
        self.redirected = 0
        self.heartbeat_s = 15.0

    def __call__(self, request: HttpRequest) -> HttpResponse | HttpStream:
        call = msgspec.json.decode(request.body)
        assert request.path == "/api/v1/scheduler"
        if self.redirect is not None:
            self.redirected += 1
            return HttpResponse(307, headers={"Location": self.redirect})
        self.calls.put_nowait((request.headers.get("mesos-stream-id"), call))
        if call["type"] != "SUBSCRIBE":
            return HttpResponse(202)
        stream = HttpStream(headers={"Mesos-Stream-Id": f"stream-{len(self.streams)}"})
        self.streams.append(stream)
        subscribed = {"framework_id": {"value": "f1"}, "heartbeat_interval_seconds": self.heartbeat_s}
        self.say(type="SUBSCRIBED", subscribed=subscribed)
        return stream

    def say(self, **event: Any) -> None:
        self.streams[-1].send(encode(msgspec.json.encode(event)))


class Heard:
    """A scheduler that keeps what it hears."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.info: Message = {"user": "", "name": "test"}

    def framework_info(self) -> Message:
        return self.info

    def event(self, event: Message) -> None:
        if event["type"] == "SUBSCRIBED":
            self.info = {**self.info, "id": event["subscribed"]["framework_id"]}
        self.events.put_nowait(event["type"])

    def disconnected(self) -> None:
        self.events.put_nowait("disconnected")


@contextlib.asynccontextmanager
async def driving(*masters: Master) -> AsyncIterator[tuple[SchedulerDriver, Heard, list[str]]]:
    async with contextlib.AsyncExitStack() as stack:
        servers = [HttpServer("master", master) for master in masters]
        for server in servers:
            await server.start()
            stack.push_async_callback(server.stop)
        client = HttpClient()
        stack.push_async_callback(client.close)
        heard = Heard()
        driver = SchedulerDriver(FixedMasters(servers[0].url), heard, client, {"Authorization": "Basic x"})
        running = asyncio.create_task(driver.run())
        try:
            yield driver, heard, [server.url for server in servers]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


def test_calls_go_in_their_order_with_the_streams_id() -> None:
    async def work() -> None:
        master = Master()
        async with driving(master) as (driver, heard, urls):
            driver.call("REVIVE")  # nobody to send it to yet
            assert await heard.events.get() == "SUBSCRIBED"
            assert driver.master == urls[0]
            stream_id, subscribe = await master.calls.get()
            assert (stream_id, subscribe["type"], "framework_id" in subscribe) == (None, "SUBSCRIBE", False)
            for number in range(20):
                driver.call("DECLINE", decline={"offer_ids": [{"value": str(number)}]})
            status = {"task_id": {"value": "t"}, "agent_id": {"value": "a"}, "state": "TASK_RUNNING"}
            driver.acknowledge(status)
            driver.acknowledge({**status, "uuid": "dQ=="})
            for number in range(20):
                stream_id, call = await master.calls.get()
                assert stream_id == "stream-0"
                assert call["framework_id"] == {"value": "f1"}
                assert call["decline"]["offer_ids"][0]["value"] == str(number)
            _, call = await master.calls.get()
            assert call["acknowledge"] == {"task_id": {"value": "t"}, "agent_id": {"value": "a"}, "uuid": "dQ=="}

    run(work)


def test_it_comes_back_with_its_id_when_the_stream_ends() -> None:
    async def work() -> None:
        master = Master()
        async with driving(master) as (driver, heard, _):
            assert await heard.events.get() == "SUBSCRIBED"
            master.say(type="HEARTBEAT")
            assert await heard.events.get() == "HEARTBEAT"
            master.streams[-1].close()
            assert [await heard.events.get(), await heard.events.get()] == ["disconnected", "SUBSCRIBED"]
            await master.calls.get()
            assert (await master.calls.get())[1]["framework_id"] == {"value": "f1"}
            assert driver.subscribed

    run(work)


def test_a_master_that_is_silent_for_five_of_its_heartbeats_is_left() -> None:
    async def work() -> None:
        master = Master()
        master.heartbeat_s = 0.02
        async with driving(master) as (_, heard, _):
            assert [await heard.events.get() for _ in range(3)] == ["SUBSCRIBED", "disconnected", "SUBSCRIBED"]

    run(work)


def test_a_stream_that_is_no_recordio_is_left() -> None:
    async def work() -> None:
        master = Master()
        async with driving(master) as (_, heard, _):
            assert await heard.events.get() == "SUBSCRIBED"
            master.streams[-1].send(b"no length\n")
            assert [await heard.events.get(), await heard.events.get()] == ["disconnected", "SUBSCRIBED"]

    run(work)


def test_it_goes_where_the_leader_is() -> None:
    async def work() -> None:
        follower, leader = Master(), Master()
        follower.redirect = "http://127.0.0.1:1"
        async with driving(follower, leader) as (driver, heard, urls):
            follower.redirect = urls[1].removeprefix("http:")
            assert await heard.events.get() == "SUBSCRIBED"
            assert driver.master == urls[1]

    run(work)


def test_masters_that_send_to_one_another_are_not_asked_without_end() -> None:
    async def work() -> None:
        one, other = Master(), Master()
        one.redirect = other.redirect = "http://127.0.0.1:1"
        async with driving(one, other) as (driver, heard, urls):
            one.redirect, other.redirect = urls[1].removeprefix("http:"), urls[0].removeprefix("http:")
            began = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() - began < BACK_OFF_FIRST_S:
                await asyncio.sleep(0.01)
            assert one.redirected + other.redirected <= 3 * (REDIRECTS_AT_ONCE + 1)
            other.redirect = None
            assert await heard.events.get() == "SUBSCRIBED"
            assert driver.master == urls[1]

    run(work)


def test_where_a_master_says_it_is() -> None:
    assert master_url(b'{"hostname":"h","port":5050,"address":{"ip":"10.0.0.1","port":5051}}') == "http://10.0.0.1:5051"
    assert master_url(b'{"hostname":"h","port":5050}', "https") == "https://h:5050"
    assert master_url(b"no json") is None
    assert master_url(b"{}") is None
