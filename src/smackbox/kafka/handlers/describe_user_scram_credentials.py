"""DescribeUserScramCredentials (key 50), version 0: mechanisms and iterations, never a secret."""

from __future__ import annotations

from collections import Counter

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.scram import MECHANISM_TYPES
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.describe_user_scram_credentials import (
    CredentialInfo,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
)


def handle(
    broker: Broker, call: Call, request: DescribeUserScramCredentialsRequest
) -> DescribeUserScramCredentialsResponse:
    """Answer DescribeUserScramCredentials. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE)
    known = broker.security.credentials
    requested = Counter(user.name for user in request.users or ()) or Counter({user: 1 for user, _ in known})
    results = []
    for user, times in sorted(requested.items()):
        infos = [
            CredentialInfo(kind, known[user, mechanism].iterations)
            for kind, mechanism in MECHANISM_TYPES.items()
            if (user, mechanism) in known
        ]
        if times > 1:
            message = f"Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
            results.append(DescribeUserScramCredentialsResult(user, errors.DUPLICATE_RESOURCE, message))
        elif not infos:
            message = f"Attempt to describe a user credential that does not exist: {user}"
            results.append(DescribeUserScramCredentialsResult(user, errors.RESOURCE_NOT_FOUND, message))
        else:
            results.append(DescribeUserScramCredentialsResult(user, 0, None, infos))
    return DescribeUserScramCredentialsResponse(error_message=None, results=results)
