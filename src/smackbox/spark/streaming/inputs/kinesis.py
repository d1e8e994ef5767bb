"""A Kinesis stream as a source: shards in their order, records of Amazon's producer library taken apart.

State: the shards as `kinesis.shards` keeps them; it is the stream's own checkpoint, written with its totals. A plan is
the ranges of sequence numbers by shard. Throttling is answered by pauses that double (`kinesis.reader`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smackbox.base.errors import SettingError, StartError
from smackbox.kinesis.reader import Batch, Reader
from smackbox.kinesis.shards import Shards
from smackbox.spark.streaming.errors import DataLossError, SourceAwayError
from smackbox.spark.streaming.inputs.input import Bounds, Done, Known, OwnRecord, Stopped, Taken

POLL_PAUSE_S = 0.05
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5, 30


class KinesisInput:
    """`make_client` gives boto3's client or one like it; `start` is LATEST, TRIM_HORIZON or ms since 1970."""

    strict = True

    def __init__(
        self,
        name: str,
        make_client: Callable[[], Any],
        start: str | int,
        *,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._make_client = make_client
        self._start = start
        self._wall_ms = wall_ms
        self._pause = pause
        self._client: Any = None
        self._reader: Reader | None = None
        self._taken: Batch | None = None

    def open(self, saved: Any, known: Known) -> Any:
        if self._client is None:
            self._client = self._make_client()
        shards = Shards(self._start, self._wall_ms()) if saved is None else Shards.restored(saved)
        self._reader = Reader(self._client, self.name, shards)
        return shards.state()

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        reader = self._open_reader()
        taken = Batch()
        size = 0
        while True:
            try:
                came = reader.poll(bounds.rows - len(taken.records))
            except Exception as error:
                # shards that answered before this one have moved on; they are read again from what is committed
                self._restart(reader)
                raise _as_away(error, self.name) from error
            if not came.records and not taken.records:
                reader.done(came)  # shards may have ended without a record
            else:
                _add(taken, came)
            size += sum(len(record.data) for record in came.records)
            left_s = bounds.deadline - time.monotonic()
            is_enough = len(taken.records) >= (1 if bounds.eager else bounds.rows) or size >= bounds.size
            if left_s <= 0 or is_enough or stopped():
                break
            self._pause(min(POLL_PAUSE_S, left_s))
        if not taken.records:
            return None
        self._taken = taken
        return Taken(self._records(taken), taken.ranges())

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        reader = self._open_reader()
        try:
            self._taken = reader.again(plan)
        except LookupError as error:
            raise DataLossError(f"{self.name}: {error}: remove the checkpoint to begin again") from error
        except Exception as error:
            self._restart(reader)
            raise _as_away(error, self.name) from error
        return self._records(self._taken)

    def done(self, plan: Any) -> Done:
        reader = self._open_reader()
        assert self._taken is not None, "a batch was taken"
        reader.done(self._taken)
        self._taken = None
        return Done(reader.shards.state())

    def lag(self) -> int | None:
        return None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open_reader(self) -> Reader:
        assert self._reader is not None, "open comes first"
        return self._reader

    def _restart(self, reader: Reader) -> None:
        self._reader = Reader(self._client, self.name, Shards.restored(reader.shards.state()))

    def _records(self, batch: Batch) -> list[Any]:
        return [
            OwnRecord(record.data, self.name, record.shard, f"{record.sequence}.{record.part}", record.key.encode())
            for record in batch.records
        ]


def client_maker(
    region: str | None, endpoint: str | None, key_id: str | None = None, secret: str | None = None
) -> Callable[[], Any]:
    """Makes boto3's client; the environment has what is not given. Raises `StartError` without boto3."""

    def make() -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise StartError("Kinesis needs boto3: pip install 'smackbox[aws]'") from error
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S, read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 1}
        )
        return boto3.client(
            "kinesis",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=config,
        )

    return make


def _add(taken: Batch, came: Batch) -> None:
    taken.records += came.records
    taken.first = {**came.first, **taken.first}
    taken.last |= came.last
    taken.ended += came.ended


def _as_away(error: Exception, name: str) -> Exception:
    """An error of the service or of the way to it passes; one of our own does not."""
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, SettingError | BotoCoreError | ClientError):
        return SourceAwayError(f"the Kinesis stream {name} does not answer: {error}")
    return error
