"""Batches of a stream's records, polled with boto3's client or one like it.

A shard is polled at most five times a second, the service's limit; throttling doubles the pause. An expired iterator is
re-created after the last record received. A batch names the range that it took from each shard. Once it is processed,
`done` starts the children of shards that have ended. A batch whose ranges are in a checkpoint can be read again
exactly (`again`).

The service does not report records that expire before they are read. So a warning is logged where that may have
happened: if nothing was read from a shard for longer than the stream's retention, or if the records read are almost
that old.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from smackbox.base.errors import SettingError
from smackbox.kinesis.aggregated import MAGIC, user_records
from smackbox.kinesis.shards import Shard, Shards, after

GET_INTERVAL_S = 0.2
GET_LIMIT = 10_000
LIST_INTERVAL_S = 30.0
BACK_OFF_FIRST_S, BACK_OFF_LIMIT_S = 0.2, 10.0
HOUR_MS = 3_600_000
LEAST_RETENTION_HOURS = 24
ALMOST = 0.9
"""Of the stream's retention: a shard that is read so far behind is warned about, once in an hour."""
_TOO_OFTEN = frozenset({"ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException"})
_EXPIRED = frozenset({"ExpiredIteratorException"})

log = logging.getLogger(__name__)


class Record(NamedTuple):
    """A user record. `part` is its index in an aggregated record, whose sequence number all its parts share."""

    shard: str
    sequence: str
    part: int
    key: str
    data: bytes
    arrived_ms: int


@dataclass(slots=True)
class Batch:
    """The result of one poll. `last` is the last sequence number by shard, `ended` the shards read to their end."""

    records: list[Record] = field(default_factory=list)
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def ranges(self) -> dict[str, Any]:
        """The batch's ranges for a checkpoint, so that it can be read again."""
        return {"first": self.first, "last": self.last, "ended": self.ended}


class _Cursor:
    """Where a shard is being read."""

    def __init__(self, position: dict[str, Any]) -> None:
        self.position = position
        self.iterator: str | None = None
        self.due_s = 0.0
        self.pause_s = BACK_OFF_FIRST_S


