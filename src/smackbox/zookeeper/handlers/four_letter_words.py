"""Four-letter words: the commands that an administrator sends on a bare connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smackbox.zookeeper.state.database import Database

VERSION = "3.8.0-smackbox"


@dataclass(slots=True)
class ConnectionStats:
    """The statistics of one connection."""

    peer: str
    session_id: int
    timeout_ms: int
    received: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class ServerStats:
    """The statistics of the server; latencies in milliseconds."""

    database: Database
    connections: Sequence[ConnectionStats]
    port: int
    received: int
    sent: int
    latency_min_ms: float
    latency_avg_ms: float
    latency_max_ms: float
    conf: dict[str, object]


def answer(word: str, stats: ServerStats, allowed: str) -> str:
    """The text for `word`; `allowed` is `*` or a comma-separated list of words."""
    words = {part.strip() for part in allowed.split(",")}
    if word not in WORDS or not ({"*", word} & words):
        return f"{word} is not executed because it is not in the whitelist.\n"
    return WORDS[word](stats)


def _ruok(_stats: ServerStats) -> str:
    return "imok"


def _srvr(stats: ServerStats) -> str:
    return (
        f"Zookeeper version: {VERSION}\n"
        f"Latency min/avg/max: {stats.latency_min_ms:.0f}/{stats.latency_avg_ms:.4f}/{stats.latency_max_ms:.0f}\n"
        f"Received: {stats.received}\nSent: {stats.sent}\nConnections: {len(stats.connections)}\n"
        f"Outstanding: 0\nZxid: {stats.database.zxid:#x}\nMode: standalone\n"
        f"Node count: {len(stats.database.tree.nodes)}\n"
    )


def _stat(stats: ServerStats) -> str:
    head, _, rest = _srvr(stats).partition("\n")
    clients = "".join(
        f" /{connection.peer}[1](queued=0,recved={connection.received},sent={connection.sent})\n"
        for connection in stats.connections
    )
    return f"{head}\nClients:\n{clients}\n{rest}"


def _cons(stats: ServerStats) -> str:
    return "".join(
        f" /{connection.peer}[1](queued=0,recved={connection.received},sent={connection.sent},"
        f"sid={connection.session_id & (1 << 64) - 1:#x},to={connection.timeout_ms})\n"
        for connection in stats.connections
    )


def _mntr(stats: ServerStats) -> str:
    database = stats.database
    size = sum(len(path) + len(node.data or b"") for path, node in database.tree.nodes.items())
    values = {
        "version": VERSION,
        "server_state": "standalone",
        "avg_latency": f"{stats.latency_avg_ms:.4f}",
        "max_latency": f"{stats.latency_max_ms:.0f}",
        "min_latency": f"{stats.latency_min_ms:.0f}",
        "packets_received": stats.received,
        "packets_sent": stats.sent,
        "num_alive_connections": len(stats.connections),
        "outstanding_requests": 0,
        "znode_count": len(database.tree.nodes),
        "watch_count": len(database.watches.data) + len(database.watches.child),
        "ephemerals_count": sum(map(len, database.tree.ephemerals.values())),
        "approximate_data_size": size,
        "global_sessions": len(database.sessions),
    }
    return "".join(f"zk_{name}\t{value}\n" for name, value in values.items())


def _conf(stats: ServerStats) -> str:
    return "".join(f"{name}={value}\n" for name, value in stats.conf.items())


def _dump(stats: ServerStats) -> str:
    database = stats.database
    sessions = "".join(f"\t{session.id & (1 << 64) - 1:#x}\n" for session in database.sessions.all())
    ephemerals = "".join(
        f"{session_id & (1 << 64) - 1:#x}:\n" + "".join(f"\t{path}\n" for path in sorted(paths))
        for session_id, paths in database.tree.ephemerals.items()
        if paths
    )
    return f"Global Sessions({len(database.sessions)}):\n{sessions}Sessions with Ephemerals:\n{ephemerals}"


def _envi(_stats: ServerStats) -> str:
    return f"Environment:\nzookeeper.version={VERSION}\n"


def _isro(_stats: ServerStats) -> str:
    return "rw"


def _wchs(stats: ServerStats) -> str:
    watches = stats.database.watches
    watchers = watches.data.by_watcher().keys() | watches.child.by_watcher().keys()
    paths = watches.data.by_path().keys() | watches.child.by_path().keys()
    total = len(watches.data) + len(watches.child)
    return f"{len(watchers)} connections watching {len(paths)} paths\nTotal watches:{total}\n"


WORDS: dict[str, Callable[[ServerStats], str]] = {
    "ruok": _ruok,
    "srvr": _srvr,
    "stat": _stat,
    "cons": _cons,
    "mntr": _mntr,
    "conf": _conf,
    "dump": _dump,
    "envi": _envi,
    "isro": _isro,
    "wchs": _wchs,
}
