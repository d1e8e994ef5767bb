"""Leader election in a folder of ZooKeeper, with Mesos' own layout: contending, and watching the leader.

A contender creates an ephemeral sequential node `PATH/PREFIX0000000012` with its data; the lowest one is the leader.
Anybody may watch the folder. Both work with smackbox's ZooKeeper and with a real ensemble.

A leader that is cut off from ZooKeeper must stop before another one can start. So the coordinator itself measures the
time since ZooKeeper's last answer, and reports the loss of leadership before the session can have expired, not when it
is notified. The leader's writes have a further guard, see `state_store`.

kazoo's threads do the communication; all callbacks run on the asyncio loop that called `start`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import ACL, make_acl, make_digest_acl

from smackbox.base.errors import StartError
from smackbox.election.zookeeper_url import ZooKeeperUrl

SESSION_TIMEOUT_S = 10.0
START_TIMEOUT_S = 30.0
LOOK_INTERVAL_S = 1.0
SEQUENCE_DIGITS = 10

OnChange = Callable[[bytes | None], None]

log = logging.getLogger(__name__)


class _Contention:
    def __init__(self, prefix: str, data: bytes, on_elected: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self.prefix = prefix
        self.data = data
        self.on_elected = on_elected
        self.on_lost = on_lost
        self.node: str | None = None
        self.leads = False


class _Watch:
    def __init__(self, prefix: str, on_change: OnChange) -> None:
        self.prefix = prefix
        self.on_change = on_change
        self.leader: str | None = None
        self.told = False


class Coordinator:
    """One session with an ensemble, for one folder."""

    def __init__(self, url: ZooKeeperUrl, *, session_timeout_s: float = SESSION_TIMEOUT_S) -> None:
        self.url = url
        self.session_timeout_s = session_timeout_s
        self._contentions: list[_Contention] = []
        self._watches: list[_Watch] = []
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._follower: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._heard_at = time.monotonic()
        acl: list[ACL] | None = None
        auth: list[tuple[str, str]] | None = None
        if url.credentials is not None:
            user, _, password = url.credentials.partition(":")
            acl = [make_digest_acl(user, password, all=True), make_acl("world", "anyone", read=True)]
            auth = [("digest", url.credentials)]
        self.client = KazooClient(
            hosts=url.hosts,
            timeout=session_timeout_s,
            auth_data=auth,
            default_acl=acl,
            connection_retry={"max_tries": -1, "max_delay": 2.0},
            logger=logging.getLogger("smackbox.election.kazoo"),
        )

    async def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Connect and create the folder. Raises `StartError` when there is no answer before the timeout."""
        self._loop = asyncio.get_running_loop()
        self.client.add_listener(self._state_changed)
        try:
            await asyncio.to_thread(self.client.start, timeout_s)
            await asyncio.to_thread(self.client.ensure_path, self.url.path)
        except (KazooTimeoutError, KazooException) as error:
            await asyncio.to_thread(self._close)
            raise StartError(f"ZooKeeper at {self.url.hosts} does not answer: {error}") from error
        self._heard_at = time.monotonic()
        self._follower = asyncio.create_task(self._follow(), name=f"follow {self.url}")

    async def stop(self) -> None:
        """End the session: contenders' nodes are removed at once, so that another can lead."""
        tasks = [task for task in (self._follower, self._looking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._close)

    def contend(self, prefix: str, data: bytes, on_elected: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Join the election. `on_lost` is called after `on_elected`; after that the coordinator contends again
        automatically.
        """
        self._contentions.append(_Contention(prefix, data, on_elected, on_lost))
        self._changed.set()

    def watch_leader(self, prefix: str, on_change: OnChange) -> None:
        """`on_change` gets the leader's data, at once and at each change; None when no leader is known."""
        self._watches.append(_Watch(prefix, on_change))
        self._changed.set()

    def resign(self) -> None:
        """Withdraw this process's nodes; it contends again, behind the current contenders."""
        for contention in self._contentions:
            node, contention.node = contention.node, None
            if contention.leads:
                self._lose(contention)
            if node is not None:
                self.client.delete_async(f"{self.url.path}/{node}").rawlink(self._folder_changed)

    @property
    def leading_node(self) -> str | None:
        """The path of this process's election node, if it leads."""
        return next(
            (f"{self.url.path}/{contention.node}" for contention in self._contentions if contention.leads), None
        )

    # --- kazoo's threads

    def _state_changed(self, state: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed before the session
            self._loop.call_soon_threadsafe(self._changed.set)

    def _folder_changed(self, _: Any) -> None:
        self._state_changed("")

    def _close(self) -> None:
        self.client.stop()
        self.client.close()

    # --- the loop

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                # not wait_for: Python 3.11's drops a cancellation that arrives together with the change
                async with asyncio.timeout(LOOK_INTERVAL_S):
                    await self._changed.wait()
            self._changed.clear()
            if self._looking is None and self.client.state == KazooState.CONNECTED:
                self._looking = asyncio.create_task(self._look())
            if self._looking is not None:
                await asyncio.wait((self._looking,), timeout=LOOK_INTERVAL_S)
                if self._looking.done():
                    self._looked(self._looking)
                    self._looking = None
            if time.monotonic() - self._heard_at > self.session_timeout_s * 2 / 3:
                self._lose_all()

    def _looked(self, look: asyncio.Task[None]) -> None:
        try:
            look.result()
            self._heard_at = time.monotonic()
        except (KazooException, KazooTimeoutError) as error:
            log.warning("ZooKeeper %s: %s", self.url.hosts, str(error) or type(error).__name__)
        except Exception:
            log.exception("%s: a leader change could not be delivered", self.url)

    async def _look(self) -> None:
        """Read the folder once: create missing nodes, find the lowest, call the callbacks."""
        children: list[str] = await asyncio.to_thread(self.client.get_children, self.url.path, self._folder_changed)
        for contention in self._contentions:
            if contention.node not in children:
                if contention.leads:
                    self._lose(contention)
                contention.node = await asyncio.to_thread(self._stand, contention, children)
                self._changed.set()
            elif _lowest(children, contention.prefix) == contention.node and not contention.leads:
                log.info("elected as %s/%s", self.url.path, contention.node)
                contention.leads = True
                contention.on_elected()
        for watch in self._watches:
            leader = _lowest(children, watch.prefix)
            if leader == watch.leader and watch.told:
                continue
            data: bytes | None = None
            if leader is not None:
                try:
                    data = (await asyncio.to_thread(self.client.get, f"{self.url.path}/{leader}"))[0]
                except NoNodeError:
                    self._changed.set()
                    continue
            watch.leader, watch.told = leader, True
            watch.on_change(data)

    def _stand(self, one: _Contention, children: list[str]) -> str:
        """The contender's node: one that was created although the answer was lost, or a new one."""
        session_id = self.client.client_id[0]
        for name in children:
            stat = self.client.exists(f"{self.url.path}/{name}") if name.startswith(one.prefix) else None
            if stat is not None and stat.owner_session_id == session_id:
                return name
        path: str = self.client.create(f"{self.url.path}/{one.prefix}", one.data, ephemeral=True, sequence=True)
        return path.rpartition("/")[2]

    def _lose_all(self) -> None:
        for contention in self._contentions:
            if contention.leads:
                self._lose(contention)
        for watch in self._watches:
            if watch.leader is not None:
                watch.leader = None
                watch.on_change(None)

    def _lose(self, one: _Contention) -> None:
        log.warning("no longer leading as %s/%s", self.url.path, one.node)
        one.leads = False
        one.on_lost()


def _lowest(children: list[str], prefix: str) -> str | None:
    numbered = [name for name in children if name.startswith(prefix) and name[len(prefix) :].isdigit()]
    return min(numbered, key=lambda name: int(name[len(prefix) :]), default=None)
