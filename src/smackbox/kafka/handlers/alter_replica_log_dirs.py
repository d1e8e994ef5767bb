"""AlterReplicaLogDirs (key 34), versions 1 and 2: there is one log directory, so every replica stays where it is."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


def handle(broker: Broker, call: Call, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse:
    """Answer AlterReplicaLogDirs. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.ALTER)
    codes: dict[str, dict[int, int]] = {}
    for directory in request.dirs:
        known = directory.path == str(broker.directory)
        for topic in directory.topics:
            for index in topic.partitions:
                codes.setdefault(topic.name, {})[index] = _code(broker, topic.name, index, known=known)
    return AlterReplicaLogDirsResponse(
        results=[
            AlterReplicaLogDirTopicResult(
                name, [AlterReplicaLogDirPartitionResult(index, code) for index, code in partitions.items()]
            )
            for name, partitions in codes.items()
        ]
    )


def _code(broker: Broker, topic: str, index: int, *, known: bool) -> int:
    if not known:
        return errors.LOG_DIR_NOT_FOUND
    topic_entry = broker.catalog.topics.get(topic)
    there = topic_entry is not None and 0 <= index < len(topic_entry.partitions)
    return 0 if there else errors.UNKNOWN_TOPIC_OR_PARTITION
