"""Multi: several operations as one transaction; MultiRead: several reads.

    request and answer   (MultiHeader, record)* MultiHeader(type -1, done)
    MultiHeader          int type, boolean done, int err

When an operation of a multi fails, none takes effect. The answer then holds an ErrorResult for each: 0 for those before
it, its own code, and RUNTIME_INCONSISTENCY for those after it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from smackbox.base.errors import ProtocolError
from smackbox.zookeeper.handlers import children, create, data, delete
from smackbox.zookeeper.handlers.call import Call
from smackbox.zookeeper.state.database import Savepoint
from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.state.txn import CreateTxn, NodeTxn, SetDataTxn
from smackbox.zookeeper.wire.codes import Code, Op
from smackbox.zookeeper.wire.jute import Writer
from smackbox.zookeeper.wire.records import stat_bytes

OPERATIONS_LIMIT = 10_000
_PREPARE: dict[int, Callable[[Call], NodeTxn]] = {
    Op.CREATE: partial(create.prepare, with_ttl=False),
    Op.CREATE2: partial(create.prepare, with_ttl=False),
    Op.CREATE_CONTAINER: partial(create.prepare, with_ttl=False),
    Op.CREATE_TTL: partial(create.prepare, with_ttl=True),
    Op.DELETE: delete.prepare,
    Op.SET_DATA: data.prepare_set_data,
    Op.CHECK: data.prepare_check,
}
_READ: dict[int, Callable[[Call], bytes]] = {Op.GET_CHILDREN: children.get_children, Op.GET_DATA: data.get_data}


def handle(call: Call) -> bytes:
    """Multi: all operations, or none and the error code of the first that failed."""
    savepoint = Savepoint(call.database)
    results = Writer()
    refused: tuple[int, Code] | None = None
    count = 0
    try:
        while (kind := _next(call, count)) is not None:
            prepare = _PREPARE.get(kind)
            if prepare is None:
                raise ProtocolError(f"operation {kind} in a multi")
            try:
                txn = prepare(call)  # even after a failure: its record must be read, and the result is ignored
                if refused is None:
                    savepoint.apply(txn)
                    _result(call, kind, txn, results)
            except ZooKeeperError as error:
                refused = refused or (count, error.code)
            count += 1
    except ProtocolError:
        savepoint.undo()
        raise
    if refused is not None:
        savepoint.undo()
        return _refused(count, *refused)
    savepoint.commit()
    return _end(results)


def handle_read(call: Call) -> bytes:
    """MultiRead: each operation's own result."""
    writer = Writer()
    count = 0
    while (kind := _next(call, count)) is not None:
        count += 1
        read = _READ.get(kind)
        if read is None:
            raise ProtocolError(f"operation {kind} in a multi read")
        try:
            record = read(call)
            _header(writer, kind, Code.OK).raw(record)
        except ZooKeeperError as error:
            _header(writer, Op.ERROR, error.code).int32(error.code)
    return _end(writer)


def _next(call: Call, count: int) -> int | None:
    kind, done, _ = call.reader.int32(), call.reader.boolean(), call.reader.int32()
    if done:
        return None
    if count >= OPERATIONS_LIMIT:
        raise ProtocolError(f"more than {OPERATIONS_LIMIT} operations in a multi")
    return kind


def _result(call: Call, kind: int, txn: NodeTxn, writer: Writer) -> None:
    _header(writer, kind, Code.OK)
    if isinstance(txn, CreateTxn):
        writer.string(txn.path)
    if isinstance(txn, SetDataTxn) or (isinstance(txn, CreateTxn) and kind != Op.CREATE):
        writer.raw(stat_bytes(call.database.tree.get(txn.path).stat()))


def _refused(count: int, position: int, code: Code) -> bytes:
    """The results of a multi of `count` operations whose operation at `position` failed."""
    writer = Writer()
    for number in range(count):
        result = Code.OK if number < position else code if number == position else Code.RUNTIME_INCONSISTENCY
        _header(writer, Op.ERROR, result).int32(result)
    return _end(writer)


def _header(writer: Writer, kind: int, code: int) -> Writer:
    return writer.int32(kind).boolean(False).int32(code)


def _end(writer: Writer) -> bytes:
    return writer.int32(-1).boolean(True).int32(-1).done()
