"""GetACL, SetACL, Auth, WhoAmI."""

from __future__ import annotations

from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.handlers.delete import check_version
from smackbox.zookeeper.state.acl import allowed, check_allowed, digest, resolve
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.paths import check_path
from smackbox.zookeeper.state.txn import SetAclTxn
from smackbox.zookeeper.wire.codes import Code, Permission
from smackbox.zookeeper.wire.jute import Writer
from smackbox.zookeeper.wire.records import Acl, read_acl, stat_bytes, write_acl


def get_acl(call: Call) -> bytes:
    """Reading a node's ACL requires READ or ADMIN; the hashes in it require ADMIN."""
    path = call.reader.string()
    node = call.database.tree.get(check_path(path))
    check_allowed(node.acl, Permission.READ | Permission.ADMIN, call.caller.identities, path)
    acl = node.acl
    if not allowed(acl, Permission.ADMIN, call.caller.identities):
        acl = tuple(
            Acl(entry.permissions, entry.scheme, entry.id.partition(":")[0] + ":x")
            if entry.scheme == "digest"
            else entry
            for entry in acl
        )
    return write_acl(Writer(), acl).raw(stat_bytes(node.stat())).done()


def set_acl(call: Call) -> bytes:
    """SetACL. Raises BAD_ARGUMENTS, INVALID_ACL, NO_NODE, NO_AUTH or BAD_VERSION."""
    path, acl, version = call.reader.string(), read_acl(call.reader), call.reader.int32()
    resolved = resolve(acl, call.caller.identities, check_path(path))
    node = call.database.tree.get(path)
    check_allowed(node.acl, Permission.ADMIN, call.caller.identities, path)
    check_version(version, node.aversion, path)
    call.database.commit(SetAclTxn(path, resolved, node.aversion + 1))
    return stat_bytes(node.stat())


def auth(call: Call) -> bytes:
    """Add an identity to the connection. Raises AUTH_FAILED for a scheme that clients cannot authenticate with."""
    call.reader.int32()  # the type of authentication packet, always 0
    scheme, credentials = call.reader.string(), call.reader.buffer() or b""
    if scheme == "digest":
        try:
            call.caller.identities.add(("digest", digest(credentials.decode())))
        except UnicodeDecodeError as error:
            raise ZooKeeperError(Code.AUTH_FAILED) from error
    elif scheme != "ip":  # the address is already known
        raise ZooKeeperError(Code.AUTH_FAILED)
    return b""


def who_am_i(call: Call) -> bytes:
    """The connection's identities, without their secrets."""
    identities = sorted((scheme, id_.partition(":")[0] if scheme == "digest" else id_) for scheme, id_ in
                        call.caller.identities)  # fmt: skip
    writer = Writer().int32(len(identities))
    for scheme, id_ in identities:
        writer.string(scheme).string(id_)
    return writer.done()