class Reader:
    """One stream. `clock` gives monotonic seconds, `wall_s` seconds since 1970."""

    def __init__(
        self,
        client: Any,
        stream: str,
        shards: Shards,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self.shards = shards
        self._client = client
        self._stream = stream
        self._clock = clock
        self._wall_s = wall_s
        self._warn_due_s = -1.0
        self._cursors: dict[str, _Cursor] = {}
        self._list_due_s = -1.0

    def poll(self, limit: int) -> Batch:
        """New records: `limit` of the service's records or a few more. Raises `SettingError` for an unknown stream."""
        self._list()
        batch = Batch()
        for shard in self.shards.readable():
            cursor = self._cursors.get(shard)
            if cursor is None:
                self._tell_of_a_gap(shard)
                cursor = self._cursors[shard] = _Cursor(self.shards.position(shard))
            left = limit - len(batch.records)
            if left > 0 and cursor.due_s <= self._clock():
                self._take(shard, cursor, min(left, GET_LIMIT), batch)
        return batch

    def done(self, batch: Batch) -> None:
        """Note that the batch has been processed."""
        arrived_ms = {record.shard: record.arrived_ms for record in batch.records}
        for shard, sequence in batch.last.items():
            self.shards.read(shard, sequence, arrived_ms.get(shard, 0))
        for shard in batch.ended:
            self.shards.ended(shard)
            self._cursors.pop(shard, None)
        if batch.ended:
            self._list_due_s = -1.0

    def again(self, ranges: Mapping[str, Any]) -> Batch:
        """The batch of these ranges, read again. Raises `LookupError` if the service no longer has it."""
        batch = Batch(first=dict(ranges["first"]), last=dict(ranges["last"]), ended=list(ranges["ended"]))
        for shard, last in batch.last.items():
            batch.records += self._range(shard, batch.first[shard], last)
        for shard, last in batch.last.items():
            self._cursors[shard] = _Cursor(after(last))
        return batch

    def _list(self) -> None:
        if self._clock() < self._list_due_s:
            return
        answer = self._call("list_shards", StreamName=self._stream)
        listed = list(answer["Shards"])
        while answer.get("NextToken"):
            answer = self._call("list_shards", NextToken=answer["NextToken"])
            listed += answer["Shards"]
        self.shards.listed(map(Shard.of, listed))
        self._list_due_s = self._clock() + LIST_INTERVAL_S

    def _take(self, shard: str, cursor: _Cursor, limit: int, batch: Batch) -> None:
        answer = self._get(shard, cursor, limit)
        if answer is None:
            return
        if answer["Records"]:
            batch.first[shard] = cursor.position
            add = batch.records.append
            for record in answer["Records"]:
                if record["Data"].startswith(MAGIC):
                    batch.records += _parts(shard, record)
                else:
                    arrived_ms = _arrived_ms(record)
                    add(Record(shard, record["SequenceNumber"], 0, record["PartitionKey"], record["Data"], arrived_ms))
            last = answer["Records"][-1]["SequenceNumber"]
            batch.last[shard] = last
            cursor.position = after(last)
        self._tell_of_delay(shard, answer.get("MillisBehindLatest") or 0)
        cursor.iterator = answer.get("NextShardIterator")
        if cursor.iterator is None:
            batch.ended.append(shard)
            cursor.due_s = float("inf")  # the shard has no more records; `done` removes it

    def _tell_of_a_gap(self, shard: str) -> None:
        arrived_ms = self.shards.arrived_ms(shard)
        if arrived_ms is None:
            return
        gap_ms = self._wall_s() * 1000 - arrived_ms
        if gap_ms > LEAST_RETENTION_HOURS * HOUR_MS and gap_ms > self._retention_ms():
            log.error(
                "nothing was read of shard %s of %s for %.0f hours, and the stream keeps records for %.0f: what came "
                "before that is lost, if anything came",
                shard,
                self._stream,
                gap_ms / HOUR_MS,
                self._retention_ms() / HOUR_MS,
            )

    def _tell_of_delay(self, shard: str, behind_ms: int) -> None:
        is_late = behind_ms > ALMOST * LEAST_RETENTION_HOURS * HOUR_MS and self._clock() >= self._warn_due_s
        if is_late and behind_ms > ALMOST * self._retention_ms():
            self._warn_due_s = self._clock() + HOUR_MS / 1000
            log.warning(
                "shard %s of %s is read %.1f hours behind, and the stream keeps records for %.0f: they are about to be "
                "lost; read faster, or keep them for longer",
                shard,
                self._stream,
                behind_ms / HOUR_MS,
                self._retention_ms() / HOUR_MS,
            )

    def _retention_ms(self) -> float:
        """The stream's retention period; the service's minimum if it does not report one."""
        try:
            summary = self._call("describe_stream_summary", StreamName=self._stream)["StreamDescriptionSummary"]
            return float(summary["RetentionPeriodHours"]) * HOUR_MS
        except Exception as error:
            if not _code(error):
                raise
            log.debug("the retention of %s is not known: %s", self._stream, error)
            return float(LEAST_RETENTION_HOURS * HOUR_MS)

    def _get(self, shard: str, cursor: _Cursor, limit: int) -> Any:
        """The answer of GetRecords; None if the shard must be polled later."""
        try:
            if cursor.iterator is None:
                cursor.iterator = self._iterator(shard, cursor.position)
            answer = self._call("get_records", ShardIterator=cursor.iterator, Limit=limit)
        except Exception as error:
            code = _code(error)
            if code in _EXPIRED:
                cursor.iterator = None
                return None
            if code not in _TOO_OFTEN:
                raise
            cursor.due_s = self._clock() + cursor.pause_s
            cursor.pause_s = min(BACK_OFF_LIMIT_S, 2 * cursor.pause_s)
            return None
        cursor.pause_s = BACK_OFF_FIRST_S
        cursor.due_s = self._clock() + GET_INTERVAL_S
        return answer

    def _range(self, shard: str, position: dict[str, Any], last: str) -> Iterator[Record]:
        iterator: str | None = self._iterator(shard, position)
        pause_s = BACK_OFF_FIRST_S
        while iterator is not None:
            try:
                answer = self._call("get_records", ShardIterator=iterator, Limit=GET_LIMIT)
            except Exception as error:
                if _code(error) not in _TOO_OFTEN:
                    raise
                time.sleep(pause_s)
                pause_s = min(BACK_OFF_LIMIT_S, 2 * pause_s)
                continue
            for record in answer["Records"]:
                if int(record["SequenceNumber"]) > int(last):
                    return
                yield from _parts(shard, record)
                if record["SequenceNumber"] == last:
                    return
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] and not answer.get("MillisBehindLatest"):
                break
        raise LookupError(f"the records of {shard} up to {last} are not in the stream any more")

    def _iterator(self, shard: str, position: dict[str, Any]) -> str:
        answer = self._call("get_shard_iterator", StreamName=self._stream, ShardId=shard, **position)
        return str(answer["ShardIterator"])

    def _call(self, name: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, name)(**arguments)
        except Exception as error:
            if _code(error) == "ResourceNotFoundException":
                raise SettingError(f"there is no Kinesis stream {self._stream!r} or shard of it: {error}") from error
            raise


def _parts(shard: str, record: Mapping[str, Any]) -> Iterator[Record]:
    arrived_ms = _arrived_ms(record)
    for part, (key, data) in enumerate(user_records(record["PartitionKey"], record["Data"])):
        yield Record(shard, record["SequenceNumber"], part, key, data, arrived_ms)


def _arrived_ms(record: Mapping[str, Any]) -> int:
    arrived = record.get("ApproximateArrivalTimestamp")
    return int(arrived.timestamp() * 1000) if arrived is not None else 0


def _code(error: Exception) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
