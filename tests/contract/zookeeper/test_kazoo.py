"""What kazoo, unchanged, sees of a ZooKeeper."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.protocol.states import EventType, WatchedEvent
from kazoo.recipe.lock import Lock
from kazoo.recipe.queue import LockingQueue
from kazoo.security import ACL, make_acl, make_digest_acl

TIMEOUT_S = 10.0
Connect = Callable[..., KazooClient]


@pytest.fixture
def connect(zookeeper_address: str) -> Iterator[Connect]:
    clients: list[KazooClient] = []

    def connect(**options: Any) -> KazooClient:
        client = KazooClient(zookeeper_address, **{"timeout": 6.0, **options})
        clients.append(client)
        client.start(TIMEOUT_S)
        return client

    yield connect
    for client in clients:
        client.stop()
        client.close()


@pytest.fixture
def zk(connect: Connect) -> KazooClient:
    return connect()


@pytest.fixture
def root(zk: KazooClient, unique: Callable[[str], str]) -> str:
    path = f"/{unique('test')}"
    zk.create(path)
    return path


class Seen:
    """Collects events, and waits for them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    def __call__(self, event: WatchedEvent) -> None:
        if event.type == EventType.NONE:  # kazoo tells its own watchers that the connection was lost
            return
        with self._changed:
            self.events.append((event.type, event.path))
            self._changed.notify_all()

    def wait(self, count: int) -> list[tuple[str, str]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, TIMEOUT_S), self.events
            return list(self.events)


def test_a_node_lives(zk: KazooClient, root: str) -> None:
    path = f"{root}/node"
    assert zk.create(path, b"one") == path
    data, stat = zk.get(path)
    assert (data, stat.version, stat.dataLength, stat.numChildren, stat.ephemeralOwner) == (b"one", 0, 3, 0, 0)
    assert stat.czxid == stat.mzxid == stat.pzxid
    changed = zk.set(path, b"three", version=0)
    assert (changed.version, changed.dataLength, changed.mzxid > changed.czxid) == (1, 5, True)
    assert zk.exists(path).version == 1
    zk.delete(path, version=1)
    assert zk.exists(path) is None


def test_refusals(zk: KazooClient, root: str) -> None:
    with pytest.raises(NoNodeError):
        zk.get(f"{root}/none")
    with pytest.raises(NoNodeError):
        zk.create(f"{root}/none/child")
    zk.create(f"{root}/node")
    with pytest.raises(NodeExistsError):
        zk.create(f"{root}/node")
    with pytest.raises(BadVersionError):
        zk.set(f"{root}/node", b"", version=7)
    with pytest.raises(BadVersionError):
        zk.delete(f"{root}/node", version=7)
    with pytest.raises(NotEmptyError):
        zk.delete(root)
    zk.create(f"{root}/ephemeral", ephemeral=True)
    with pytest.raises(NoChildrenForEphemeralsError):
        zk.create(f"{root}/ephemeral/child")


def test_children_and_their_parents_stat(zk: KazooClient, root: str) -> None:
    for name in ("a", "b", "c"):
        zk.create(f"{root}/{name}")
    zk.delete(f"{root}/b")
    children, stat = zk.get_children(root, include_data=True)
    assert sorted(children) == ["a", "c"]
    assert (stat.cversion, stat.numChildren, stat.pzxid > stat.czxid) == (4, 2, True)


def test_sequential_names_count_creations(zk: KazooClient, root: str) -> None:
    assert zk.create(f"{root}/n-", sequence=True) == f"{root}/n-0000000000"
    zk.create(f"{root}/plain")
    zk.delete(f"{root}/plain")
    assert zk.create(f"{root}/n-", sequence=True) == f"{root}/n-0000000002"
    assert zk.create(f"{root}/", sequence=True) == f"{root}/0000000003"


def test_create2_gives_the_stat(zk: KazooClient, root: str) -> None:
    path, stat = zk.create(f"{root}/node", b"12", include_data=True)
    assert (path, stat.dataLength, stat.czxid) == (f"{root}/node", 2, zk.exists(path).czxid)


