"""Relations of Spark Connect: walking them, and Arrow tables as local relations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa


def relations(message: Any) -> Iterator[Any]:
    """Every `Relation` in a message, a parent before its children. A relation may be changed when it is yielded."""
    name = message.DESCRIPTOR.full_name
    if name == "spark.connect.Relation":
        yield message
        if message.WhichOneof("rel_type") in {None, "local_relation"}:
            return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if not field.is_repeated:
            yield from relations(value)
        elif not field.message_type.GetOptions().map_entry:
            for item in value:
                yield from relations(item)


def children(relation: Any) -> list[Any]:
    """The relations right below `relation`, outside of expressions."""
    kind = relation.WhichOneof("rel_type")
    if kind is None:
        return []
    node = getattr(relation, kind)
    found: list[Any] = []
    for field, value in node.ListFields():
        if field.message_type is None or field.message_type.full_name != "spark.connect.Relation":
            continue
        found.extend(value if field.is_repeated else [value])
    return found


def to_bytes(table: pa.Table) -> bytes:
    """An Arrow stream. A table without rows has one empty batch, which readers want to see."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def fill_local(relation: Any, table: pa.Table) -> None:
    """Make `relation` the rows of `table`; its `common`, by which columns refer to it, stays."""
    relation.local_relation.Clear()
    relation.local_relation.data = to_bytes(table)


def put(relation: Any, other: Any) -> None:
    """Replace `relation` by a copy of `other`, keeping its `common`."""
    common = type(relation)()
    common.common.CopyFrom(relation.common)
    had = relation.HasField("common")
    relation.CopyFrom(other)
    if had:
        relation.common.CopyFrom(common.common)
