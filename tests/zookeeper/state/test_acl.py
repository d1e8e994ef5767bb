"""Permissions (ZooKeeper Programmer's Guide, "ZooKeeper access control using ACLs")."""

from __future__ import annotations

import pytest

from smackbox.zookeeper.state import acl as module
from smackbox.zookeeper.state.acl import SUPER, Identity, allowed, check_allowed, digest, resolve
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.wire.codes import Code, Permission
from smackbox.zookeeper.wire.records import Acl

READ, WRITE = Permission.READ, Permission.WRITE
ANYONE = Acl(1, "world", "anyone")


def test_a_digest_is_that_of_the_documentation() -> None:
    """`super:admin`, as in the administrator's guide of `zookeeper.DigestAuthenticationProvider.superDigest`."""
    assert digest("super:admin") == "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="
    assert digest("a:b:c").startswith("a:"), "the user ends at the first colon"
    assert digest("alone").startswith("alone:")


@pytest.mark.parametrize(
    ("entry", "identity", "permitted"),
    [
        (ANYONE, None, True),
        (Acl(2, "world", "anyone"), None, False),
        (Acl(3, "world", "anyone"), None, True),
        (Acl(1, "world", "someone"), None, False),
        (Acl(1, "digest", "u:h"), ("digest", "u:h"), True),
        (Acl(1, "digest", "u:h"), ("digest", "v:h"), False),
        (Acl(1, "digest", "u:h"), ("sasl", "u:h"), False),
        (Acl(2, "digest", "u:h"), ("digest", "u:h"), False),
        (Acl(1, "sasl", "bob"), ("sasl", "bob"), True),
        (Acl(1, "x509", "CN=bob"), ("x509", "CN=bob"), True),
        (Acl(1, "ip", "10.0.0.1"), ("ip", "10.0.0.1"), True),
        (Acl(1, "ip", "10.0.0.1"), ("ip", "10.0.0.2"), False),
        (Acl(1, "ip", "10.1.2.3/8"), ("ip", "10.9.9.9"), True),
        (Acl(1, "ip", "10.1.2.3/8"), ("ip", "11.9.9.9"), False),
        (Acl(1, "ip", "10.0.0.0/8"), ("ip", "::1"), False),
        (Acl(1, "ip", "::1"), ("ip", "::1"), True),
        (Acl(1, "ip", "nonsense"), ("ip", "10.0.0.1"), False),
        (Acl(0, "world", "anyone"), SUPER, True),
    ],
)
def test_who_may_read(entry: Acl, identity: Identity | None, permitted: bool) -> None:
    identities = {identity} if identity is not None else set()
    assert bool(allowed((entry,), READ, identities)) is permitted
    if permitted:
        check_allowed((entry,), READ, identities, "/a")
    else:
        with pytest.raises(ZooKeeperError) as raised:
            check_allowed((entry,), READ, identities, "/a")
        assert (raised.value.code, raised.value.path) == (Code.NO_AUTH, "/a")


def test_one_entry_that_permits_is_enough() -> None:
    assert allowed((Acl(2, "world", "anyone"), Acl(1, "sasl", "bob")), READ, {("ip", "10.0.0.1"), ("sasl", "bob")})
    assert not allowed((), READ, {("sasl", "bob")})
    assert not allowed((ANYONE,), WRITE, {("sasl", "bob")})


@pytest.mark.parametrize(
    ("entry", "valid"),
    [
        (ANYONE, True),
        (Acl(1, "world", ""), False),
        (Acl(1, "digest", "u:h"), True),
        (Acl(1, "digest", "u"), False),
        (Acl(1, "digest", "u:h:x"), False),
        (Acl(1, "sasl", "bob"), True),
        (Acl(1, "sasl", ""), False),
        (Acl(1, "x509", "CN=bob"), True),
        (Acl(1, "x509", "bob"), False),
        (Acl(1, "ip", "10.0.0.0/8"), True),
        (Acl(1, "ip", "10.0.0.0/33"), False),
        (Acl(1, "super", ""), False),
        (Acl(1, "nonsense", "x"), False),
    ],
)
def test_entries_that_can_be_stored(entry: Acl, valid: bool) -> None:
    if valid:
        assert resolve((entry,), set(), "/a") == (entry,)
        return
    with pytest.raises(ZooKeeperError) as raised:
        resolve((ANYONE, entry), set(), "/a")
    assert (raised.value.code, raised.value.path) == (Code.INVALID_ACL, "/a")


def test_auth_is_whoever_the_caller_has_proved_to_be() -> None:
    mine = {("digest", "u:h"), ("sasl", "bob"), ("ip", "10.0.0.1")}
    assert resolve((Acl(7, "auth", "ignored"),), mine, "/a") == (Acl(7, "digest", "u:h"), Acl(7, "sasl", "bob"))
    with pytest.raises(ZooKeeperError) as raised:
        resolve((Acl(7, "auth", ""),), {("ip", "10.0.0.1")}, "/a")
    assert raised.value.code == Code.INVALID_ACL
    with pytest.raises(ZooKeeperError):
        resolve((ANYONE, Acl(7, "auth", "")), set(), "/a")


def test_entries_are_kept_once_and_none_are_refused() -> None:
    assert resolve((ANYONE, ANYONE), set(), "/a") == (ANYONE,)
    with pytest.raises(ZooKeeperError) as raised:
        resolve((), set(), "/a")
    assert raised.value.code == Code.INVALID_ACL
    assert sum(Permission) == module.ALL_PERMISSIONS
