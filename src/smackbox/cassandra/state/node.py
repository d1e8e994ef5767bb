"""What this server says of itself: the one node of its cluster."""

from __future__ import annotations

import hashlib
from uuid import UUID

from msgspec import Struct

RELEASE_VERSION = "5.0.6"
CQL_VERSION = "3.4.7"
PARTITIONER = "org.apache.cassandra.dht.Murmur3Partitioner"
TOKEN_COUNT = 16


class Node(Struct, frozen=True):
    """This node, as `system.local` shows it."""

    cluster_name: str
    data_center: str
    rack: str
    host_id: UUID
    started_at_s: int

    def tokens(self) -> list[str]:
        """Where its parts of the ring end; the same ones as long as the host id is the same."""
        tokens = set()
        for index in range(TOKEN_COUNT):
            digest = hashlib.md5(self.host_id.bytes + bytes([index]), usedforsecurity=False).digest()
            tokens.add(str(int.from_bytes(digest[:8], "big", signed=True)))
        return sorted(tokens)


class Endpoint(Struct, frozen=True):
    """The address at which a client reached this server."""

    address: str
    port: int
