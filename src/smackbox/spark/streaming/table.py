"""The table that a stream writes: connected when it is there, tried again while it is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from smackbox.base.errors import SettingError
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_writer import CqlWriter
from smackbox.spark.streaming.errors import AwayError, StreamError
from smackbox.spark.streaming.settings import StreamSettings


class TableAwayError(AwayError):
    """Cassandra does not answer, or not in time."""


class Target(Protocol):
    """Where a stream's rows go. Raises `AwayError` for what is worth another attempt, else `StreamError`."""

    def open(self) -> None: ...

    @property
    def key_types(self) -> Mapping[str, Any]:
        """The primary key's columns in order, with the driver's types."""
        ...

    @property
    def value_types(self) -> Mapping[str, Any]: ...

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> None:
        """Upsert `rows`. `absolute`: None deletes the column's value, else it leaves it as it is."""
        ...

    def close(self) -> None: ...


class CassandraTarget:
    """One table. The session lives through outages; a failed write is written again whole by the caller."""

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings
        self._cql: CqlSession | None = None
        self._writers: dict[tuple[tuple[str, ...], bool], CqlWriter] = {}
        self._key_types: dict[str, Any] = {}
        self._value_types: dict[str, Any] = {}

    def open(self) -> None:
        from cassandra import DriverException, OperationTimedOut
        from cassandra.cluster import NoHostAvailable

        settings = self._settings
        if self._cql is None:
            try:
                self._cql = CqlSession(
                    settings.cassandra,
                    datacenter=settings.cassandra_datacenter,
                    user=settings.cassandra_user,
                    password=settings.cassandra_password,
                    consistency=settings.consistency,
                    timeout_s=settings.write_timeout_s,
                )
            except (NoHostAvailable, OperationTimedOut, OSError) as error:
                raise TableAwayError(f"Cassandra at {settings.cassandra} does not answer: {error}") from error
        try:
            metadata = self._cql.table(settings.keyspace, settings.table)
            types = self._cql.column_types(settings.keyspace, settings.table)
        except SettingError as error:
            raise TableAwayError(f"{error} yet") from error
        except DriverException as error:
            raise TableAwayError(f"Cassandra at {settings.cassandra} does not answer: {error}") from error
        keys = [column.name for column in metadata.primary_key]
        self._key_types = {name: types[name] for name in keys}
        self._value_types = {name: kind for name, kind in types.items() if name not in keys}

    @property
    def key_types(self) -> Mapping[str, Any]:
        return self._key_types

    @property
    def value_types(self) -> Mapping[str, Any]:
        return self._value_types

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> None:
        from cassandra import DriverException, RequestValidationException
        from cassandra.cluster import NoHostAvailable
        from cassandra.connection import ConnectionException
        from cassandra.protocol import ErrorMessage

        try:
            self._writer(tuple(columns), absolute).write(rows, timestamp_us)
        except (RequestValidationException, TypeError, ValueError, KeyError) as error:
            raise StreamError(f"{self._settings.keyspace}.{self._settings.table} refuses a row: {error}") from error
        except (DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError) as error:
            raise TableAwayError(f"Cassandra does not take the batch: {error}") from error

    def close(self) -> None:
        if self._cql is not None:
            self._cql.close()
            self._cql = None
            self._writers.clear()

    def _writer(self, columns: tuple[str, ...], absolute: bool) -> CqlWriter:
        writer = self._writers.get((columns, absolute))
        if writer is None:
            assert self._cql is not None, "open comes first"
            settings = self._settings
            writer = self._writers[columns, absolute] = CqlWriter(
                self._cql,
                settings.keyspace,
                settings.table,
                columns,
                concurrency=settings.write_concurrency,
                unset_nulls=not absolute,
            )
        return writer
