"""The options of `format("cassandra")`, in short names and in those of the well-known connector.

A name is taken in any case, with or without `spark.cassandra.` before it, and in the connector's old spelling too
(`input.fetch.size_in_rows` for `input.fetch.sizeInRows`). docs/spark-sources.md has the table of all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_sessions import shared_session

PREFIX = "spark.cassandra."
DEFAULT_CONTACT = "127.0.0.1:9042"
DEFAULT_PORT = "9042"
SPLITS = 8
FETCH_SIZE = 5_000
CONCURRENT_WRITES = 16
CONCURRENT_READS = 64
WRITE_ATTEMPTS = 5
TTL_OF, WRITETIME_OF = "ttl.", "writetime."
TTL_LIMIT_S = 20 * 365 * 24 * 3600
"""Cassandra's own limit: twenty years."""

OPTIONS = (
    "keyspace", "table", "contact", "user", "password", "datacenter", "consistency", "columns", "prune", "where",
    "splits", "fetchSize", "concurrency", "concurrentReads", "ignoreNulls", "confirm.truncate", "pushdown", "ttl",
    "writetime", "retries", "throughputMBPerSec", "readsPerSec",
)  # fmt: skip
CONNECTOR = {
    "connection.host": "host",
    "connection.port": "port",
    "connection.localDC": "datacenter",
    "auth.username": "user",
    "auth.password": "password",
    "input.consistency.level": "input.consistency",
    "output.consistency.level": "output.consistency",
    "input.fetch.sizeInRows": "fetchSize",
    "input.readsPerSec": "readsPerSec",
    "concurrent.reads": "concurrentReads",
    "splitCount": "splits",
    "output.concurrent.writes": "concurrency",
    "output.ignoreNulls": "ignoreNulls",
    "output.ttl": "ttl",
    "output.timestamp": "writetime",
    "output.throughputMBPerSec": "throughputMBPerSec",
    "query.retry.count": "retries",
    "sql.keyspace": "keyspace",
}
"""The connector's names (after `spark.cassandra.`), and ours."""
WITHOUT_EFFECT = (
    "cluster", "connection.compression", "connection.keepAliveMS", "connection.reconnectionDelayMS.max",
    "connection.reconnectionDelayMS.min", "connection.timeoutMS", "read.timeoutMS", "query.retry.delay",
    "input.metrics", "output.metrics", "input.split.sizeInMB", "output.batch.grouping.buffer.size",
    "output.batch.grouping.key", "output.batch.size.bytes", "output.batch.size.rows", "table.size.in.bytes",
    "directJoinSetting", "directJoinSizeRatio",
)  # fmt: skip
"""Tuning of the connector's that changes no result: taken and passed over."""
REFUSED = {
    "output.ifNotExists": "a write is an upsert; look for the rows first, or write with CQL's IF NOT EXISTS",
    "connection.factory": "a JVM class; name host, user and password",
    "auth.conf.factory": "a JVM class; name user and password",
    "connection.config": "name the nodes with contact",
    "connection.ssl": "encrypted connections are not there",
    "input.throughputMBPerSec": "bound the reads with readsPerSec",
}


def _plain(name: str) -> str:
    return name.lower().replace("_", "").removeprefix(PREFIX)


_NAMES = {
    **{_plain(name): name for name in (*OPTIONS, "input.consistency", "output.consistency")},
    **{_plain(name): ours for name, ours in CONNECTOR.items()},
}
_WITHOUT_EFFECT = frozenset(map(_plain, WITHOUT_EFFECT))
_REFUSED = {_plain(name): (name, why) for name, why in REFUSED.items()}
_REFUSED_GROUPS = ("connection.ssl", "connection.config")
_KNOWN = (*OPTIONS, *(f"{PREFIX}{name}" for name in CONNECTOR), "ttl.COLUMN", "writetime.COLUMN")


