"""DescribeLogDirs (key 35), versions 1 to 5: the one data directory, and the size of each partition in it."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)


def handle(broker: Broker, call: Call, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    """Answer DescribeLogDirs. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE)
    requested = None if request.topics is None else {topic.topic: set(topic.partitions) for topic in request.topics}
    topics = []
    for topic in broker.catalog.topics.values():
        partitions = [
            DescribeLogDirsPartition(partition.index, partition.log.size)
            for partition in topic.partitions
            if requested is None or partition.index in requested.get(topic.name, ())
        ]
        if partitions:
            topics.append(DescribeLogDirsTopic(topic.name, partitions))
    total, free = broker.fs.space(broker.directory)
    return DescribeLogDirsResponse(
        results=[DescribeLogDirsResult(0, str(broker.directory), topics, total_bytes=total, usable_bytes=free)]
    )
