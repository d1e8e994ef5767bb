"""`zk://[user:password@]host1:port1,host2:port2/path`: the address of an ensemble, and a folder in it."""

from __future__ import annotations

from dataclasses import dataclass

from smackbox.base.address import host_port
from smackbox.base.errors import SettingError

DEFAULT_PORT = 2181
_SCHEME = "zk://"


@dataclass(frozen=True, slots=True)
class ZooKeeperUrl:
    """`hosts` as a connect string, `path` with a leading slash, `credentials` as `user:password`."""

    hosts: str
    path: str
    credentials: str | None = None

    @classmethod
    def parse(cls, text: str) -> ZooKeeperUrl:
        """Parse a URL. Raises `SettingError`."""
        if not text.startswith(_SCHEME):
            raise SettingError(f"{text!r} is not a ZooKeeper URL: zk://host:port,host:port/path")
        address, slash, path = text.removeprefix(_SCHEME).partition("/")
        credentials, at, hosts = address.rpartition("@")
        path = "/" + path.strip("/")
        if not hosts or not slash or path == "/":
            raise SettingError(f"{text!r} needs hosts and a path, as in zk://127.0.0.1:2181/mesos")
        if at and ":" not in credentials:
            raise SettingError(f"{text!r} has no password: zk://user:password@host:port/path")
        return cls(",".join(_with_port(host) for host in hosts.split(",")), path, credentials if at else None)

    def __str__(self) -> str:
        """The URL without its credentials, for logs."""
        return f"{_SCHEME}{self.hosts}{self.path}"


def _with_port(text: str) -> str:
    host, port = host_port(text, DEFAULT_PORT)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
