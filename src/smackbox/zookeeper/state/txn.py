"""Transactions: what a write has been resolved to. The log holds these, and applying them again gives the same tree.

A transaction carries everything that was decided when it was made (the sequential name, the time, the parent's number
of creations), so applying it needs no clock and no chance, and applying it twice changes nothing more.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from smackbox.zookeeper.wire.records import Acl


class CreateTxn(msgspec.Struct, frozen=True, tag="create"):
    """`owner` is the session of an ephemeral node, else 0; `ttl_ms` 0 is none; `creations` is the parent's after it."""

    path: str
    data: bytes | None
    acl: tuple[Acl, ...]
    owner: int
    container: bool
    ttl_ms: int
    creations: int


class DeleteTxn(msgspec.Struct, frozen=True, tag="delete"):
    """A node is removed."""

    path: str


class SetDataTxn(msgspec.Struct, frozen=True, tag="set_data"):
    """A node gets other bytes, and this version."""

    path: str
    data: bytes | None
    version: int


class SetAclTxn(msgspec.Struct, frozen=True, tag="set_acl"):
    """A node gets another ACL, and this ACL version."""

    path: str
    acl: tuple[Acl, ...]
    version: int


class CheckTxn(msgspec.Struct, frozen=True, tag="check"):
    """A version that held when the multi that it is part of was made; changes nothing."""

    path: str


class CreateSessionTxn(msgspec.Struct, frozen=True, tag="create_session"):
    """A session begins."""

    session_id: int
    timeout_ms: int
    password: bytes


class CloseSessionTxn(msgspec.Struct, frozen=True, tag="close_session"):
    """Ends a session; its ephemeral nodes, `paths`, go with it."""

    session_id: int
    paths: tuple[str, ...]


NodeTxn: TypeAlias = CreateTxn | DeleteTxn | SetDataTxn | SetAclTxn | CheckTxn


class MultiTxn(msgspec.Struct, frozen=True, tag="multi"):
    """All of them or none: one entry of the log."""

    parts: tuple[NodeTxn, ...]


Txn: TypeAlias = NodeTxn | MultiTxn | CreateSessionTxn | CloseSessionTxn


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of the log: a transaction with its number and its time."""

    zxid: int
    time_ms: int
    txn: Txn
