"""The tree of nodes: stats, sequences, ephemeral nodes, and transactions that are applied twice (`DataTree`)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.tree import OPEN_ACL, READ_ONLY_ACL, SYSTEM_PATHS, Tree, split
from smackbox.zookeeper.state.txn import CheckTxn, CreateTxn, DeleteTxn, NodeTxn, SetAclTxn, SetDataTxn
from smackbox.zookeeper.wire.codes import Code, EventType
from smackbox.zookeeper.wire.records import Acl

CREATED, DELETED = EventType.CREATED, EventType.DELETED
DATA, CHILDREN = EventType.DATA_CHANGED, EventType.CHILDREN_CHANGED


def create(
    path: str, data: bytes | None = b"", *, owner: int = 0, creations: int = 1, container: bool = False, ttl_ms: int = 0
) -> CreateTxn:
    return CreateTxn(path, data, OPEN_ACL, owner, container, ttl_ms, creations)


def contents(tree: Tree) -> object:
    nodes = {path: (node.data, node.acl, node.stat(), node.children) for path, node in tree.nodes.items()}
    return nodes, {session: paths for session, paths in tree.ephemerals.items() if paths}


def test_an_empty_tree_has_the_systems_nodes() -> None:
    tree = Tree()
    assert set(tree.nodes) == SYSTEM_PATHS
    assert tree.nodes["/"].children == {"zookeeper"}
    assert tree.nodes["/zookeeper"].children == {"config", "quota"}
    assert tree.nodes["/zookeeper/config"].acl == READ_ONLY_ACL
    assert tree.nodes["/zookeeper/quota"].acl == OPEN_ACL
    assert tree.get("/").stat() == (0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 0), "its one child was never created"
    assert tree.get("/zookeeper/quota").stat() == (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert not any(node.container or node.ttl_ms for node in tree.nodes.values())
    assert ((Acl(31, "world", "anyone"),), (Acl(1, "world", "anyone"),)) == (OPEN_ACL, READ_ONLY_ACL)
    with pytest.raises(ZooKeeperError) as raised:
        tree.get("/a")
    assert (raised.value.code, raised.value.path) == (Code.NO_NODE, "/a")


def test_the_stat_of_a_node_over_its_life() -> None:
    """ZooKeeper Programmer's Guide, "ZooKeeper Stat Structure"."""
    tree = Tree()
    assert tree.apply(create("/a", b"12"), 5, 500) == [(CREATED, "/a"), (CHILDREN, "/")]
    assert tree.get("/a").stat() == (5, 5, 500, 500, 0, 0, 0, 0, 2, 0, 5)
    assert tree.apply(SetDataTxn("/a", b"123", 1), 6, 600) == [(DATA, "/a")]
    assert tree.get("/a").stat() == (5, 6, 500, 600, 1, 0, 0, 0, 3, 0, 5)
    assert tree.apply(SetAclTxn("/a", READ_ONLY_ACL, 1), 7, 700) == []
    assert tree.get("/a").acl == READ_ONLY_ACL
    assert tree.get("/a").stat() == (5, 6, 500, 600, 1, 0, 1, 0, 3, 0, 5), "an ACL moves no time and no mzxid"
    tree.apply(create("/a/b", None, owner=77), 8, 800)
    assert tree.get("/a").stat() == (5, 6, 500, 600, 1, 1, 1, 0, 3, 1, 8)
    assert tree.get("/a/b").stat() == (8, 8, 800, 800, 0, 0, 0, 77, 0, 0, 8), "no data is a length of 0"
    assert tree.apply(DeleteTxn("/a/b"), 9, 900) == [(DELETED, "/a/b"), (CHILDREN, "/a")]
    assert tree.get("/a").stat() == (5, 6, 500, 600, 1, 2, 1, 0, 3, 0, 9), "a deletion counts in cversion, too"
    assert tree.apply(CheckTxn("/a"), 10, 1_000) == []
    assert tree.get("/a").stat()[-1] == 9


def test_kinds_of_nodes() -> None:
    tree = Tree()
    tree.apply(create("/c", container=True), 1, 1)
    tree.apply(create("/t", ttl_ms=50), 2, 1)
    assert (tree.get("/c").container, tree.get("/c").ttl_ms) == (True, 0)
    assert (tree.get("/t").container, tree.get("/t").ttl_ms) == (False, 50)


def test_ephemeral_nodes_by_session() -> None:
    tree = Tree()
    for path, owner in (("/a", 1), ("/b", 1), ("/c", 2), ("/d", 0)):
        tree.apply(create(path, owner=owner), 1, 1)
    assert tree.ephemerals == {1: {"/a", "/b"}, 2: {"/c"}}
    tree.apply(DeleteTxn("/a"), 2, 1)
    assert tree.ephemerals == {1: {"/b"}, 2: {"/c"}}
    assert tree.close_session(1, ("/b",), 3) == [(DELETED, "/b"), (CHILDREN, "/")]
    assert tree.ephemerals == {2: {"/c"}}
    assert tree.get("/").pzxid == 3
    assert tree.close_session(9, (), 4) == []


def test_what_is_below_a_path() -> None:
    tree = Tree()
    for path in ("/a", "/a/b", "/a/b/c", "/ab"):
        tree.apply(create(path), 1, 1)
    assert set(tree.under("/a")) == {"/a/b", "/a/b/c"}
    assert set(tree.under("/")) == set(tree.nodes) - {"/"}


@pytest.mark.parametrize(("path", "parts"), [("/a", ("/", "a")), ("/a/b", ("/a", "b")), ("/a/b/c", ("/a/b", "c"))])
def test_parent_and_name(path: str, parts: tuple[str, str]) -> None:
    assert split(path) == parts


def test_transactions_on_what_is_not_there_change_nothing() -> None:
    """Replayed over a snapshot that was taken later: the node, or its parent too, is gone already."""
    tree = Tree()
    before = contents(tree)
    for txn in (create("/a/b"), SetDataTxn("/a", b"", 1), SetAclTxn("/a", OPEN_ACL, 1), DeleteTxn("/a/b")):
        assert tree.apply(txn, 0, 1) == []
    assert contents(tree) == before
    assert tree.apply(DeleteTxn("/a"), 9, 1) == []
    assert tree.get("/").pzxid == 9


NAMES = st.sampled_from(["/a", "/b", "/a/x", "/a/y"])
TXNS = st.one_of(
    st.tuples(st.just("create"), NAMES, st.integers(0, 2)),
    st.tuples(st.just("delete"), NAMES, st.just(0)),
    st.tuples(st.just("set"), NAMES, st.just(0)),
)


@given(st.lists(TXNS, max_size=15), st.integers(0, 15))
def test_replaying_the_log_over_a_later_tree_gives_the_same_tree(steps: list[tuple[str, str, int]], since: int) -> None:
    """Why a snapshot may be written while the tree changes: what it has already is applied again."""
    tree, log = Tree(), []
    for zxid, (kind, path, owner) in enumerate(steps, 1):
        parent = tree.nodes.get(split(path)[0])
        node = tree.nodes.get(path)
        txn: NodeTxn
        if kind == "create" and node is None and parent is not None and not parent.owner:
            txn = create(path, b"%d" % zxid, owner=owner, creations=parent.creations + 1)
        elif kind == "delete" and node is not None and not node.children:
            txn = DeleteTxn(path)
        elif kind == "set" and node is not None:
            txn = SetDataTxn(path, b"%d" % zxid, node.version + 1)
        else:
            continue
        tree.apply(txn, zxid, zxid)
        log.append((txn, zxid))
    expected = contents(tree)
    for txn, zxid in log[since:]:
        tree.apply(txn, zxid, zxid)
    assert contents(tree) == expected
