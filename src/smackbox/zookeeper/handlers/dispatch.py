"""Which handler serves which request."""

from __future__ import annotations

from collections.abc import Callable

from smackbox.zookeeper.handlers import acl, children, create, data, delete, multi, watches
from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.wire.codes import Code, Op

Handler = Callable[[Call], bytes]

HANDLERS: dict[int, Handler] = {
    Op.CREATE: create.handle,
    Op.CREATE2: create.handle2,
    Op.CREATE_CONTAINER: create.handle2,
    Op.CREATE_TTL: create.handle_ttl,
    Op.DELETE: delete.handle,
    Op.EXISTS: data.exists,
    Op.GET_DATA: data.get_data,
    Op.SET_DATA: data.set_data,
    Op.SYNC: data.sync,
    Op.GET_CHILDREN: children.get_children,
    Op.GET_CHILDREN2: children.get_children2,
    Op.GET_EPHEMERALS: children.get_ephemerals,
    Op.GET_ALL_CHILDREN_NUMBER: children.get_all_children_number,
    Op.GET_ACL: acl.get_acl,
    Op.SET_ACL: acl.set_acl,
    Op.AUTH: acl.auth,
    Op.WHO_AM_I: acl.who_am_i,
    Op.MULTI: multi.handle,
    Op.MULTI_READ: multi.handle_read,
    Op.SET_WATCHES: watches.set_watches,
    Op.SET_WATCHES2: watches.set_watches2,
    Op.ADD_WATCH: watches.add_watch,
    Op.CHECK_WATCHES: watches.check_watches,
    Op.REMOVE_WATCHES: watches.remove_watches,
}
REFUSED: dict[int, Code] = {Op.RECONFIG: Code.RECONFIG_DISABLED, Op.SASL: Code.AUTH_FAILED}


def handle(kind: int, call: Call) -> tuple[Code, bytes]:
    """The code and the record of the answer. Raises `ProtocolError` when the request cannot be decoded."""
    handler = HANDLERS.get(kind)
    if handler is None:
        return REFUSED.get(kind, Code.UNIMPLEMENTED), b""
    try:
        return Code.OK, handler(call)
    except ZooKeeperError as error:
        return error.code, b""
