"""The arguments of a handler: the request's record, the caller, and the database."""

from __future__ import annotations

from dataclasses import dataclass, field

from smackbox.zookeeper.state.acl import Identity
from smackbox.zookeeper.state.database import Database
from smackbox.zookeeper.state.watches import Watcher
from smackbox.zookeeper.wire.jute import Reader


@dataclass(slots=True)
class Caller:
    """A connection with a session: its identities, and itself as a watcher."""

    session_id: int
    watcher: Watcher
    identities: set[Identity] = field(default_factory=set)


@dataclass(slots=True)
class Call:
    """One request."""

    reader: Reader
    caller: Caller
    database: Database
