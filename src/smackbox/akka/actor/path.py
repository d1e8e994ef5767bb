"""The path of an actor: `pekko://system@host:port/user/parent/child#uid`.

An address without a host is local to its actor system. The uid distinguishes actors that had the same path one after
the other; 0 means any of them, as in an actor selection.
Source: Pekko's `ActorPath` and `Address`.
"""

from __future__ import annotations

import re

from smackbox.akka.actor.record import record

PROTOCOL = "pekko"
NAME = re.compile(r"(?:[-\w:@&=+,.!~*'_;]|%[0-9a-fA-F]{2})(?:[-\w:@&=+,.!~*'$_;]|%[0-9a-fA-F]{2})*", re.ASCII)
_ADDRESS = re.compile(r"(?P<protocol>[\w.+-]+)://(?P<system>[\w-]+)(?:@(?P<host>\[[^\]]+\]|[^:/\[\]]+):(?P<port>\d+))?")


@record
class Address:
    """The address of an actor system. `host` and `port` are None for the local one."""

    protocol: str
    system: str
    host: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises `ValueError` for an invalid address."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no address such as {PROTOCOL}://system@host:port")
        host, port = match["host"], match["port"]
        return cls(match["protocol"], match["system"], host, int(port) if port is not None else None)

    @property
    def is_local(self) -> bool:
        return self.host is None

    def __str__(self) -> str:
        where = "" if self.host is None else f"@{self.host}:{self.port}"
        return f"{self.protocol}://{self.system}{where}"


@record
class ActorPath:
    """`elements` are the names from the guardian down: `("user", "parent", "child")`."""

    address: Address
    elements: tuple[str, ...]
    uid: int = 0

    @classmethod
    def parse(cls, text: str) -> ActorPath:
        """Raises `ValueError` for an invalid path."""
        match = _ADDRESS.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no path such as {PROTOCOL}://system@host:port/user/name")
        path, _, uid = text[match.end() :].partition("#")
        if path and not path.startswith("/"):
            raise ValueError(f"{text!r} is no path such as {PROTOCOL}://system@host:port/user/name")
        if uid and not re.fullmatch(r"-?\d+", uid):
            raise ValueError(f"{text!r}: {uid!r} is no uid")
        elements = tuple(element for element in path.split("/") if element)
        return cls(Address.parse(match[0]), elements, int(uid or 0))

    @property
    def name(self) -> str:
        return self.elements[-1] if self.elements else "/"

    @property
    def parent(self) -> ActorPath:
        return ActorPath(self.address, self.elements[:-1])

    def __truediv__(self, name: str) -> ActorPath:
        return ActorPath(self.address, (*self.elements, name))

    def at(self, address: Address) -> ActorPath:
        """The same path in another actor system."""
        return ActorPath(address, self.elements, self.uid)

    @property
    def without_uid(self) -> str:
        return f"{self.address}/{'/'.join(self.elements)}"

    def __str__(self) -> str:
        return self.without_uid if self.uid == 0 else f"{self.without_uid}#{self.uid}"


def check_name(name: str) -> None:
    """Raises `ValueError` for a name that an actor cannot have."""
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of an actor: use letters, digits and - _ . : @ & = + , ! ~ * ' ; with no $ first"
        )