class Options:
    """The options of one read or write. Raises `SettingError` for an unknown one, a bad value and a missing table.

    `ttl_of` and `writetime_of` are the columns whose TTL (seconds left) and write time (microseconds) are read, by the
    name that they get. `pushdown` is None where nobody says it. `ttl` and `writetime` are a number for all written
    rows, or the column that has it.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        self.ttl_of: dict[str, str] = {}
        self.writetime_of: dict[str, str] = {}
        for key, value in options.items():
            self._take(key, value)
        for key in ("keyspace", "table"):
            if key not in self._values:
                raise SettingError(f"the cassandra source needs the option {key}")
        self.keyspace = self._values["keyspace"]
        self.table = self._values["table"]
        self.where = self._values.get("where", "").strip()
        self.splits = self._number("splits", SPLITS)
        self.fetch_size = self._number("fetchSize", FETCH_SIZE)
        self.concurrency = self._number("concurrency", CONCURRENT_WRITES)
        self.concurrent_reads = self._number("concurrentReads", CONCURRENT_READS)
        self.attempts = self._number("retries", WRITE_ATTEMPTS - 1, least=0) + 1
        self.reads_per_s = self._rate("readsPerSec")
        mb_per_s = self._rate("throughputMBPerSec")
        self.bytes_per_s = None if mb_per_s is None else mb_per_s * 1024 * 1024
        self.ignore_nulls = self._flag("ignoreNulls", default=False)
        self.confirm_truncate = self._flag("confirm.truncate", default=False)
        self.pushdown = self._flag("pushdown", default=True) if "pushdown" in self._values else None
        prune = self._values.get("prune")
        self.prune = {name.lower() for name in prune.split(",")} if prune is not None else None
        self.columns = [name.strip() for name in self._values.get("columns", "").split(",") if name.strip()]
        self.ttl = self._using("ttl", TTL_LIMIT_S)
        self.writetime = self._using("writetime", 2**63 - 1)

    def _take(self, key: str, value: str) -> None:
        name = _plain(key)
        if name == "path" or name in _WITHOUT_EFFECT:
            return
        for prefix, chosen in ((TTL_OF, self.ttl_of), (WRITETIME_OF, self.writetime_of)):
            if key.lower().startswith(prefix):
                chosen[value] = key[len(prefix) :]
                return
        group = next((known for known in _REFUSED_GROUPS if name.startswith(known)), name)
        if group in _REFUSED:
            known, why = _REFUSED[group]
            if value.lower() in {"false", ""}:
                return
            raise SettingError(f"the cassandra source does not do {PREFIX}{known}: {why}")
        ours = _NAMES.get(name)
        if ours is None:
            raise SettingError(f"the cassandra source has no option {key!r}{near(key, _KNOWN)}")
        self._values[ours] = value

    @contextmanager
    def session(self, *, writes: bool = False) -> Iterator[CqlSession]:
        """A session that the tasks of this process share."""
        values = self._values
        kind = "output.consistency" if writes else "input.consistency"
        with shared_session(
            self._contact(),
            datacenter=values.get("datacenter"),
            user=values.get("user"),
            password=values.get("password"),
            consistency=values.get(kind) or values.get("consistency", "LOCAL_ONE"),
        ) as cql:
            yield cql

    def _contact(self) -> str:
        values = self._values
        if "contact" in values:
            return values["contact"]
        port = values.get("port", DEFAULT_PORT)
        if "host" in values:
            hosts = (host.strip() for host in values["host"].split(","))
            return ",".join(host if ":" in host else f"{host}:{port}" for host in hosts)
        return os.environ.get("SMACK_CASSANDRA") or (f"127.0.0.1:{port}" if "port" in values else DEFAULT_CONTACT)

    def _number(self, key: str, default: int, *, least: int = 1) -> int:
        text = self._values.get(key, str(default))
        if not text.isdecimal() or int(text) < least:
            raise SettingError(f"the cassandra source's {key} must be a number of at least {least}, not {text!r}")
        return int(text)

    def _rate(self, key: str) -> float | None:
        text = self._values.get(key)
        if text is None:
            return None
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if not rate > 0:
            raise SettingError(f"the cassandra source's {key} must be a number above 0, not {text!r}")
        return rate

    def _flag(self, key: str, *, default: bool) -> bool:
        text = self._values.get(key, str(default)).lower()
        if text not in {"true", "false"}:
            raise SettingError(f"the cassandra source's {key} must be true or false, not {text!r}")
        return text == "true"

    def _using(self, key: str, limit: int) -> int | str | None:
        """A number, the name of a column, or None. The connector's TTL of 0 is none."""
        text = self._values.get(key, "").strip()
        if not text or (key == "ttl" and text == "0"):
            return None
        if not text.removeprefix("-").isdecimal():
            return text
        if not 0 <= int(text) <= limit:
            raise SettingError(f"the cassandra source's {key} must be 0 to {limit} or a column, not {text}")
        return int(text)
