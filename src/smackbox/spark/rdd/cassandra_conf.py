"""Where Cassandra is, for RDDs: the settings of a `SparkContext` in the names of the well-known connector."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_sessions import shared_session

PREFIX = "spark.cassandra."
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = "9042"
_DEFAULTS = {
    "connection.host": "",
    "connection.port": DEFAULT_PORT,
    "connection.localDC": "",
    "auth.username": "",
    "auth.password": "",
    "input.consistency.level": "LOCAL_ONE",
    "output.consistency.level": "LOCAL_QUORUM",
    "input.fetch.sizeInRows": "1000",
    "concurrent.reads": "64",
    "output.concurrent.writes": "5",
    "output.ignoreNulls": "false",
}


@dataclass(frozen=True, slots=True)
class CassandraConf:
    """What the tasks of one context need to reach Cassandra. Pickled with each job."""

    contact: str
    user: str | None
    password: str | None
    datacenter: str | None
    read_consistency: str
    write_consistency: str
    fetch_rows: int
    concurrent_reads: int
    concurrent_writes: int
    ignore_nulls: bool

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> CassandraConf:
        """From the keys `spark.cassandra.…`. Raises `SettingError` for one that is not known."""
        values = dict(_DEFAULTS)
        for key, value in settings.items():
            if key.startswith(PREFIX):
                name = key.removeprefix(PREFIX)
                if name not in _DEFAULTS:
                    hint = near(key, [PREFIX + known for known in _DEFAULTS])
                    raise SettingError(f"there is no setting {key!r}{hint}")
                values[name] = str(value)
        return cls(
            _contact(values["connection.host"], values["connection.port"]),
            values["auth.username"] or None,
            values["auth.password"] or None,
            values["connection.localDC"] or None,
            values["input.consistency.level"],
            values["output.consistency.level"],
            _count(values, "input.fetch.sizeInRows"),
            _count(values, "concurrent.reads"),
            _count(values, "output.concurrent.writes"),
            values["output.ignoreNulls"].lower() == "true",
        )

    @contextmanager
    def session(self, consistency: str) -> Iterator[CqlSession]:
        """A session that the tasks of a process share."""
        with shared_session(
            self.contact, datacenter=self.datacenter, user=self.user, password=self.password, consistency=consistency
        ) as cql:
            yield cql


def _contact(hosts: str, port: str) -> str:
    """`host:port` of each; where no host is set, what `SMACK_CASSANDRA` says."""
    if not hosts:
        return os.environ.get("SMACK_CASSANDRA") or f"{DEFAULT_HOST}:{port}"
    return ",".join(host.strip() if ":" in host else f"{host.strip()}:{port}" for host in hosts.split(","))


def _count(values: Mapping[str, str], name: str) -> int:
    text = values[name]
    if not text.isdigit() or int(text) < 1:
        raise SettingError(f"{PREFIX}{name} must be a number of at least 1, not {text!r}")
    return int(text)
