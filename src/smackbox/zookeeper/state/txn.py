"""Transactions: the resolved form of writes. The log consists of them, and replaying them gives the same tree.

A transaction carries everything that was decided when it was made (the sequential name, the time, the parent's number
of creations), so applying it needs neither clock nor randomness, and is idempotent.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from smackbox.zookeeper.wire.records import Acl


class CreateTxn(msgspec.Struct, frozen=True, tag="create"):
    """`owner` is the session of an ephemeral node, else 0; `ttl_ms` 0 means none; `creations` is the parent's count
    after it.
    """

    path: str
    data: bytes | None
    acl: tuple[Acl, ...]
    owner: int
    container: bool
    ttl_ms: int
    creations: int


class DeleteTxn(msgspec.Struct, frozen=True, tag="delete"):
    """Delete a node."""

    path: str


class SetDataTxn(msgspec.Struct, frozen=True, tag="set_data"):
    """Set a node's data and version."""

    path: str
    data: bytes | None
    version: int


class SetAclTxn(msgspec.Struct, frozen=True, tag="set_acl"):
    """Set a node's ACL and ACL version."""

    path: str
    acl: tuple[Acl, ...]
    version: int


class CheckTxn(msgspec.Struct, frozen=True, tag="check"):
    """A version check that succeeded when its multi was made; changes nothing."""

    path: str


class CreateSessionTxn(msgspec.Struct, frozen=True, tag="create_session"):
    """Open a session."""

    session_id: int
    timeout_ms: int
    password: bytes


class CloseSessionTxn(msgspec.Struct, frozen=True, tag="close_session"):
    """Close a session and delete its ephemeral nodes, `paths`."""

    session_id: int
    paths: tuple[str, ...]


NodeTxn: TypeAlias = CreateTxn | DeleteTxn | SetDataTxn | SetAclTxn | CheckTxn


class MultiTxn(msgspec.Struct, frozen=True, tag="multi"):
    """All or nothing: one entry of the log."""

    parts: tuple[NodeTxn, ...]


Txn: TypeAlias = NodeTxn | MultiTxn | CreateSessionTxn | CloseSessionTxn


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log: a transaction with its number and its time."""

    zxid: int
    time_ms: int
    txn: Txn
