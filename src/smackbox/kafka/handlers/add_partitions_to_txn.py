"""AddPartitionsToTxn (key 24), versions 0 to 5: add partitions to a producer's transaction.

Clients speak versions 0 to 3, with one transaction in a request. Brokers speak versions 4 and 5, with several
transactions in a request; `verify_only` asks whether the partitions have been added.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.kafka.handlers.access import may
from smackbox.kafka.handlers.call import PARKED, Call, Parked
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.topic import INTERNAL_TOPICS
from smackbox.kafka.state.transactions import TransactionState
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

SEVERAL_SINCE = 4
_Added = Callable[[AddPartitionsToTxnTransaction, int, dict[tuple[str, int], int]], None]
FENCED_SINCE = 2


def handle(broker: Broker, call: Call, request: AddPartitionsToTxnRequest) -> Parked:
    """Answer AddPartitionsToTxn, at once or on completion."""
    if call.version >= SEVERAL_SINCE:
        transactions = request.transactions
    else:
        transactions = [
            AddPartitionsToTxnTransaction(
                request.v3_and_below_transactional_id,
                request.v3_and_below_producer_id,
                request.v3_and_below_producer_epoch,
                False,
                request.v3_and_below_topics,
            )
        ]
    results: list[AddPartitionsToTxnResult] = []

    def added(transaction: AddPartitionsToTxnTransaction, code: int, unknown: dict[tuple[str, int], int]) -> None:
        results.append(_result(transaction, code, unknown))
        if len(results) < len(transactions):
            return
        if call.version >= SEVERAL_SINCE:
            call.respond(AddPartitionsToTxnResponse(results_by_transaction=results))
        else:
            call.respond(AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results[0].topic_results))

    if not transactions:
        call.respond(AddPartitionsToTxnResponse())
    for transaction in transactions:
        _add(broker, call, transaction, added)
    return PARKED


def _add(broker: Broker, call: Call, asked: AddPartitionsToTxnTransaction, added: _Added) -> None:
    wheres = {(topic.name, index) for topic in asked.topics for index in topic.partitions}
    if not may(broker, call, Operation.WRITE, ResourceType.TRANSACTIONAL_ID, asked.transactional_id):
        added(asked, errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, {})
        return
    refused = {where: _refusal(broker, call, *where) for where in wheres}
    unknown = {where: code for where, code in refused.items() if code}
    if unknown:
        added(asked, errors.OPERATION_NOT_ATTEMPTED, unknown)
        return
    try:
        transaction = broker.transactions.of_producer(asked.transactional_id, asked.producer_id, asked.producer_epoch)
        if asked.verify_only:
            if transaction.state is not TransactionState.ONGOING or not wheres <= transaction.partitions:
                raise KafkaError(errors.TRANSACTION_ABORTABLE if call.version >= 5 else errors.INVALID_TXN_STATE)
            added(asked, 0, {})
            return
        broker.transactions.add(transaction, wheres, 1, lambda error: added(asked, error.code if error else 0, {}))
    except KafkaError as error:
        code = error.code
        if code == errors.PRODUCER_FENCED and call.version < FENCED_SINCE:
            code = errors.INVALID_PRODUCER_EPOCH
        added(asked, code, {})


def _refusal(broker: Broker, call: Call, topic: str, index: int) -> int:
    """The error code of a partition that cannot be added, else 0."""
    if topic in INTERNAL_TOPICS or not may(broker, call, Operation.WRITE, ResourceType.TOPIC, topic):
        internal = topic in INTERNAL_TOPICS and broker.security.acls is None
        return errors.UNKNOWN_TOPIC_OR_PARTITION if internal else errors.TOPIC_AUTHORIZATION_FAILED
    known = broker.catalog.topics.get(topic)
    return 0 if known is not None and 0 <= index < len(known.partitions) else errors.UNKNOWN_TOPIC_OR_PARTITION


def _result(
    transaction: AddPartitionsToTxnTransaction, code: int, unknown: dict[tuple[str, int], int]
) -> AddPartitionsToTxnResult:
    def topic_result(topic: AddPartitionsToTxnTopic) -> AddPartitionsToTxnTopicResult:
        return AddPartitionsToTxnTopicResult(
            topic.name,
            [
                AddPartitionsToTxnPartitionResult(index, unknown.get((topic.name, index), code))
                for index in topic.partitions
            ],
        )

    return AddPartitionsToTxnResult(transaction.transactional_id, [topic_result(topic) for topic in transaction.topics])
