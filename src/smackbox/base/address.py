"""`host:port` as text: a name, an IPv4 address, or an IPv6 address in brackets."""

from __future__ import annotations

from smackbox.base.errors import SettingError


def host_port(text: str, default_port: int) -> tuple[str, int]:
    """The host, without brackets, and the port of `host` or `host:port`. Raises `SettingError`."""
    text = text.strip()
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default_port)
    if text.count(":") > 1 and not host.startswith("["):
        raise SettingError(f"{text!r} is not host:port; an IPv6 address needs brackets, as in [::1]:{default_port}")
    if not host.strip("[]") or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingError(f"{text!r} is not host:port, as in 127.0.0.1:{default_port}")
    return host.strip("[]"), int(port)


def host_ports(text: str, default_port: int) -> list[tuple[str, int]]:
    """A comma-separated list of addresses. Raises `SettingError`."""
    return [host_port(part, default_port) for part in text.split(",")]


def nodes_on_one_port(text: str, default_port: int) -> tuple[list[str], int]:
    """The hosts and the common port of several addresses, as the Cassandra driver takes one port for all. Raises
    `SettingError`.
    """
    nodes = host_ports(text, default_port)
    ports = {port for _, port in nodes}
    if len(ports) != 1:
        raise SettingError(f"all Cassandra nodes must have the same port: {text}")
    return [host for host, _ in nodes], ports.pop()
