# ruff: noqa: N802, N803, ARG004 - KinesisUtils' names and parameters
"""`KinesisUtils.createStream`: batches of a Kinesis stream, resharded or not, with the checkpoint of the program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smackbox.base.errors import SettingError, StartError
from smackbox.kinesis.reader import Batch, Reader
from smackbox.kinesis.shards import LATEST, TRIM_HORIZON, Shards
from smackbox.spark.dstreams.context import StreamingContext
from smackbox.spark.dstreams.dstream import DStream
from smackbox.spark.dstreams.inputs import Input
from smackbox.spark.rdd.kafka import as_text
from smackbox.spark.rdd.rdd import RDD

BATCH_LIMIT = 100_000
"""Records of one batch; the next one takes what is left."""


class InitialPositionInStream:
    """Where a stream begins that has no checkpoint."""

    LATEST, TRIM_HORIZON = 0, 1


class KinesisUtils:
    """Streams of Kinesis."""

    @staticmethod
    def createStream(
        ssc: StreamingContext,
        kinesisAppName: str,
        streamName: str,
        endpointUrl: str | None = None,
        regionName: str | None = None,
        initialPositionInStream: int = InitialPositionInStream.LATEST,
        checkpointInterval: float | None = None,
        storageLevel: Any = None,
        awsAccessKeyId: str | None = None,
        awsSecretKey: str | None = None,
        decoder: Callable[[bytes | None], Any] = as_text,
        *,
        client: Any = None,
    ) -> DStream:
        """The data of each record, decoded. Records of the producer's library are taken apart.

        Progress is the context's checkpoint, not a table of DynamoDB's: `kinesisAppName` and `checkpointInterval` are
        Spark's. `client` is boto3's, or one like it.
        """
        if initialPositionInStream not in {InitialPositionInStream.LATEST, InitialPositionInStream.TRIM_HORIZON}:
            raise SettingError("initialPositionInStream is InitialPositionInStream.LATEST or TRIM_HORIZON")
        if client is None:
            client = _client(endpointUrl, regionName, awsAccessKeyId, awsSecretKey)
        start = LATEST if initialPositionInStream == InitialPositionInStream.LATEST else TRIM_HORIZON
        return ssc.input(KinesisInput(ssc, client, streamName, start, decoder))


class KinesisInput(Input):
    """Batches of one stream."""

    def __init__(
        self, ssc: StreamingContext, client: Any, stream: str, start: str, decoder: Callable[[bytes | None], Any]
    ) -> None:
        self._sc = ssc.sparkContext
        self._reader = Reader(client, stream, Shards(start, int(time.time() * 1000)))
        self._decoder = decoder
        self._polled: Batch | None = None

    def plan(self) -> Any:
        batch = self._reader.poll(BATCH_LIMIT)
        if not batch.records:
            self._reader.done(batch)  # shards may have ended without a record
            return None
        self._polled = batch
        return batch.ranges()

    def rdd(self, plan: Any) -> RDD:
        if self._polled is None:
            self._polled = self._reader.again(plan)
        data = [record.data for record in self._polled.records]
        return self._sc.parallelize(data).map(self._decoder)

    def done(self, plan: Any) -> None:
        if self._polled is not None:
            self._reader.done(self._polled)
            self._polled = None

    def state(self) -> Any:
        return self._reader.shards.state()

    def restore(self, state: Any) -> None:
        self._reader.shards = Shards.restored(state)


def _client(endpoint: str | None, region: str | None, key_id: str | None, secret: str | None) -> Any:
    try:
        import boto3
    except ImportError as error:
        raise StartError("Kinesis needs boto3: pip install 'smackbox[aws]'") from error
    return boto3.client(
        "kinesis",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )
