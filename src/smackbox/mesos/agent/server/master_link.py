"""The agent's link to the leading master: it subscribes, receives events, and posts calls in order.

When the stream ends, is silent for too long, or a call is refused, the agent looks for the leader and subscribes again.
Statuses in transit are retried by their streams; any other queued calls are dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from smackbox.base.errors import ProtocolError, SettingError, SmackError, StartError
from smackbox.election.zookeeper_url import ZooKeeperUrl
from smackbox.mesos.agent.handlers import master_events
from smackbox.mesos.agent.state.agent import Agent
from smackbox.mesos.wire import json_format
from smackbox.net.http import JSON
from smackbox.net.http_client import HttpAnswerStream, HttpClient, HttpClientError
from smackbox.net.recordio import RecordDecoder

if TYPE_CHECKING:
    from smackbox.election.coordinator import Coordinator
    from smackbox.mesos.wire.link_messages import LinkCall, LinkEvent, LinkUpdate

PATH = "/internal/v1/agent"
MASTER_PREFIX = "json.info_"
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 5.0
SUBSCRIBE_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 10.0
ZOOKEEPER_TIMEOUT_S = 5.0
UPDATES_IN_A_CALL = 500
CALLS_LIMIT = 100_000
REDIRECTS_LIMIT = 4

log = logging.getLogger(__name__)


class LinkError(SmackError):
    """The master does not know this stream, or is no longer the leader."""


class MasterLink:
    """`master` is `host:port`, a URL, `zk://…` or `file://…` for a file that contains one of these."""

    def __init__(self, agent: Agent, master: str, client: HttpClient, *, scheme: str = "http") -> None:
        self.leader: str | None = None
        self.subscribed = asyncio.Event()
        self._agent = agent
        self._client = client
        self._scheme = scheme
        self._master = read_master(master)
        self._coordinator: Coordinator | None = None
        self._leader_changed = asyncio.Event()
        self._calls: deque[LinkCall] = deque()
        self._has_calls = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stream_id = ""
        agent.to_master = self.call

    def start(self) -> None:
        """Start to look for a master and to subscribe."""
        if not self._master.startswith("zk://"):
            url = self._master if "://" in self._master else f"{self._scheme}://{self._master}"
            self._lead(url.rstrip("/"))
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mesos-agent-link")

    async def stop(self) -> None:
        """Disconnect from the master."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        coordinator, self._coordinator = self._coordinator, None
        if coordinator is not None:
            await coordinator.stop()

    def call(self, call: LinkCall) -> None:
        """Post a call after the previous ones."""
        if len(self._calls) >= CALLS_LIMIT:
            log.warning("%d calls wait for the master: those are dropped, and the agent subscribes again", CALLS_LIMIT)
            self._calls.clear()
            self._agent.disconnected()
            self._leader_changed.set()
            return
        self._calls.append(call)
        self._has_calls.set()

    async def flush(self, timeout_s: float) -> None:
        """Wait until the queued calls have been posted, or for the given time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._calls and self.subscribed.is_set():
                    await asyncio.sleep(0.01)

    # --- leader detection

    def _lead(self, url: str | None) -> None:
        if url != self.leader:
            if url is not None:
                log.info("the leading master is at %s", url)
            self.leader = url
            self._leader_changed.set()

    def _on_leader(self, data: bytes | None) -> None:
        self._lead(None if data is None else master_url(data, self._scheme))

    async def _watch_zookeeper(self) -> None:
        """ZooKeeper may start after the agent."""
        backoff_s = BACKOFF_MIN_S
        while self._coordinator is None:
            from smackbox.election.coordinator import Coordinator

            coordinator = Coordinator(ZooKeeperUrl.parse(self._master))
            try:
                await coordinator.start(ZOOKEEPER_TIMEOUT_S)
            except StartError as error:
                log.warning("%s", error)
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_MAX_S)
            else:
                coordinator.watch_leader(MASTER_PREFIX, self._on_leader)
                self._coordinator = coordinator

    # --- subscriptions

    async def _run(self) -> None:
        if self._master.startswith("zk://"):
            await self._watch_zookeeper()
        backoff_s = BACKOFF_MIN_S
        while True:
            while self.leader is None:
                self._leader_changed.clear()
                await self._leader_changed.wait()
            self._leader_changed.clear()
            url = self.leader
            try:
                await self._subscribe(url)
                log.info("the master at %s ended the stream", url)
            except (HttpClientError, ProtocolError, LinkError, msgspec.DecodeError) as error:
                log.info("master %s: %s", url, error)
            finally:
                was_subscribed = self.subscribed.is_set()
                self.subscribed.clear()
                self._agent.disconnected()
                self._calls.clear()
            backoff_s = BACKOFF_MIN_S if was_subscribed else min(backoff_s * 2, BACKOFF_MAX_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff_s):
                    await self._leader_changed.wait()

    async def _subscribe(self, url: str) -> None:
        body = json_format.encode(self._agent.subscribe_call())
        for _ in range(REDIRECTS_LIMIT):
            async with self._client.stream(
                "POST", url + PATH, body=body, headers={"Content-Type": JSON, "Accept": JSON},
                timeout_s=SUBSCRIBE_TIMEOUT_S,
            ) as answer:  # fmt: skip
                if answer.status == 307 and "location" in answer.headers:
                    url = redirected(url, answer.headers["location"])
                    continue
                if answer.status != 200:
                    text = (await answer.read()).decode(errors="replace").strip()
                    raise LinkError(f"refused the agent: {answer.status} {text}")
                self._stream_id = answer.headers.get("mesos-stream-id", "")
                events = asyncio.ensure_future(self._hear(answer))
                calls = asyncio.ensure_future(self._post_calls(url))
                moved = asyncio.ensure_future(self._leader_changed.wait())
                try:
                    done, _ = await asyncio.wait((events, calls, moved), return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                    return
                finally:
                    for task in (events, calls, moved):
                        task.cancel()
                    await asyncio.gather(events, calls, moved, return_exceptions=True)
        raise LinkError("is in a redirect loop")

    async def _hear(self, answer: HttpAnswerStream) -> None:
        decoder = RecordDecoder()
        async for chunk in answer.chunks(SUBSCRIBE_TIMEOUT_S):
            for record in decoder.feed(chunk):
                event: LinkEvent = msgspec.json.decode(record)
                if event.get("type") == "SUBSCRIBED":
                    details = event["subscribed"]
                    answer.idle_timeout_s = details.get("ping_interval_s", 15.0) * details.get("max_pings", 5)
                self._event(event)

    def _event(self, event: LinkEvent) -> None:
        try:
            master_events.handle(self._agent, event)
        except Exception:
            log.exception("the master's %s failed", event.get("type"))
        if event.get("type") == "SUBSCRIBED":
            self.subscribed.set()

    async def _post_calls(self, url: str) -> None:
        headers = {"Content-Type": JSON, "Mesos-Stream-Id": self._stream_id}
        while True:
            while not self._calls:
                self._has_calls.clear()
                await self._has_calls.wait()
            call, count = self._next_call()
            answer = await self._client.request(
                "POST", url + PATH, body=json_format.encode(call), headers=headers, timeout_s=CALL_TIMEOUT_S
            )
            if answer.status != 202:
                text = answer.body.decode(errors="replace").strip()
                raise LinkError(f"refused a call {call['type']}: {answer.status} {text}")
            for _ in range(count):
                self._calls.popleft()

    def _next_call(self) -> tuple[LinkCall, int]:
        """The next call, and the number of queued calls that it combines: consecutive updates are sent together."""
        first = self._calls[0]
        if first["type"] != "UPDATE":
            return first, 1
        updates: list[LinkUpdate] = []
        count = 0
        for call in self._calls:
            if call["type"] != "UPDATE" or len(updates) >= UPDATES_IN_A_CALL:
                break
            updates += call["updates"]
            count += 1
        return {"type": "UPDATE", "updates": updates}, count


def read_master(text: str) -> str:
    """The value of `--master`, or the content of the file that it names. Raises `SettingError`."""
    if text.startswith("file://"):
        path = Path(text.removeprefix("file://"))
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingError(f"cannot read the master's address from {path}: {error.strerror}") from error
    if text.startswith("zk://"):
        ZooKeeperUrl.parse(text)
    elif not text:
        raise SettingError("--master names no master: give host:port, a URL, or zk://host:port/path")
    return text


def master_url(data: bytes, scheme: str) -> str:
    """The URL of the master in a `MasterInfo`."""
    info = msgspec.json.decode(data)
    address = info.get("address", {})
    host = address.get("ip") or address.get("hostname") or info.get("hostname")
    return f"{scheme}://{host}:{address.get('port', info.get('port'))}"


def redirected(url: str, location: str) -> str:
    """The root URL of a redirect's target; `//host:port/path` keeps the scheme."""
    scheme = url.partition("://")[0]
    if location.startswith("//"):
        location = f"{scheme}:{location}"
    head, _, rest = location.partition("://")
    return f"{head}://{rest.partition('/')[0]}"
