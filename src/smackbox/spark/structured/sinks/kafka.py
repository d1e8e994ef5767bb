"""`kafka`: rows as records, each batch in one transaction, once.

Columns: `value` (string or binary; must be there), `key`, `headers`, `partition`, `topic` (or the option `topic`).
Spark's own sink writes at least once; this one is transactional: the transaction also commits the number of the batch,
as an offset of the group `smackbox-QUERY` (`sendOffsetsToTransaction`). A batch that was written, but whose commit in
the checkpoint was lost, finds its number there and is not written again. Consumers read with `read_committed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaException

from smackbox.spark.batch_transactions import BatchTransactions, RecordRefusedError
from smackbox.spark.front.errors import SPARK, SparkError
from smackbox.spark.structured.batch import BatchRun, Rows
from smackbox.spark.structured.sinks.sink import Sink
from smackbox.spark.structured.sources.source import lower_case

_COLUMNS = {
    "key": (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_null),
    "value": (pa.types.is_string, pa.types.is_binary, pa.types.is_large_string, pa.types.is_null),
    "topic": (pa.types.is_string, pa.types.is_large_string),
    "partition": (pa.types.is_int32,),
    "headers": (pa.types.is_list,),
}


def check(schema: pa.Schema, topic: str | None) -> None:
    """Raises `SparkError` for columns that make no record, as `KafkaWriter.validateQuery`."""
    if "value" not in schema.names:
        raise SparkError("Required attribute 'value' not found.")
    if topic is None and "topic" not in schema.names:
        raise SparkError(
            "topic option required when no 'topic' attribute is present. Use the topic option for setting a topic."
        )
    for name, kinds in _COLUMNS.items():
        if name in schema.names and not any(fits(schema.field(name).type) for fits in kinds):
            raise SparkError(
                f"Attribute '{name}' has the type {schema.field(name).type}, which Kafka records do not have."
            )


class KafkaSink(Sink):
    """`query_id` names the transactions: another run of the query fences this one's producer."""

    description = "org.apache.spark.sql.kafka010.KafkaSourceProvider$KafkaTable"

    def __init__(self, options: Mapping[str, str], schema: pa.Schema, query_id: str) -> None:
        found = lower_case(options)
        self._topic = found.get("topic")
        check(schema, self._topic)
        client = {key.removeprefix("kafka."): value for key, value in found.items() if key.startswith("kafka.")}
        if "bootstrap.servers" not in client:
            raise SparkError("Option 'kafka.bootstrap.servers' must be specified for configuring Kafka producer")
        group = f"smackbox-{query_id}"
        self._transactions = BatchTransactions(client, group, group)

    def add(self, batch: int, rows: Rows, run: BatchRun) -> int:
        table = run.table(rows)
        try:
            self._transactions.open()
            if table.num_rows == 0:
                return 0
            # the number of the batch is kept with any partition that exists
            place = self._topic or next(value for value in table.column("topic").to_pylist() if value is not None)
            if batch > self._transactions.last_batch(place):
                self._transactions.write(batch, _records(table, self._topic), place)
        except KafkaException as error:
            raise SparkError(f"Kafka did not take batch {batch}: {error}", classes=SPARK) from error
        except RecordRefusedError as error:
            raise SparkError(f"Kafka did not take a record of batch {batch}: {error}", classes=SPARK) from error
        return table.num_rows  # type: ignore[no-any-return]

    def stop(self) -> None:
        self._transactions.close()


def _records(table: pa.Table, topic: str | None) -> list[dict[str, Any]]:
    names = [name for name in _COLUMNS if name in table.schema.names]
    records = []
    for values in zip(*(table.column(name).to_pylist() for name in names), strict=True):
        record = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if topic is not None:
            record["topic"] = topic
        if "topic" not in record:
            raise SparkError("null topic present in the data. Use the topic option for setting a default topic.")
        if "headers" in record:
            record["headers"] = [(header["key"], header["value"]) for header in record["headers"]]
        records.append(record)
    return records
