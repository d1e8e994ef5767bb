"""Tables that a flow looks up: a Cassandra table by its primary key, a compacted topic by its key."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from smackbox.base.errors import SettingError
from smackbox.base.event_keys import key_bytes
from smackbox.flow.lookups import Key
from smackbox.spark.cql_session import CqlSession
from smackbox.spark.streaming.cql import session_of
from smackbox.spark.streaming.errors import AwayError, SourceAwayError, StreamError
from smackbox.spark.streaming.settings import StreamSettings
from smackbox.spark.streaming.source import CLIENT_LOG_LEVEL

CONCURRENCY = 32
TIMEOUT_S = 10.0
CHUNK = 5_000
POLL_S = 0.2


class CassandraReader:
    """Rows of a table of the stream's keyspace, by the `columns` that are its primary key."""

    def __init__(self, settings: StreamSettings, table: str, columns: Sequence[str]) -> None:
        self._settings = settings
        self._table = table
        self._columns = tuple(columns)
        self._cql: CqlSession | None = None
        self._statements: dict[tuple[str, ...], Any] = {}

    def read(self, keys: Sequence[Key], columns: Sequence[str]) -> list[dict[str, Any] | None]:
        from cassandra import DriverException, RequestValidationException
        from cassandra.cluster import NoHostAvailable
        from cassandra.concurrent import execute_concurrent_with_args
        from cassandra.connection import ConnectionException
        from cassandra.protocol import ErrorMessage

        name = f"{self._settings.keyspace}.{self._table}"
        try:
            session = self._open().session
            statement = self._statement(tuple(columns))
            answers = execute_concurrent_with_args(session, statement, [tuple(key) for key in keys], CONCURRENCY)
            found = [next(iter(answer.result_or_exc), None) for answer in answers]
        except (RequestValidationException, TypeError, ValueError) as error:
            raise StreamError(f"{name} cannot be looked up: {error}") from error
        except (DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError) as error:
            raise AwayError(f"{name} cannot be looked up now: {error}") from error
        return [None if row is None else dict(zip(columns, row, strict=True)) for row in found]

    def close(self) -> None:
        """Release the connection."""
        if self._cql is not None:
            self._cql.close()
            self._cql = None

    def _open(self) -> CqlSession:
        if self._cql is not None:
            return self._cql
        cql = session_of(self._settings)
        try:
            self._check_key(cql)
        except BaseException:
            cql.close()
            raise
        self._cql = cql
        return cql

    def _check_key(self, cql: CqlSession) -> None:
        try:
            key = [column.name for column in cql.table(self._settings.keyspace, self._table).primary_key]
        except SettingError as error:
            raise AwayError(f"{error} yet") from error
        if sorted(key) != sorted(self._columns):
            raise StreamError(
                f"{self._settings.keyspace}.{self._table} is looked up by {', '.join(self._columns)}; its primary key "
                f"is {', '.join(key)}"
            )

    def _statement(self, columns: tuple[str, ...]) -> Any:
        assert self._cql is not None
        if columns not in self._statements:
            selected = ", ".join(f'"{column}"' for column in columns)
            where = " AND ".join(f'"{column}" = ?' for column in self._columns)
            cql = f'SELECT {selected} FROM "{self._settings.keyspace}"."{self._table}" WHERE {where}'  # noqa: S608 - quoted
            self._statements[columns] = self._cql.session.prepare(cql)
        return self._statements[columns]


class TopicReader:
    """A compacted topic as a table by its key: the last event of each key, none after a tombstone.

    Held in memory, up to `limit` keys. Each look reads what has come since, so that a table is as new as its topic.
    """

    def __init__(
        self, settings: StreamSettings, topic: str, event: type[msgspec.Struct], column: str, limit: int
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._decode = msgspec.json.Decoder(event).decode
        self._column = column
        self._limit = limit
        self._rows: dict[bytes, Any] = {}
        self._consumer: Any = None
        self._next: dict[int, int] = {}

    def read(self, keys: Sequence[Key], columns: Sequence[str]) -> list[dict[str, Any] | None]:
        try:
            self._catch_up()
        except KafkaException as error:
            raise SourceAwayError(f"the topic {self._topic} does not answer: {error.args[0].str()}") from error
        found = []
        for (value,) in keys:
            row = self._rows.get(key_bytes(value) or b"")
            found.append(None if row is None else {column: getattr(row, column) for column in columns})
        return found

    def close(self) -> None:
        """Release the connection."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _catch_up(self) -> None:
        if self._consumer is None:
            self._open()
        ends = {}
        for number in self._next:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), TIMEOUT_S)
            if end > self._next[number]:
                ends[number] = end
        deadline = time.monotonic() + TIMEOUT_S
        while ends:
            messages = self._consumer.consume(CHUNK, POLL_S)
            if messages:
                deadline = time.monotonic() + TIMEOUT_S
            elif time.monotonic() > deadline:
                raise SourceAwayError(f"partitions {sorted(ends)} of {self._topic} give no records")
            for message in messages:
                number, offset = message.partition(), message.offset()
                if message.error() is None:
                    self._keep(message)
                    self._next[number] = offset + 1
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    self._next[number] = max(self._next[number], offset)
                else:
                    raise KafkaException(message.error())
                if self._next[number] >= ends.get(number, 0):
                    ends.pop(number, None)

    def _keep(self, message: Any) -> None:
        value = message.value()
        try:
            event = None if value is None else self._decode(value)
        except msgspec.MsgspecError:
            return  # no row of the table
        key = message.key() if event is None else key_bytes(getattr(event, self._column))
        if event is None:
            self._rows.pop(key or b"", None)
            return
        self._rows[key or b""] = event
        if len(self._rows) > self._limit:
            raise StreamError(
                f"the topic {self._topic} has more than {self._limit} keys: give lookup a larger cache_rows, or look "
                "up a Cassandra table"
            )

    def _open(self) -> None:
        settings = self._settings
        consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka,
                "group.id": f"{settings.group_id}-{self._topic}",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "log_level": CLIENT_LOG_LEVEL,
                **settings.kafka_options,
            }
        )
        self._consumer = consumer
        topic = consumer.list_topics(self._topic, TIMEOUT_S).topics[self._topic]
        if topic.error is not None or not topic.partitions:
            self.close()
            raise SourceAwayError(f"the topic {self._topic} is not there yet")
        self._next = {}
        places = []
        for number in topic.partitions:
            low, _ = consumer.get_watermark_offsets(TopicPartition(self._topic, number), TIMEOUT_S)
            self._next[number] = low
            places.append(TopicPartition(self._topic, number, low))
        consumer.assign(places)
