"""ListTransactions (key 66), versions 0 to 2: filtered by state, producer id, age (from 1) and a pattern of the id
(from 2).
"""

from __future__ import annotations

import re

from smackbox.kafka.handlers.access import may
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation, ResourceType
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.transactions import TransactionState as State
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
    TransactionState,
)

PATTERN_LENGTH_LIMIT = 1000


def handle(broker: Broker, call: Call, request: ListTransactionsRequest) -> ListTransactionsResponse:
    """Answer ListTransactions: each entry has its own error code."""
    labels = {state.label for state in State}
    pattern = None
    if request.transactional_id_pattern:
        try:
            if len(request.transactional_id_pattern) > PATTERN_LENGTH_LIMIT:
                raise re.error("too long")
            pattern = re.compile(request.transactional_id_pattern)
        except re.error:
            return ListTransactionsResponse(error_code=errors.INVALID_REGULAR_EXPRESSION)
    now_ms = broker.clock.wall_ms()
    transactions = []
    for transaction in broker.transactions.transactions.values():
        if not may(broker, call, Operation.DESCRIBE, ResourceType.TRANSACTIONAL_ID, transaction.transactional_id):
            continue
        if request.producer_id_filters and transaction.producer_id not in request.producer_id_filters:
            continue
        if request.state_filters and transaction.state.label not in request.state_filters:
            continue
        if request.duration_filter >= 0 and (
            transaction.started_ms < 0 or now_ms - transaction.started_ms <= request.duration_filter
        ):
            continue
        if pattern is not None and not pattern.fullmatch(transaction.transactional_id):
            continue
        transactions.append(
            TransactionState(transaction.transactional_id, transaction.producer_id, transaction.state.label)
        )
    unknown = [name for name in request.state_filters if name not in labels]
    return ListTransactionsResponse(unknown_state_filters=unknown, transaction_states=transactions)