def test_ephemeral_nodes_go_with_their_session(connect: Connect, zk: KazooClient, root: str) -> None:
    other = connect()
    other.create(f"{root}/mine", ephemeral=True)
    assert zk.exists(f"{root}/mine").ephemeralOwner == other.client_id[0]
    seen = Seen()
    zk.exists(f"{root}/mine", watch=seen)
    other.stop()
    assert seen.wait(1) == [(EventType.DELETED, f"{root}/mine")]


def test_a_lost_connection_keeps_the_session_and_its_ephemerals(connect: Connect, zk: KazooClient, root: str) -> None:
    zk.create(f"{root}/mine", ephemeral=True)
    session = zk.client_id[0]
    lost_and_found = threading.Event()
    zk.add_listener(lambda state: lost_and_found.set() if state == "CONNECTED" else None)
    zk._connection._socket.shutdown(2)
    assert lost_and_found.wait(TIMEOUT_S)
    assert zk.client_id[0] == session
    other = connect()
    assert other.exists(f"{root}/mine").ephemeralOwner == session


def test_what_changed_while_away_is_told_on_return(connect: Connect, zk: KazooClient, root: str) -> None:
    for name in ("changed", "deleted", "parent"):
        zk.create(f"{root}/{name}")
    seen = Seen()
    zk.get(f"{root}/changed", watch=seen)
    zk.get(f"{root}/deleted", watch=seen)
    zk.get_children(f"{root}/parent", watch=seen)
    zk.exists(f"{root}/created", watch=seen)
    other = connect()
    zk.stop()  # kazoo forgets its watches then, so the request is made by hand on the other connection
    from kazoo.protocol.serialization import int_struct, long_struct, write_string

    since = other.exists(root).pzxid

    class SetWatches:
        type = 101

        @staticmethod
        def serialize() -> bytes:
            body = bytearray(long_struct.pack(since))
            for paths in (["changed", "deleted"], ["created"], ["parent"]):
                body += int_struct.pack(len(paths))
                for name in paths:
                    body += write_string(f"{root}/{name}")
            return bytes(body)

        @staticmethod
        def deserialize(_bytes: bytes, _offset: int) -> bool:
            return True

    other.set(f"{root}/changed", b"x")
    other.delete(f"{root}/deleted")
    other.create(f"{root}/created")
    other.create(f"{root}/parent/child")
    data, child = other._data_watchers, other._child_watchers
    for name in ("changed", "deleted", "created"):
        data[f"{root}/{name}"].add(seen)
    child[f"{root}/parent"].add(seen)
    result = other.handler.async_result()
    other._call(SetWatches, result)
    assert result.get(timeout=TIMEOUT_S)
    assert sorted(seen.wait(4)) == sorted(
        [
            (EventType.CHANGED, f"{root}/changed"),
            (EventType.DELETED, f"{root}/deleted"),
            (EventType.CREATED, f"{root}/created"),
            (EventType.CHILD, f"{root}/parent"),
        ]
    )


def test_watches_fire_once(zk: KazooClient, root: str) -> None:
    seen = Seen()
    zk.exists(f"{root}/node", watch=seen)
    zk.get_children(root, watch=seen)
    zk.create(f"{root}/node")
    assert sorted(seen.wait(2)) == sorted([(EventType.CREATED, f"{root}/node"), (EventType.CHILD, root)])
    zk.get(f"{root}/node", watch=seen)
    zk.set(f"{root}/node", b"1")
    zk.set(f"{root}/node", b"2")
    zk.get_children(f"{root}/node", watch=seen)
    zk.delete(f"{root}/node")
    assert seen.wait(4)[2:] == [(EventType.CHANGED, f"{root}/node"), (EventType.DELETED, f"{root}/node")]


def test_a_multi_is_all_or_nothing(zk: KazooClient, root: str) -> None:
    good = zk.transaction()
    good.create(f"{root}/a", b"1")
    good.create(f"{root}/a/n-", sequence=True, ephemeral=True)
    good.set_data(f"{root}/a", b"22")
    good.check(f"{root}/a", 1)
    good.delete(f"{root}/a/n-0000000000")
    results = good.commit()
    assert results[:2] == [f"{root}/a", f"{root}/a/n-0000000000"]
    assert (results[2].version, results[2].dataLength, results[3:]) == (1, 2, [True, True])
    bad = zk.transaction()
    bad.set_data(f"{root}/a", b"lost")
    bad.create(f"{root}/lost")
    bad.check(f"{root}/a", 9)
    bad.delete(f"{root}/a")
    assert list(map(type, bad.commit())) == [RolledBackError, RolledBackError, BadVersionError, RuntimeInconsistency]
    assert zk.get(f"{root}/a")[0] == b"22"
    assert zk.get_children(root) == ["a"]


