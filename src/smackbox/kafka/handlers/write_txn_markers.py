"""WriteTxnMarkers (key 27), versions 1 and 2: end producers' transactions on partitions.

Between brokers it carries the coordinator's decision; an admin client sends it to abort a hanging transaction.
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.partition import Partition
from smackbox.kafka.wire.control_record import Marker
from smackbox.kafka.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)


def handle(broker: Broker, call: Call, request: WriteTxnMarkersRequest) -> Parked:
    """Answer WriteTxnMarkers, at once or on completion. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.CLUSTER_ACTION)
    marked: list[Partition] = []
    results = [_write(broker, marker, marked) for marker in request.markers]

    def durable(error: KafkaError | None) -> None:
        if error is not None:
            for result in results:
                for topic in result.topics:
                    for partition in topic.partitions:
                        partition.error_code = partition.error_code or error.code
        call.respond(WriteTxnMarkersResponse(results))

    broker.when_durable(marked, durable)
    return PARKED


def _write(broker: Broker, asked: WritableTxnMarker, marked: list[Partition]) -> WritableTxnMarkerResult:
    marker = Marker(asked.transaction_result, asked.coordinator_epoch)
    topics = []
    for topic in asked.topics:
        answers = []
        for index in topic.partition_indexes:
            code = 0
            try:
                partition = broker.catalog.partition(topic.name, index)
                partition.check_marker(asked.producer_id, asked.producer_epoch, marker)
                broker.transactions.mark(partition, asked.producer_id, asked.producer_epoch, marker)
                marked.append(partition)
            except KafkaError as error:
                code = error.code
            answers.append(WritableTxnMarkerPartitionResult(index, code))
        topics.append(WritableTxnMarkerTopicResult(topic.name, answers))
    return WritableTxnMarkerResult(asked.producer_id, topics)
