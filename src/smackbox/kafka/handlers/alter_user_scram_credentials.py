"""AlterUserScramCredentials (key 51), version 0: the client salts the password, the broker stores keys derived from it.

There is one result for each user. If a user's changes contradict each other, none of them is applied (KIP-554).
"""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.state.scram import MAX_ITERATIONS, MECHANISM_TYPES, MIN_ITERATIONS, ScramCredential
from smackbox.kafka.state.security import CREDENTIALS_LIMIT
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)

Changes = dict[tuple[str, str], ScramCredential | None]


def handle(broker: Broker, call: Call, request: AlterUserScramCredentialsRequest) -> AlterUserScramCredentialsResponse:
    """Answer AlterUserScramCredentials."""
    changes: dict[str, Changes] = {}
    refused: dict[str, KafkaError] = {}
    altered: list[ScramCredentialDeletion | ScramCredentialUpsertion] = [*request.deletions, *request.upsertions]
    for change in altered:
        mine = changes.setdefault(change.name, {})
        try:
            check_cluster(broker, call, Operation.ALTER)
            mechanism = _mechanism(change.name, change.mechanism)
            if (change.name, mechanism) in mine:
                raise KafkaError(
                    errors.DUPLICATE_RESOURCE,
                    "A user credential cannot be altered twice in the same request",
                )
            if isinstance(change, ScramCredentialUpsertion):
                mine[change.name, mechanism] = _credential(broker, mechanism, change)
            elif (change.name, mechanism) in broker.security.credentials:
                mine[change.name, mechanism] = None
            else:
                raise KafkaError(errors.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist")
        except KafkaError as error:
            refused.setdefault(change.name, error)
    made: Changes = {}
    for user, mine in changes.items():
        if user not in refused:
            made.update(mine)
    if made:
        broker.security.change_credentials(made)
    results = []
    for user in changes:
        refusal = refused.get(user)
        code, message = (0, None) if refusal is None else (refusal.code, refusal.message)
        results.append(AlterUserScramCredentialsResult(user, code, message))
    return AlterUserScramCredentialsResponse(results=results)


def _mechanism(user: str, kind: int) -> str:
    if not user:
        raise KafkaError(errors.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
    mechanism = MECHANISM_TYPES.get(kind)
    if mechanism is None:
        raise KafkaError(errors.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")
    return mechanism


def _credential(broker: Broker, mechanism: str, asked: ScramCredentialUpsertion) -> ScramCredential:
    if asked.iterations < MIN_ITERATIONS:
        raise KafkaError(errors.UNACCEPTABLE_CREDENTIAL, "Too few iterations")
    if asked.iterations > MAX_ITERATIONS:
        raise KafkaError(errors.UNACCEPTABLE_CREDENTIAL, "Too many iterations")
    if len(broker.security.credentials) >= CREDENTIALS_LIMIT:
        raise KafkaError(errors.UNACCEPTABLE_CREDENTIAL, f"there are {CREDENTIALS_LIMIT} credentials already")
    return ScramCredential.from_salted(mechanism, asked.salted_password, asked.salt, asked.iterations)
