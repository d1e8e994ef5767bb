"""Binding a server's socket: one clear error when the port is taken, and no open door by accident."""

from __future__ import annotations

import ipaddress
import socket

from smackbox.base.errors import StartError

BACKLOG = 1024


def bind(
    host: str, port: int, *, name: str, insecure: bool, authenticated: bool = False, reuse_port: bool = False
) -> socket.socket:
    """A listening TCP socket on `host:port` (port 0 picks a free one).

    With `reuse_port`, processes of one user that all ask for it share the port, and the kernel spreads new connections
    over them.

    Raises `StartError` when the port is taken, the host is unknown, or when an address other than loopback is asked
    for without authentication and without `--insecure`.
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
    """A port of `host` that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name other than `localhost` counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
