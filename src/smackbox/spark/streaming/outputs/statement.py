"""A CQL statement as a target, run for each row, its fields bound by name (`:field`).

It must have the same effect when it runs again; whether it has is checked where it is declared.
"""

from __future__ import annotations

from typing import Any

from smackbox.base.errors import SettingError
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.streaming.cql import session_of
from smackbox.spark.streaming.errors import AwayError, StreamError
from smackbox.spark.streaming.outputs.output import OutputBatch, as_dict
from smackbox.spark.streaming.settings import StreamSettings

CONCURRENCY = 32


class StatementOutput:
    """In the stream's keyspace, with its login."""

    def __init__(self, settings: StreamSettings, cql: str) -> None:
        self._settings = settings
        self._cql = cql
        self._session: CqlSession | None = None
        self._prepared: Any = None

    def open(self, checkpoint: str) -> None:
        from cassandra import DriverException, OperationTimedOut, RequestValidationException
        from cassandra.cluster import NoHostAvailable
        from cassandra.connection import ConnectionException
        from cassandra.protocol import ErrorMessage

        settings = self._settings
        try:
            if self._session is None:
                self._session = session_of(settings)
            if self._prepared is None:
                self._session.session.set_keyspace(settings.keyspace)
                self._prepared = self._session.session.prepare(self._cql)
        except RequestValidationException as error:
            raise StreamError(f"{self._cql.strip()}: {error}") from error
        except (
            DriverException,
            NoHostAvailable,
            OperationTimedOut,
            ConnectionException,
            ErrorMessage,
            SettingError,
            OSError,
        ) as error:
            raise AwayError(f"Cassandra at {settings.cassandra} does not answer: {error}") from error

    def put(self, batch: OutputBatch) -> None:
        from cassandra import DriverException, RequestValidationException
        from cassandra.cluster import NoHostAvailable
        from cassandra.concurrent import execute_concurrent_with_args
        from cassandra.connection import ConnectionException
        from cassandra.protocol import ErrorMessage

        self.open(batch.checkpoint)
        assert self._session is not None
        names = [column.name for column in self._prepared.column_metadata]
        try:
            rows = [[fields[name] for name in names] for fields in map(as_dict, batch.rows)]
        except KeyError as error:
            raise StreamError(f"{self._cql.strip()}: the rows have no field {error}") from error
        try:
            execute_concurrent_with_args(self._session.session, self._prepared, rows, concurrency=CONCURRENCY)
        except (RequestValidationException, TypeError, ValueError) as error:
            raise StreamError(f"{self._cql.strip()}: {error}") from error
        except (DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError) as error:
            raise AwayError(f"Cassandra does not take the batch: {error}") from error

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = self._prepared = None
