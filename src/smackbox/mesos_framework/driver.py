"""The scheduler side of Mesos' v1 API: one subscription, kept open as long as the driver runs.

The driver finds the leading master (a URL, or a folder of ZooKeeper), subscribes, passes every event to its scheduler,
and sends calls in order. When the stream ends, is silent for five heartbeats, or another master leads, unsent calls are
dropped, the scheduler is notified, and the driver subscribes again. The scheduler must then reconcile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec

from smackbox.base.errors import ProtocolError
from smackbox.net.http import JSON
from smackbox.net.http_client import HttpAnswerStream, HttpClient, HttpClientError
from smackbox.net.recordio import RecordDecoder

if TYPE_CHECKING:
    from smackbox.election.coordinator import Coordinator

Message = dict[str, Any]

MASTER_PREFIX = "json.info_"
SCHEDULER_PATH = "/api/v1/scheduler"
BACK_OFF_FIRST_S = 0.1
BACK_OFF_LIMIT_S = 5.0
SILENT_HEARTBEATS = 5
DEFAULT_HEARTBEAT_S = 15.0
REDIRECTS_AT_ONCE = 3
"""Masters that redirect to one another are retried after a while."""

CALLS_LIMIT = 100_000
ANSWER_TIMEOUT_S = 15.0

log = logging.getLogger(__name__)


class Scheduler(Protocol):
    """A framework's event handlers. All are called on the loop, and must not block."""

    def framework_info(self) -> Message:
        """The FrameworkInfo to subscribe with, including its `id` once it is known."""
        ...

    def event(self, event: Message) -> None:
        """Any event of the scheduler API, SUBSCRIBED first."""
        ...

    def disconnected(self) -> None:
        """The subscription has ended; the last calls may not have arrived."""
        ...


class Masters(Protocol):
    """Finds the leading master."""

    async def leader(self) -> str:
        """Its base URL, as soon as it is known."""
        ...

    def changed(self) -> asyncio.Event:
        """Set when the leader has changed or is gone."""
        ...


class FixedMasters:
    """Masters named by URL: they are tried in turn, and a standby redirects to the leader."""

    def __init__(self, *urls: str) -> None:
        self._urls = deque(url.rstrip("/") if "://" in url else f"http://{url}" for url in urls)
        self._changed = asyncio.Event()

    async def leader(self) -> str:
        """The next URL of the list, cyclically."""
        self._urls.rotate(-1)
        return self._urls[-1]

    def changed(self) -> asyncio.Event:
        """An event that is never set: the list does not change."""
        return self._changed


class ElectedMasters:
    """The master whose `json.info_` node is the lowest in a coordinator's folder."""

    def __init__(self, coordinator: Coordinator, *, scheme: str = "http") -> None:
        self._scheme = scheme
        self._url: str | None = None
        self._known = asyncio.Event()
        self._changed = asyncio.Event()
        coordinator.watch_leader(MASTER_PREFIX, self._leader_is)

    async def leader(self) -> str:
        """The leader's URL, once one is known."""
        while (url := self._url) is None:
            await self._known.wait()
        self._changed.clear()
        return url

    def changed(self) -> asyncio.Event:
        """Set when the leader is no longer the one that `leader` returned."""
        return self._changed

    def _leader_is(self, data: bytes | None) -> None:
        self._url = None if data is None else master_url(data, self._scheme)
        if self._url is None:
            self._known.clear()
        else:
            self._known.set()
        self._changed.set()


def master_url(data: bytes, scheme: str = "http") -> str | None:
    """The base URL in a MasterInfo as masters write it to ZooKeeper; None if it has none."""
    try:
        info = msgspec.json.decode(data)
        address = info.get("address") or {}
        host = address.get("ip") or address.get("hostname") or info.get("hostname")
        port = address.get("port") or info["port"]
    except (msgspec.DecodeError, AttributeError, KeyError):
        log.warning("the leading master's node is not a MasterInfo: %r", data[:200])
        return None
    return f"{scheme}://[{host}]:{port}" if ":" in str(host) else f"{scheme}://{host}:{port}"


