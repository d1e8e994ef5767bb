"""What a consistency level allows: one node answers every level, but some are refused for what they are asked of."""

from __future__ import annotations

from smackbox.cassandra.handlers.context import Context
from smackbox.cassandra.state.schema import Table
from smackbox.cassandra.wire.errors import Invalid

ANY = 0x00
EACH_QUORUM = 0x07
SERIAL = 0x08
LOCAL_SERIAL = 0x09
# those for which the fast paths need not ask
_NAMES = {SERIAL: "SERIAL", LOCAL_SERIAL: "LOCAL_SERIAL"}
PLAIN = frozenset(range(12)) - {ANY, SERIAL, LOCAL_SERIAL}


def check_read(context: Context) -> None:
    """Raises `Invalid`."""
    if context.consistency == ANY:
        raise Invalid("ANY ConsistencyLevel is only supported for writes")


def check_write(context: Context, table: Table) -> None:
    """Of a statement without IF. Raises `Invalid`."""
    level = context.consistency
    if table.is_counter:
        if level == ANY:
            raise Invalid(f"Consistency level ANY is not yet supported for counter table {table.name}")
        if level in _NAMES:
            raise Invalid("Counter operations are inherently non-serializable")
    elif level in _NAMES:
        raise Invalid("You must use conditional updates for serializable writes")


def check_conditional(context: Context, table: Table) -> None:
    """Of a statement with IF, whose level is that of the commit. Raises `Invalid`."""
    level = context.consistency
    if level in _NAMES:
        raise Invalid(
            f"{_NAMES[level]} is not supported as conditional update commit consistency. Use ANY if you mean "
            '"make sure it is accepted but I don\'t care how many replicas commit it for non-SERIAL reads"'
        )
    replication = context.room.catalog.keyspace(table.keyspace).record.replication["class"]
    if level == EACH_QUORUM and not replication.endswith("NetworkTopologyStrategy"):
        raise Invalid(f"consistency level EACH_QUORUM not compatible with replication strategy ({replication})")
