"""Kinesis as a source: the records of all shards of a stream, polled with `boto3`.

    Kinesis.source(client, "clicks", start="TRIM_HORIZON").run_with(…)

A shard that was split or merged ends, and its children are read after it: records of one partition key keep their
order. A shard is asked again only when what it gave has been taken; a shard without records is asked each `poll_s`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from smackbox.akka.stream.source import Source

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
        if start not in {"LATEST", "TRIM_HORIZON"}:
            raise ValueError(f"start is LATEST or TRIM_HORIZON, not {start!r}")
        return Source.from_async_iterator(
            lambda: _Shards(client, stream, start, dict(after or {}), records, poll_s).records()
        )


class _Shards:
    def __init__(
        self, client: Any, stream: str, start: str, after: dict[str, str], records: int, poll_s: float
    ) -> None:
        self._client = client
        self._stream = stream
        self._start = start
        self._after = after
        self._records = records
        self._poll_s = poll_s
        self._iterators: dict[str, str] = {}
        self._known: set[str] = set()

    async def records(self) -> AsyncIterator[KinesisRecord]:
        await self._open(self._start)
        while True:
            idle = True
            ended = False
            for shard in list(self._iterators):
                answer = await self._call("get_records", ShardIterator=self._iterators[shard], Limit=self._records)
                for record in deque(answer["Records"]):
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
                    del self._iterators[shard]
                    ended = True
                else:
                    self._iterators[shard] = following
            if ended:
                await self._open("TRIM_HORIZON")
            if idle:
                await asyncio.sleep(self._poll_s)

    async def _open(self, start: str) -> None:
        """Begin with shards that are not known, and whose parents are not being read."""
        shards = await self._list()
        there = {shard["ShardId"] for shard in shards}
        for shard in shards:
            name = shard["ShardId"]
            parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")} & there
            waits = parents & (self._iterators.keys() | (there - self._known if start == "TRIM_HORIZON" else set()))
            if name in self._known or waits - {name}:
                continue
            self._known.add(name)
            kind: dict[str, str] = {"ShardIteratorType": start}
            if name in self._after:
                kind = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self._after[name]}
            answer = await self._call("get_shard_iterator", StreamName=self._stream, ShardId=name, **kind)
            self._iterators[name] = answer["ShardIterator"]

    async def _list(self) -> list[dict[str, Any]]:
        answer = await self._call("list_shards", StreamName=self._stream)
        shards: list[dict[str, Any]] = list(answer["Shards"])
        while answer.get("NextToken"):
            answer = await self._call("list_shards", NextToken=answer["NextToken"])
            shards += answer["Shards"]
        return shards

    async def _call(self, name: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(getattr(self._client, name), **arguments)
