"""Checks of consistency levels. Some levels are rejected for some statements. Levels that need more replicas than one
node has are unavailable, as on a single-node Cassandra.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.cassandra.execution.context import Context
from smackbox.cassandra.state.schema import Keyspace, Table
from smackbox.cassandra.wire.errors import Invalid, Unavailable

ANY = 0x00
TWO = 0x02
THREE = 0x03
QUORUM = 0x04
ALL = 0x05
LOCAL_QUORUM = 0x06
EACH_QUORUM = 0x07
SERIAL = 0x08
LOCAL_SERIAL = 0x09
NAMES = (
    "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL",
    "LOCAL_ONE", "NODE_LOCAL",
)  # fmt: skip
_SERIAL = frozenset({SERIAL, LOCAL_SERIAL})
_PLAIN = frozenset(range(len(NAMES))) - {ANY} - _SERIAL


def check_read(context: Context, keyspace: Keyspace, partitions: Callable[[], int] | None) -> None:
    """`partitions` is the number of partitions read at once, if they are named. Raises `Invalid` and `Unavailable`."""
    level = context.consistency
    if level == ANY:
        raise Invalid("ANY ConsistencyLevel is only supported for writes")
    if level in _SERIAL and partitions is not None and not keyspace.virtual:
        if partitions() > 1:
            raise Invalid("SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time")
        _check_paxos(context, keyspace, level)
    else:
        check_replicas(context, keyspace, level)


def check_write(context: Context, table: Table) -> None:
    """Check a statement without IF. Raises `Invalid` and `Unavailable`."""
    level = context.consistency
    if table.is_counter:
        if level == ANY:
            raise Invalid(f"Consistency level ANY is not yet supported for counter table {table.name}")
        if level in _SERIAL:
            raise Invalid("Counter operations are inherently non-serializable")
    elif level in _SERIAL:
        raise Invalid("You must use conditional updates for serializable writes")
    check_mutation(context, table)


def check_conditional(context: Context, table: Table) -> None:
    """Check a statement with IF, whose level applies to the commit. Raises `Invalid` and `Unavailable`."""
    level = context.consistency
    if level in _SERIAL:
        raise Invalid(
            f"{NAMES[level]} is not supported as conditional update commit consistency. Use ANY if you mean "
            '"make sure it is accepted but I don\'t care how many replicas commit it for non-SERIAL reads"'
        )
    keyspace = context.state.catalog.keyspace(table.keyspace)
    replication = keyspace.record.replication["class"]
    if level == EACH_QUORUM and not replication.endswith("NetworkTopologyStrategy"):
        raise Invalid(f"consistency level EACH_QUORUM not compatible with replication strategy ({replication})")
    _check_paxos(context, keyspace, context.serial_consistency)


def check_mutation(context: Context, table: Table) -> None:
    """Check that a write's level has enough replicas. Raises `Unavailable`."""
    if context.consistency != ANY or table.is_counter:
        check_replicas(context, context.state.catalog.keyspace(table.keyspace), context.consistency)


def check_replicas(context: Context, keyspace: Keyspace, level: int) -> None:
    """Check that there are enough replicas. Raises `Unavailable`."""
    shortage = _shortage(keyspace, context.state.system_rows.node.data_center, level)
    if shortage is not None:
        raise shortage


def served_levels(keyspace: Keyspace, data_center: str) -> frozenset[int]:
    """The levels that reads and writes of that keyspace need not check again."""
    return frozenset(level for level in _PLAIN if _shortage(keyspace, data_center, level) is None)


def replication_factors(replication: dict[str, str]) -> dict[str, int]:
    """The factor for each data centre, or `replication_factor` for all."""
    return {name: int(value.partition("/")[0]) for name, value in replication.items() if name != "class"}


def _check_paxos(context: Context, keyspace: Keyspace, level: int) -> None:
    """Raises `Unavailable` with the quorum of the serial level, if there is any replica."""
    shortage = _shortage(keyspace, context.state.system_rows.node.data_center, level)
    if shortage is not None and shortage.alive:
        level = QUORUM if level == SERIAL else LOCAL_QUORUM
        check_replicas(context, keyspace, level)
    if shortage is not None:
        raise shortage


def _shortage(keyspace: Keyspace, data_center: str, level: int) -> Unavailable | None:
    if keyspace.virtual:
        return None
    replication = keyspace.record.replication
    by_center = replication["class"].endswith("NetworkTopologyStrategy")
    # LocalStrategy has no replication factor, and one replica
    factors = replication_factors(replication) or ({} if by_center else {"": 1})
    factor = sum(factors.values())
    alive = min(factor, 1)
    reason = f"Cannot achieve consistency level {NAMES[level]}"
    required = 1
    if level in {TWO, THREE}:
        required = level
    elif level in {QUORUM, SERIAL} or (level == EACH_QUORUM and not by_center):
        required = factor // 2 + 1
    elif level in {LOCAL_QUORUM, LOCAL_SERIAL}:
        required = (factors.get(data_center, 0) if by_center else factor) // 2 + 1
    elif level == ALL:
        required = factor
        if not factor:
            return Unavailable("Insufficient full replicas", level, 0, 0)
    elif level == EACH_QUORUM:
        for name, of_center in factors.items():
            if of_center > 1:  # Cassandra counts no replica in it as alive
                return Unavailable(f"{reason} in DC {name}", level, of_center // 2 + 1, 0)
        required = 0
    return Unavailable(reason, level, required, alive) if alive < required else None
