"""ZooKeeper beside a cluster: as the place where nodes find each other, and as a lease.

    zk://host1:2181,host2:2181/lab
      /lab/seed_0000000004     ephemeral, sequential: the address of a node that is there; the lowest one is joined
      /lab/lease-NAME          ephemeral: the owner of a lease

The lowest node forms a cluster where nobody answers; before that it asks those that it knows to have been lowest, so
that a node whose session has expired is found all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from kazoo.client import KazooState
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError

from smackbox.akka.actor.path import Address
from smackbox.election.coordinator import SESSION_TIMEOUT_S, Coordinator
from smackbox.election.zookeeper_url import ZooKeeperUrl

SEED = "seed_"
KNOWN_LIMIT = 10
"""Former lowest nodes that are asked."""

log = logging.getLogger("smackbox.akka.cluster")


class ZooKeeperSeeds:
    """Of one node. `join` gets seed nodes whenever there is something new; it ignores them once it is a member.

    Raises `ValueError` for what is no `zk://` URL.
    """

    def __init__(
        self,
        url: str,
        own: Address,
        join: Callable[[Sequence[Address]], None],
        *,
        session_timeout_s: float = SESSION_TIMEOUT_S,
    ) -> None:
        self._own = own
        self._join = join
        self._known: list[Address] = []
        self._coordinator = Coordinator(ZooKeeperUrl.parse(url), session_timeout_s=session_timeout_s)

    async def start(self) -> None:
        """Raises `StartError` when ZooKeeper does not answer."""
        await self._coordinator.start()
        self._coordinator.contend(SEED, str(self._own).encode(), self._elected, lambda: None)
        self._coordinator.watch_leader(SEED, self._changed)

    async def stop(self) -> None:
        """End the session; the node is not found any more."""
        await self._coordinator.stop()

    def _elected(self) -> None:
        self._join([self._own, *self._known])

    def _changed(self, data: bytes | None) -> None:
        if data is None:
            return
        try:
            address = Address.parse(data.decode())
        except ValueError:
            log.warning("%r in ZooKeeper is no address of a node", data)
            return
        if address == self._own:
            return
        self._known = [address, *(known for known in self._known if known != address)][:KNOWN_LIMIT]
        self._join([address])


class ZooKeeperLease:
    """A lease by an ephemeral node. It is lost with the session.

    `owner` tells this node apart from others, such as its address. Raises `ValueError` for what is no `zk://` URL.
    """

    def __init__(self, url: str, name: str, owner: str, *, session_timeout_s: float = SESSION_TIMEOUT_S) -> None:
        parsed = ZooKeeperUrl.parse(url)
        self._path = f"{parsed.path}/lease-{name}"
        self._owner = owner.encode()
        self._coordinator = Coordinator(parsed, session_timeout_s=session_timeout_s)
        self._held = False

    async def start(self) -> None:
        """Raises `StartError` when ZooKeeper does not answer."""
        await self._coordinator.start()
        self._coordinator.client.add_listener(self._state_changed)

    async def stop(self) -> None:
        """The lease is free after this."""
        self._held = False
        await self._coordinator.stop()

    def is_held(self) -> bool:
        return self._held

    async def acquire(self) -> bool:
        self._held = await asyncio.to_thread(self._take)
        return self._held

    async def release(self) -> bool:
        self._held = False
        return await asyncio.to_thread(self._free)

    def _state_changed(self, state: str) -> None:
        if state != KazooState.CONNECTED:
            self._held = False

    def _take(self) -> bool:
        client = self._coordinator.client
        try:
            client.create(self._path, self._owner, ephemeral=True)
            return True
        except NodeExistsError:
            return self._is_ours()
        except KazooException as error:
            log.warning("the lease %s cannot be taken: %s", self._path, str(error) or type(error).__name__)
            return False

    def _is_ours(self) -> bool:
        client = self._coordinator.client
        try:
            data, stat = client.get(self._path)
        except NoNodeError:
            return False
        return bool(data == self._owner and stat.owner_session_id == client.client_id[0])

    def _free(self) -> bool:
        try:
            if self._is_ours():
                self._coordinator.client.delete(self._path)
        except NoNodeError:
            pass
        except KazooException as error:
            log.warning("the lease %s is not released: %s", self._path, str(error) or type(error).__name__)
            return False
        return True
