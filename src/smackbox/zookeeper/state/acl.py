"""Access control: the schemes world, auth, digest, sasl, x509 and ip."""

from __future__ import annotations

import base64
import hashlib
import ipaddress

from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.wire.codes import Code, Permission
from smackbox.zookeeper.wire.records import Acl

Identity = tuple[str, str]  # scheme, id
SUPER: Identity = ("super", "")
ALL_PERMISSIONS = 31
AUTHENTICATED = {"digest", "sasl", "x509"}


def digest(user_and_password: str) -> str:
    """`user:password` -> `user:base64(sha1(user:password))`, as in an ACL."""
    user = user_and_password.partition(":")[0]
    hashed = hashlib.sha1(user_and_password.encode(), usedforsecurity=False).digest()
    return f"{user}:{base64.b64encode(hashed).decode()}"


def allowed(acl: tuple[Acl, ...], wanted: Permission, identities: set[Identity]) -> bool:
    """Whether one of `identities` has one of the `wanted` permissions."""
    if SUPER in identities:
        return True
    return any(
        entry.permissions & wanted
        and (
            (entry.scheme == "world" and entry.id == "anyone")
            or any(_matches(entry, identity) for identity in identities)
        )
        for entry in acl
    )


def check_allowed(acl: tuple[Acl, ...], wanted: Permission, identities: set[Identity], path: str) -> None:
    """Require a permission. Raises NO_AUTH."""
    if not allowed(acl, wanted, identities):
        raise ZooKeeperError(Code.NO_AUTH, path)


def resolve(acl: tuple[Acl, ...], identities: set[Identity], path: str) -> tuple[Acl, ...]:
    """The ACL in stored form: `auth` is replaced by the caller's identities. Raises INVALID_ACL."""
    resolved: list[Acl] = []
    for entry in acl:
        if entry.scheme == "auth":
            own = [Acl(entry.permissions, scheme, id_) for scheme, id_ in sorted(identities) if scheme in AUTHENTICATED]
            if not own:
                raise ZooKeeperError(Code.INVALID_ACL, path)
            resolved += own
        elif _valid(entry):
            resolved.append(entry)
        else:
            raise ZooKeeperError(Code.INVALID_ACL, path)
    if not resolved:
        raise ZooKeeperError(Code.INVALID_ACL, path)
    return tuple(dict.fromkeys(resolved))


def _valid(entry: Acl) -> bool:
    if entry.scheme == "world":
        return entry.id == "anyone"
    if entry.scheme == "digest":
        return entry.id.count(":") == 1
    if entry.scheme == "sasl":
        return bool(entry.id)
    if entry.scheme == "x509":
        return "=" in entry.id
    if entry.scheme == "ip":
        return _network(entry.id) is not None
    return False


def _matches(entry: Acl, identity: Identity) -> bool:
    scheme, id_ = identity
    if scheme != entry.scheme:
        return False
    if scheme == "ip":
        network = _network(entry.id)
        return network is not None and ipaddress.ip_address(id_) in network
    return id_ == entry.id


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