class SchedulerDriver:
    """The connection of one framework. `headers` are sent with every call (Authorization)."""

    def __init__(
        self, masters: Masters, scheduler: Scheduler, client: HttpClient, headers: Mapping[str, str] | None = None
    ) -> None:
        self.master: str | None = None
        self._masters = masters
        self._scheduler = scheduler
        self._client = client
        self._headers = {"Content-Type": JSON, "Accept": JSON, **(headers or {})}
        self._stream_id: str | None = None
        self._framework_id = ""
        self._calls: deque[bytes] = deque()
        self._called = asyncio.Event()

    @property
    def subscribed(self) -> bool:
        """Whether the event stream is open, so that calls can be sent."""
        return self._stream_id is not None

    def call(self, kind: str, **fields: Any) -> None:
        """Send `{"type": kind, "framework_id": …, **fields}` after the previous calls; dropped when not subscribed."""
        if self._stream_id is None:
            return
        if len(self._calls) >= CALLS_LIMIT:
            log.error("more than %d calls wait for the master: %s is dropped", CALLS_LIMIT, kind)
            return
        message = {"type": kind, "framework_id": {"value": self._framework_id}, **fields}
        self._calls.append(msgspec.json.encode(message))
        self._called.set()

    def acknowledge(self, status: Message) -> None:
        """Acknowledge that this status is stored; statuses without `uuid` need no acknowledgement."""
        if status.get("uuid"):
            acknowledge = {
                "agent_id": status["agent_id"],
                "task_id": status["task_id"],
                "uuid": status["uuid"],
            }
            self.call("ACKNOWLEDGE", acknowledge=acknowledge)

    async def run(self) -> None:
        """Stay subscribed until cancelled."""
        back_off_s = BACK_OFF_FIRST_S
        redirect: str | None = None
        redirects = 0
        while True:
            url = redirect or await self._masters.leader()
            redirect = None
            try:
                redirect, heard = await self._subscription(url)
                redirects = redirects + 1 if redirect is not None else 0
                if heard:
                    back_off_s = BACK_OFF_FIRST_S
            except (HttpClientError, ProtocolError) as error:
                log.info("no subscription at %s: %s", url, error)
            finally:
                self._end()
            if redirect is None or redirects > REDIRECTS_AT_ONCE:
                redirect, redirects = None, 0
                with contextlib.suppress(TimeoutError):
                    # not wait_for: Python 3.11's drops a cancellation that arrives together with the change
                    async with asyncio.timeout(back_off_s * random.uniform(0.5, 1.0)):
                        await self._masters.changed().wait()
                back_off_s = min(back_off_s * 2, BACK_OFF_LIMIT_S)

    async def _subscription(self, url: str) -> tuple[str | None, bool]:
        """Subscribe and read until the stream ends; returns where to go next, and whether there was a stream."""
        info = self._scheduler.framework_info()
        message: Message = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
        if "id" in info:
            message["framework_id"] = info["id"]
        async with self._client.stream(
            "POST", url + SCHEDULER_PATH, body=msgspec.json.encode(message), headers=self._headers,
            timeout_s=ANSWER_TIMEOUT_S,
        ) as answer:  # fmt: skip
            if answer.status == 307:
                location = answer.headers.get("location", "")
                split = urlsplit(location, scheme=urlsplit(url).scheme)
                return (f"{split.scheme}://{split.netloc}" if split.netloc else None), False
            if answer.status != 200:
                text = (await answer.read()).decode(errors="replace").strip()
                log.warning("%s rejects the subscription: %d %s", url, answer.status, text)
                return None, False
            sending = asyncio.create_task(self._send_calls(url, answer.headers.get("mesos-stream-id", "")))
            listening = asyncio.create_task(self._listen(url, answer.headers.get("mesos-stream-id", ""), answer))
            moved = asyncio.create_task(self._masters.changed().wait())
            tasks = (sending, listening, moved)
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if error := task.exception():
                        raise error
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return None, True

    async def _listen(self, url: str, stream_id: str, answer: HttpAnswerStream) -> None:
        decoder = RecordDecoder()
        async for chunk in answer.chunks(DEFAULT_HEARTBEAT_S * SILENT_HEARTBEATS):
            for record in decoder.feed(chunk):
                event = msgspec.json.decode(record)
                if event.get("type") == "SUBSCRIBED":
                    heartbeat_s = event["subscribed"].get("heartbeat_interval_seconds") or DEFAULT_HEARTBEAT_S
                    answer.idle_timeout_s = heartbeat_s * SILENT_HEARTBEATS
                    self.master = url
                    self._stream_id = stream_id
                    self._framework_id = event["subscribed"]["framework_id"]["value"]
                self._scheduler.event(event)

    async def _send_calls(self, url: str, stream_id: str) -> None:
        headers = {**self._headers, "Mesos-Stream-Id": stream_id}
        while True:
            await self._called.wait()
            while self._calls:
                call = self._calls.popleft()
                answer = await self._client.request("POST", url + SCHEDULER_PATH, body=call, headers=headers)
                if answer.status in {401, 403, 307, 503}:
                    raise HttpClientError(f"the master no longer knows this subscription: {answer.status}")
                if answer.status != 202:
                    log.error("the master rejects a call: %d %s: %s", answer.status, answer.body[:500], call[:2000])
            self._called.clear()

    def _end(self) -> None:
        self._calls.clear()
        self._called.clear()
        self.master = None
        if self._stream_id is not None:
            self._stream_id = None
            self._scheduler.disconnected()
