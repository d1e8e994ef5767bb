"""The ledger of patches, in the application's keyspace: the patches that were run, and each row before and after.

    smack_patches     name -> checksum of the code, state, times, counts; its running process, with a TTL
    smack_patch_rows  name, bucket of the key, key -> the row before and after, and the timestamp of its write

A row is written to the ledger before its table. So a row is computed once, whenever the process is killed: a resumed
patch writes the ledger's rows whose table rows are still unchanged, and computes only other rows.

Keys and rows are bytes as `spark/replay` has them; null is no row.
"""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from smackbox.base.errors import UserError
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.replay.shadow import Values

BUCKETS = 64
LEASE_S = 15
LEASE_WAIT_S = 30.0
POLL_S = 0.5
PAGE_ROWS = 1_000
CONCURRENCY = 32

State = Literal["running", "done", "undone"]
_decode = msgspec.msgpack.Decoder(list[bytes | None]).decode


class Change(NamedTuple):
    """A row before and after; None is no row. `written_us` is the timestamp of the write."""

    key: bytes
    old: Values | None
    new: Values | None
    written_us: int


class Entry(NamedTuple):
    """The ledger's entry of a patch. `changed` counts rows."""

    checksum: str
    state: State
    changed: int
    finished: datetime | None
    columns: list[str]


class PatchLedger:
    """The ledger of one patch. Raises `UserError` if another process runs the patch, and the driver's errors."""

    def __init__(self, cql: CqlSession, keyspace: str, name: str) -> None:
        self._cql = cql
        self._session = cql.session
        self._owner = uuid.uuid4()
        self._name = name
        self._table = f'"{keyspace}".smack_patches'
        self._rows = f'"{keyspace}".smack_patch_rows'
        self._keyspace = keyspace
        self._renew_due_s: float | None = None
        self._prepared: dict[str, Any] = {}

    def is_there(self) -> bool:
        """Whether the keyspace has a ledger."""
        query = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = 'smack_patches'"
        return self._session.execute(query, (self._keyspace,)).one() is not None

    def create(self) -> None:
        """Create its tables if they are missing."""
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (name text PRIMARY KEY, checksum text, state text, started "
            "timestamp, finished timestamp, changed bigint, columns list<text>, owner uuid)"
        )
        self._session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._rows} (name text, bucket int, key blob, old blob, new blob, "
            "written_us bigint, PRIMARY KEY ((name, bucket), key))"
        )

    def entry(self) -> Entry | None:
        """The patch's entry; None if there is none."""
        row = self._run(f"SELECT checksum, state, changed, finished, columns FROM {self._table} WHERE name = ?").one()  # noqa: S608
        return None if row is None or row.state is None else Entry(row[0], row[1], row[2] or 0, row[3], row[4] or [])

    def begin(self, checksum: str, columns: Sequence[str]) -> None:
        """Record that it runs."""
        query = f"UPDATE {self._table} SET checksum = ?, state = 'running', started = ?, columns = ? WHERE name = ?"  # noqa: S608
        self._run(query, checksum, datetime.now(UTC), list(columns))

    def finish(self, state: State, changed: int) -> None:
        """Record that it is done, or undone."""
        query = f"UPDATE {self._table} SET state = ?, finished = ?, changed = ? WHERE name = ?"  # noqa: S608
        self._run(query, state, datetime.now(UTC), changed)

    def forget_rows(self) -> None:
        """Remove its rows, so that it can be run again."""
        for bucket in range(BUCKETS):
            self._session.execute(f"DELETE FROM {self._rows} WHERE name = %s AND bucket = %s", (self._name, bucket))  # noqa: S608

    def take(self) -> None:
        """Claim the patch for this process; waits until a killed owner's claim expires. Raises `UserError`."""
        deadline = time.monotonic() + LEASE_WAIT_S
        query = f"UPDATE {self._table} USING TTL {LEASE_S} SET owner = ? WHERE name = ? IF owner = null"  # noqa: S608
        while not self._run(query, self._owner).was_applied:
            if time.monotonic() > deadline:
                raise UserError(f"another process is at the patch {self._name}")
            time.sleep(POLL_S)
        self._renew_due_s = time.monotonic() + LEASE_S / 3

    def renew(self) -> None:
        """Renew the claim. Raises `UserError` if it has expired."""
        query = f"UPDATE {self._table} USING TTL {LEASE_S} SET owner = ? WHERE name = ? IF owner = ?"  # noqa: S608
        statement = self._statement(query)
        if not self._session.execute(statement, (self._owner, self._name, self._owner)).was_applied:
            raise UserError(f"this process was away for {LEASE_S} s: run the patch {self._name} again to go on")
        self._renew_due_s = time.monotonic() + LEASE_S / 3

    def stay(self) -> None:
        """Renew the claim if that is due; does nothing without a claim."""
        if self._renew_due_s is not None and time.monotonic() > self._renew_due_s:
            self.renew()

    def release(self) -> None:
        """Release the claim."""
        self._renew_due_s = None
        query = f"UPDATE {self._table} SET owner = null WHERE name = ? IF owner = ?"  # noqa: S608
        self._session.execute(self._statement(query), (self._name, self._owner))

    def add(self, changes: Sequence[Change]) -> None:
        """Store rows that are about to be written."""
        from cassandra.concurrent import execute_concurrent_with_args

        query = f"INSERT INTO {self._rows} (name, bucket, key, old, new, written_us) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
        rows = [
            (self._name, _bucket(one.key), one.key, _packed(one.old), _packed(one.new), one.written_us)
            for one in changes
        ]
        self._cql.timestamp_us = None
        execute_concurrent_with_args(self._session, self._statement(query), rows, CONCURRENCY)

    def changes(self) -> Iterator[Change]:
        """All rows that it has changed."""
        from cassandra.query import SimpleStatement

        for bucket in range(BUCKETS):
            query = (
                f"SELECT key, old, new, written_us FROM {self._rows} WHERE name = '{self._name}' AND bucket = {bucket}"  # noqa: S608
            )
            for page in self._cql.pages(SimpleStatement(query, fetch_size=PAGE_ROWS)):
                for key, old, new, written_us in page:
                    yield Change(key, _unpacked(old), _unpacked(new), written_us)

    def _run(self, query: str, *values: Any) -> Any:
        self._cql.timestamp_us = None
        return self._session.execute(self._statement(query), (*values, self._name))

    def _statement(self, query: str) -> Any:
        if query not in self._prepared:
            self._prepared[query] = self._session.prepare(query)
        return self._prepared[query]


def _bucket(key: bytes) -> int:
    return zlib.crc32(key) % BUCKETS


def _packed(row: Values | None) -> bytes | None:
    return None if row is None else msgspec.msgpack.encode(row)


def _unpacked(data: bytes | None) -> Values | None:
    return None if data is None else _decode(data)
