"""DescribeClientQuotas (key 48), versions 0 and 1: no quota is set."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.wire.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)


def handle(broker: Broker, call: Call, _request: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse:
    """Answer DescribeClientQuotas. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE_CONFIGS)
    return DescribeClientQuotasResponse()
