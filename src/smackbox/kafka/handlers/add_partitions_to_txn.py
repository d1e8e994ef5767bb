"""AddPartitionsToTxn (key 24), versions 0 to 5: partitions join a producer's transaction.

Clients speak versions 0 to 3, one transaction a request. Versions 4 and 5 are brokers' words, several transactions at
once, `verify_only` asking whether the partitions are in.
"""

from __future__ import annotations

from collections.abc import Callable

from smackbox.kafka.handlers.call import PARKED, Call, Parked
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
_Added = Callable[[AddPartitionsToTxnTransaction, int, set[tuple[str, int]]], None]
FENCED_SINCE = 2


def handle(broker: Broker, call: Call, request: AddPartitionsToTxnRequest) -> Parked:
    if call.version >= SEVERAL_SINCE:
        asked = request.transactions
    else:
        asked = [
            AddPartitionsToTxnTransaction(
                request.v3_and_below_transactional_id,
                request.v3_and_below_producer_id,
                request.v3_and_below_producer_epoch,
                False,
                request.v3_and_below_topics,
            )
        ]
    results: list[AddPartitionsToTxnResult] = []

    def added(transaction: AddPartitionsToTxnTransaction, code: int, unknown: set[tuple[str, int]]) -> None:
        results.append(_result(transaction, code, unknown))
        if len(results) < len(asked):
            return
        if call.version >= SEVERAL_SINCE:
            call.respond(AddPartitionsToTxnResponse(results_by_transaction=results))
        else:
            call.respond(AddPartitionsToTxnResponse(results_by_topic_v3_and_below=results[0].topic_results))

    if not asked:
        call.respond(AddPartitionsToTxnResponse())
    for transaction in asked:
        _add(broker, call, transaction, added)
    return PARKED


def _add(broker: Broker, call: Call, asked: AddPartitionsToTxnTransaction, added: _Added) -> None:
    wheres = {(topic.name, index) for topic in asked.topics for index in topic.partitions}
    unknown = {where for where in wheres if not _exists(broker, *where)}
    if unknown:
        added(asked, errors.OPERATION_NOT_ATTEMPTED, unknown)
        return
    try:
        transaction = broker.transactions.of_producer(asked.transactional_id, asked.producer_id, asked.producer_epoch)
        if asked.verify_only:
            if transaction.state is not TransactionState.ONGOING or not wheres <= transaction.partitions:
                raise KafkaError(errors.TRANSACTION_ABORTABLE if call.version >= 5 else errors.INVALID_TXN_STATE)
            added(asked, 0, set())
            return
        broker.transactions.add(transaction, wheres, 1, lambda error: added(asked, error.code if error else 0, set()))
    except KafkaError as error:
        code = error.code
        if code == errors.PRODUCER_FENCED and call.version < FENCED_SINCE:
            code = errors.INVALID_PRODUCER_EPOCH
        added(asked, code, set())


def _exists(broker: Broker, topic: str, index: int) -> bool:
    known = broker.catalog.topics.get(topic)
    return known is not None and topic not in INTERNAL_TOPICS and 0 <= index < len(known.partitions)


def _result(
    transaction: AddPartitionsToTxnTransaction, code: int, unknown: set[tuple[str, int]]
) -> AddPartitionsToTxnResult:
    def topic_result(topic: AddPartitionsToTxnTopic) -> AddPartitionsToTxnTopicResult:
        return AddPartitionsToTxnTopicResult(
            topic.name,
            [
                AddPartitionsToTxnPartitionResult(
                    index, errors.UNKNOWN_TOPIC_OR_PARTITION if (topic.name, index) in unknown else code
                )
                for index in topic.partitions
            ],
        )

    return AddPartitionsToTxnResult(transaction.transactional_id, [topic_result(topic) for topic in transaction.topics])
