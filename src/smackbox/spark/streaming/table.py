"""The table that a stream writes: connected when it is there, tried again while it is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from smackbox.base.cql_lists import has_open_list
from smackbox.base.errors import SettingError
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.cql_writer import CqlWriter
from smackbox.spark.streaming.cql import session_of
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

    @property
    def partition_columns(self) -> int:
        """How many of the key's columns, from the first, are the partition key."""
        ...

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> dict[int, str]:
        """Upsert `rows`. `absolute`: None deletes the column's value, else it leaves it as it is.

        Returns the rows that the table cannot hold, which are left out: their index and the reason.
        """
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
        self._partition_columns = 1

    def open(self) -> None:
        from cassandra import DriverException, OperationTimedOut
        from cassandra.cluster import NoHostAvailable

        settings = self._settings
        if self._cql is None:
            try:
                self._cql = session_of(settings)
            except (NoHostAvailable, OperationTimedOut, OSError) as error:
                raise TableAwayError(f"Cassandra at {settings.cassandra} does not answer: {error}") from error
        try:
            metadata = self._cql.table(settings.keyspace, settings.table)
            types = self._cql.column_types(settings.keyspace, settings.table)
        except SettingError as error:
            raise TableAwayError(f"{error} yet") from error
        except DriverException as error:
            raise TableAwayError(f"Cassandra at {settings.cassandra} does not answer: {error}") from error
        for column in metadata.columns.values():
            if has_open_list(str(column.cql_type)):
                raise StreamError(
                    f"{self._name} has {column.name}, a list that is not frozen: a batch that is repeated would double "
                    f"its items. Drop the column and add it as frozen<{column.cql_type}>, or as a set"
                )
        keys = [column.name for column in metadata.primary_key]
        self._partition_columns = len(metadata.partition_key)
        self._key_types = {name: types[name] for name in keys}
        self._value_types = {name: kind for name, kind in types.items() if name not in keys}

    @property
    def key_types(self) -> Mapping[str, Any]:
        return self._key_types

    @property
    def value_types(self) -> Mapping[str, Any]:
        return self._value_types

    @property
    def partition_columns(self) -> int:
        return self._partition_columns

    def write(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], timestamp_us: int, *, absolute: bool
    ) -> dict[int, str]:
        from cassandra import DriverException, InvalidRequest, RequestValidationException
        from cassandra.cluster import NoHostAvailable
        from cassandra.connection import ConnectionException
        from cassandra.protocol import ErrorMessage

        unfit: dict[int, str] = {}
        try:
            writer = self._writer(tuple(columns), absolute)
            try:
                writer.write(rows, timestamp_us, unfit)
            except InvalidRequest as error:
                self._check_schema(error)
                self._write_parts(writer, rows, range(len(rows)), timestamp_us, unfit)
        except RequestValidationException as error:
            raise StreamError(f"{self._name} refuses the batch: {error}") from error
        except (DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError) as error:
            raise TableAwayError(f"Cassandra does not take the batch: {error}") from error
        return unfit

    def _write_parts(
        self, writer: CqlWriter, rows: Sequence[Sequence[Any]], part: range, timestamp_us: int, unfit: dict[int, str]
    ) -> None:
        """Write the rows of `part` that the server takes, halving what it refuses: the rest is `unfit`."""
        from cassandra import InvalidRequest

        fit = [index for index in part if index not in unfit]
        if not fit:
            return
        try:
            writer.write([rows[index] for index in fit], timestamp_us)
        except InvalidRequest as error:
            if len(fit) == 1:
                unfit[fit[0]] = str(error)
                return
            middle = len(part) // 2
            for half in (part[:middle], part[middle:]):
                self._write_parts(writer, rows, half, timestamp_us, unfit)

    def _check_schema(self, refusal: BaseException) -> None:
        """Raises `StreamError` where the table is not what it was when the stream began, so that no row is to blame."""
        self._writers.clear()
        known = self._names_of_types()
        self.open()
        present = self._names_of_types()
        if present != known:
            changed = sorted(name for name in known | present if known.get(name) != present.get(name))
            raise StreamError(
                f"{self._name} was changed while the stream ran ({', '.join(changed)}): start the stream again"
            ) from refusal

    def _names_of_types(self) -> dict[str, str]:
        types = self._key_types | self._value_types
        return {column: cql_type.cql_parameterized_type() for column, cql_type in types.items()}

    @property
    def _name(self) -> str:
        return f"{self._settings.keyspace}.{self._settings.table}"

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