def test_access_is_checked(connect: Connect, zk: KazooClient, root: str) -> None:
    owner = connect(auth_data=[("digest", "ann:secret")])
    private = f"{root}/private"
    owner.create(
        private, b"1", acl=[make_digest_acl("ann", "secret", all=True), make_acl("world", "anyone", read=True)]
    )
    assert zk.get(private)[0] == b"1"
    with pytest.raises(NoAuthError):
        zk.set(private, b"2")
    with pytest.raises(NoAuthError):
        zk.create(f"{private}/child")
    owner.set(private, b"2")
    shown, _ = zk.get_acls(private)
    assert [(one.perms, one.id.scheme, one.id.id) for one in shown] == [(31, "digest", "ann:x"), (1, "world", "anyone")]
    zk.add_auth("digest", "ann:secret")
    zk.set(private, b"3")
    stat = zk.set_acls(private, [make_acl("world", "anyone", all=True)])
    assert stat.aversion == 1
    with pytest.raises(InvalidACLError):
        zk.create(f"{root}/bad", acl=[ACL(31, make_acl("nobody", "x", all=True).id)])


def test_auth_stands_for_ones_own_identities(connect: Connect, root: str) -> None:
    owner = connect(auth_data=[("digest", "ann:secret")])
    owner.create(f"{root}/own", acl=[make_acl("auth", "", all=True)])
    acl, _ = owner.get_acls(f"{root}/own")
    assert acl == [make_digest_acl("ann", "secret", all=True)]


def test_addresses_can_be_let_in(zk: KazooClient, root: str) -> None:
    zk.create(f"{root}/local", b"1", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    zk.create(f"{root}/far", b"1", acl=[make_acl("ip", "10.0.0.1", all=True)])
    assert zk.get(f"{root}/local")[0] == b"1"
    with pytest.raises(NoAuthError):
        zk.get(f"{root}/far")


def test_recipes_work(connect: Connect, zk: KazooClient, root: str) -> None:
    other = connect()
    first, second = Lock(zk, f"{root}/lock", "first"), Lock(other, f"{root}/lock", "second")
    assert first.acquire(timeout=TIMEOUT_S)
    assert not second.acquire(blocking=False)
    first.release()
    assert second.acquire(timeout=TIMEOUT_S)
    second.release()
    queue = LockingQueue(zk, f"{root}/queue")
    queue.put_all([b"a", b"b"])
    assert (queue.get(TIMEOUT_S), queue.consume()) == (b"a", True)
    barrier = Seen()
    election = zk.Election(f"{root}/election", "me")
    election.run(lambda: barrier(WatchedEvent("led", "CONNECTED", root)))
    assert barrier.wait(1) == [("led", root)]


def test_four_letter_words(zk: KazooClient) -> None:
    assert "Mode: standalone" in zk.command(b"srvr")
    assert zk.command(b"ruok") == "imok"
    assert "zk_znode_count\t" in zk.command(b"mntr")


def test_empty_containers_are_swept(zk: KazooClient, root: str) -> None:
    """kazoo has no request for containers: this is CreateContainer by hand."""
    from kazoo.protocol.serialization import Create2
    from kazoo.security import OPEN_ACL_UNSAFE

    class CreateContainer(Create2):
        type = 19

    result = zk.handler.async_result()
    path = f"{root}/container"
    zk._call(CreateContainer(path, b"", OPEN_ACL_UNSAFE, 4), result)
    assert result.get(timeout=TIMEOUT_S)[0] == path
    assert zk.exists(path).ephemeralOwner == 0
    zk.create(f"{path}/child")
    seen = Seen()
    zk.exists(path, watch=seen)
    zk.delete(f"{path}/child")
    assert seen.wait(1) == [(EventType.DELETED, path)]
