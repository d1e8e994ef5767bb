"""DescribeTransactions (key 65), version 0: the state of transactions by transactional id."""

from __future__ import annotations

from smackbox.kafka.handlers.access import may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    TopicData,
    TransactionState,
)


def handle(broker: Broker, call: Call, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse:
    """Answer DescribeTransactions: each entry has its own error code."""
    return DescribeTransactionsResponse(
        transaction_states=[_describe(broker, call, name) for name in request.transactional_ids]
    )


def _describe(broker: Broker, call: Call, name: str) -> TransactionState:
    if not name:
        return TransactionState(errors.INVALID_REQUEST, name)
    if not may(broker, call, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, name):
        return TransactionState(errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, name)
    transaction = broker.transactions.transactions.get(name)
    if transaction is None:
        return TransactionState(errors.TRANSACTIONAL_ID_NOT_FOUND, name)
    by_topic: dict[str, list[int]] = {}
    for topic, index in sorted(transaction.partitions):
        by_topic.setdefault(topic, []).append(index)
    return TransactionState(
        0,
        name,
        transaction.state.label,
        transaction.timeout_ms,
        transaction.started_ms,
        transaction.producer_id,
        transaction.epoch,
        [TopicData(topic, indexes) for topic, indexes in by_topic.items()],
    )
