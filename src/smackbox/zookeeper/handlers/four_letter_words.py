"""Four-letter words: what an administrator types into a bare connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smackbox.zookeeper.state.database import Database

VERSION = "3.8.0-smackbox"


@dataclass(slots=True)
class ConnectionFigures:
    """What is known of one connection."""

    peer: str
    session_id: int
    timeout_ms: int
    received: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What is known of the server; latencies in milliseconds."""

    database: Database
    connections: Sequence[ConnectionFigures]
    port: int
    received: int
    sent: int
    latency_min_ms: float
    latency_avg_ms: float
    latency_max_ms: float
    conf: dict[str, object]


def answer(word: str, figures: ServerFigures, allowed: str) -> str:
    """The text for `word`; `allowed` is `*` or words with commas between them."""
    words = {one.strip() for one in allowed.split(",")}
    if word not in WORDS or not ({"*", word} & words):
        return f"{word} is not executed because it is not in the whitelist.\n"
    return WORDS[word](figures)


def _ruok(_figures: ServerFigures) -> str:
    return "imok"


def _srvr(figures: ServerFigures) -> str:
    return (
        f"Zookeeper version: {VERSION}\n"
        f"Latency min/avg/max: {figures.latency_min_ms:.0f}/{figures.latency_avg_ms:.4f}/{figures.latency_max_ms:.0f}\n"
        f"Received: {figures.received}\nSent: {figures.sent}\nConnections: {len(figures.connections)}\n"
        f"Outstanding: 0\nZxid: {figures.database.zxid:#x}\nMode: standalone\n"
        f"Node count: {len(figures.database.tree.nodes)}\n"
    )


def _stat(figures: ServerFigures) -> str:
    head, _, rest = _srvr(figures).partition("\n")
    clients = "".join(
        f" /{one.peer}[1](queued=0,recved={one.received},sent={one.sent})\n" for one in figures.connections
    )
    return f"{head}\nClients:\n{clients}\n{rest}"


def _cons(figures: ServerFigures) -> str:
    return "".join(
        f" /{one.peer}[1](queued=0,recved={one.received},sent={one.sent},sid={one.session_id & (1 << 64) - 1:#x},"
        f"to={one.timeout_ms})\n"
        for one in figures.connections
    )


def _mntr(figures: ServerFigures) -> str:
    database = figures.database
    size = sum(len(path) + len(node.data or b"") for path, node in database.tree.nodes.items())
    values = {
        "version": VERSION,
        "server_state": "standalone",
        "avg_latency": f"{figures.latency_avg_ms:.4f}",
        "max_latency": f"{figures.latency_max_ms:.0f}",
        "min_latency": f"{figures.latency_min_ms:.0f}",
        "packets_received": figures.received,
        "packets_sent": figures.sent,
        "num_alive_connections": len(figures.connections),
        "outstanding_requests": 0,
        "znode_count": len(database.tree.nodes),
        "watch_count": len(database.watches.data) + len(database.watches.child),
        "ephemerals_count": sum(map(len, database.tree.ephemerals.values())),
        "approximate_data_size": size,
        "global_sessions": len(database.sessions),
    }
    return "".join(f"zk_{name}\t{value}\n" for name, value in values.items())


def _conf(figures: ServerFigures) -> str:
    return "".join(f"{name}={value}\n" for name, value in figures.conf.items())


def _dump(figures: ServerFigures) -> str:
    database = figures.database
    sessions = "".join(f"\t{session.id & (1 << 64) - 1:#x}\n" for session in database.sessions.all())
    ephemerals = "".join(
        f"{session_id & (1 << 64) - 1:#x}:\n" + "".join(f"\t{path}\n" for path in sorted(paths))
        for session_id, paths in database.tree.ephemerals.items()
        if paths
    )
    return f"Global Sessions({len(database.sessions)}):\n{sessions}Sessions with Ephemerals:\n{ephemerals}"


def _envi(_figures: ServerFigures) -> str:
    return f"Environment:\nzookeeper.version={VERSION}\n"


def _isro(_figures: ServerFigures) -> str:
    return "rw"


def _wchs(figures: ServerFigures) -> str:
    watches = figures.database.watches
    watchers = watches.data.by_watcher().keys() | watches.child.by_watcher().keys()
    paths = watches.data.by_path().keys() | watches.child.by_path().keys()
    total = len(watches.data) + len(watches.child)
    return f"{len(watchers)} connections watching {len(paths)} paths\nTotal watches:{total}\n"


WORDS: dict[str, Callable[[ServerFigures], str]] = {
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
