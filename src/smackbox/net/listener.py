"""Binds a server's socket, with a clear error when the port is taken, and without exposing it to others by accident."""

from __future__ import annotations

import ipaddress
import random
import socket
from pathlib import Path

from smackbox.base.errors import StartError

BACKLOG = 1024
EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST_PORT, LAST_PORT = 10_000, 30_999  # Mesos agents offer 31000 to 32000
PORTS_TRIED = 100


def bind(
    host: str, port: int, *, name: str, insecure: bool, authenticated: bool = False, reuse_port: bool = False
) -> socket.socket:
    """A listening TCP socket on `host:port` (port 0 picks a free one).

    With `reuse_port`, processes of one user that all set it share the port, and the kernel spreads new connections
    over them.

    Raises `StartError` when the port is taken, the host is unknown, or the address is not loopback and there is neither
    authentication nor `--insecure`.
    """
    if not (insecure or authenticated or is_loopback(host)):
        raise StartError(
            f"{name} will not listen on {host} without authentication: configure it, or give --insecure to do so anyway"
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(f"{name} cannot listen on {host}: {error.strerror or error}") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = "; is another one running? --port 0 picks a free one" if port else ""
        raise StartError(f"{name} cannot listen on {host}:{port}: {error.strerror}{hint}") from error
    listener.setblocking(False)
    return listener


def free_port(host: str) -> int:
    """A currently free port of `host`, for a server that binds it later and keeps it across restarts.

    It is outside the kernel's ephemeral range, as such a port may be the local end of another connection by the time
    the server binds it. Only if none of a hundred candidates is free, the kernel chooses.
    """
    candidates = range(FIRST_PORT, min(LAST_PORT + 1, _first_ephemeral_port()))
    tried = random.sample(candidates, min(PORTS_TRIED, len(candidates)))
    return next((port for port in tried if _probed(host, port)), None) or _probed(host, 0)


def _first_ephemeral_port() -> int:
    try:
        return int(EPHEMERAL_PORTS.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0  # unknown: the kernel chooses


def _probed(host: str, port: int) -> int:
    """The port that was bound for a moment (the kernel's choice for 0); 0 if it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            if port == 0:
                raise
            return 0
        bound: int = probe.getsockname()[1]
    return bound


def is_loopback(host: str) -> bool:
    """Whether an address is reachable only from this machine; names other than `localhost` count as reachable from
    elsewhere.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
