"""Kinesis as a source: the records of all shards of a stream, polled with `boto3`.

    Kinesis.source(client, "clicks", start="TRIM_HORIZON").run_with(…)

A shard that was split or merged ends, and its children are read after it: records of one partition key keep their
order. A shard is asked again only when what it gave has been taken; a shard without records is asked each `poll_s`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from smackbox.akka.stream.source import Source
from smackbox.kinesis.shards import LATEST, TRIM_HORIZON, Shard, Shards

RECORDS = 1_000
"""Records of one answer."""
POLL_S = 1.0
"""AWS allows five reads of a shard a second."""


@dataclass(frozen=True, slots=True)
class KinesisRecord:
    """A record of a shard; `behind_ms` is how far the reader is behind the shard's end."""

    shard: str
    sequence: str
    key: str
    data: bytes
    behind_ms: int
    """How far the answer was behind the end of its shard."""


class Kinesis:
    """Sources of Kinesis' streams."""

    @staticmethod
    def source(
        client: Any,
        stream: str,
        *,
        start: str = "LATEST",
        after: Mapping[str, str] | None = None,
        records: int = RECORDS,
        poll_s: float = POLL_S,
    ) -> Source[KinesisRecord, None]:
        """Records of all shards. `start` is LATEST or TRIM_HORIZON; `after` gives sequence numbers to go on after, by
        shard. Errors of the client fail the stream: `RestartSource` goes on from them. Raises `ValueError`.
        """
        if start not in {LATEST, TRIM_HORIZON}:
            raise ValueError(f"start is LATEST or TRIM_HORIZON, not {start!r}")

        def begin() -> AsyncIterator[KinesisRecord]:
            shards = Shards(start, int(time.time() * 1000))
            for shard, sequence in (after or {}).items():
                shards.read(shard, sequence)
            return _Reader(client, stream, shards, records, poll_s).records()

        return Source.from_async_iterator(begin)


class _Reader:
    def __init__(self, client: Any, stream: str, shards: Shards, records: int, poll_s: float) -> None:
        self._client = client
        self._stream = stream
        self._shards = shards
        self._records = records
        self._poll_s = poll_s
        self._iterators: dict[str, str] = {}

    async def records(self) -> AsyncIterator[KinesisRecord]:
        await self._list()
        while True:
            idle = True
            for shard in self._shards.readable():
                answer = await self._call("get_records", ShardIterator=await self._iterator(shard), Limit=self._records)
                for record in answer["Records"]:
                    idle = False
                    yield KinesisRecord(
                        shard,
                        record["SequenceNumber"],
                        record["PartitionKey"],
                        record["Data"],
                        answer.get("MillisBehindLatest", 0),
                    )
                following = answer.get("NextShardIterator")
                if following is None:
                    self._shards.ended(shard)
                    await self._list()
                else:
                    self._iterators[shard] = following
            if idle:
                await asyncio.sleep(self._poll_s)

    async def _iterator(self, shard: str) -> str:
        if shard not in self._iterators:
            position = self._shards.position(shard)
            answer = await self._call("get_shard_iterator", StreamName=self._stream, ShardId=shard, **position)
            self._iterators[shard] = answer["ShardIterator"]
        return self._iterators[shard]

    async def _list(self) -> None:
        answer = await self._call("list_shards", StreamName=self._stream)
        listed: list[dict[str, Any]] = list(answer["Shards"])
        while answer.get("NextToken"):
            answer = await self._call("list_shards", NextToken=answer["NextToken"])
            listed += answer["Shards"]
        self._shards.listed(map(Shard.of, listed))

    async def _call(self, name: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(self._client, name), **arguments)
