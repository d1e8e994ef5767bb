"""This server as the only node of its cluster."""

from __future__ import annotations

import hashlib
from uuid import UUID

from msgspec import Struct

RELEASE_VERSION = "5.0.6"
CQL_VERSION = "3.4.7"
PARTITIONER = "org.apache.cassandra.dht.Murmur3Partitioner"
TOKEN_COUNT = 16


class Node(Struct, frozen=True):
    """This node, as in `system.local`."""

    cluster_name: str
    data_center: str
    rack: str
    host_id: UUID
    started_at_s: int

    def tokens(self) -> list[str]:
        """The ends of its token ranges; they depend only on the host id."""
        tokens = set()
        for index in range(TOKEN_COUNT):
            digest = hashlib.md5(self.host_id.bytes + bytes([index]), usedforsecurity=False).digest()
            tokens.add(str(int.from_bytes(digest[:8], "big", signed=True)))
        return sorted(tokens)


class Endpoint(Struct, frozen=True):
    """The address at which a client connected to this server."""

    address: str
    port: int
