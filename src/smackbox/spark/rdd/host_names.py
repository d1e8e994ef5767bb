"""The names of a machine: who prefers it may say its name, another name, or an address."""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterable

RESOLVED_LIMIT = 4096


def host_names(hosts: Iterable[str]) -> frozenset[str]:
    """The hosts as they are written, and the addresses behind them."""
    return frozenset(name for host in hosts for name in (host, *_addresses(host)))


@functools.lru_cache(RESOLVED_LIMIT)
def _addresses(host: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
