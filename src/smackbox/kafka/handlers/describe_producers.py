"""DescribeProducers (key 61), version 0: the active producers of a partition."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_topic
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)


def handle(broker: Broker, call: Call, request: DescribeProducersRequest) -> DescribeProducersResponse:
    """Answer DescribeProducers: each entry has its own error code."""
    return DescribeProducersResponse(
        topics=[
            TopicResponse(topic.name, [_describe(broker, call, topic.name, index) for index in topic.partition_indexes])
            for topic in request.topics
        ]
    )


def _describe(broker: Broker, call: Call, topic: str, index: int) -> PartitionResponse:
    try:
        check_topic(broker, call, Operation.READ, topic)
        partition = broker.catalog.partition(topic, index)
    except KafkaError as error:
        return PartitionResponse(index, error.code, error.message)
    return PartitionResponse(
        index,
        active_producers=[
            ProducerState(
                state.producer_id,
                state.epoch,
                state.last_sequence,
                state.last_timestamp,
                state.coordinator_epoch,
                state.transaction_first_offset,
            )
            for state in partition.producers.states.values()
        ],
    )
