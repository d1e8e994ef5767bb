"""CreateAcls (key 30), versions 1 to 3: each binding is checked on its own."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import (
    ACLS_LIMIT,
    CLUSTER_NAME,
    Acl,
    Operation,
    PatternType,
    Permission,
    ResourceType,
)
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.create_acls import (
    AclCreation,
    AclCreationResult,
    CreateAclsRequest,
    CreateAclsResponse,
)


def handle(broker: Broker, call: Call, request: CreateAclsRequest) -> CreateAclsResponse:
    """Answer CreateAcls: each entry has its own error code."""
    results, good = [], []
    for creation in request.creations:
        try:
            check_cluster(broker, call, Operation.ALTER)
            good.append(_acl(broker, creation))
            results.append(AclCreationResult(0, None))
        except KafkaError as error:
            results.append(AclCreationResult(error.code, error.message))
    if good:
        broker.security.add_acls(good)
    return CreateAclsResponse(results=results)


def _acl(broker: Broker, asked: AclCreation) -> Acl:
    if len(broker.security.authorizer()) >= ACLS_LIMIT:
        raise KafkaError(errors.INVALID_REQUEST, f"there are {ACLS_LIMIT} ACLs already, the maximum")
    if (
        asked.resource_type not in set(ResourceType) - {ResourceType.ANY}
        or asked.resource_pattern_type not in {PatternType.LITERAL, PatternType.PREFIXED}
        or asked.operation not in set(Operation) - {Operation.ANY}
        or asked.permission_type not in {Permission.ALLOW, Permission.DENY}
        or not asked.resource_name
    ):
        raise KafkaError(
            errors.INVALID_REQUEST, "an ACL names a resource, an operation and a permission, none of them ANY"
        )
    if asked.resource_type == ResourceType.CLUSTER and asked.resource_name != CLUSTER_NAME:
        raise KafkaError(errors.INVALID_REQUEST, f"The only valid name for the CLUSTER resource is {CLUSTER_NAME}")
    if ":" not in asked.principal:
        raise KafkaError(errors.INVALID_REQUEST, "Could not parse principal: it must be like User:name")
    return Acl(
        asked.resource_type,
        asked.resource_name,
        asked.resource_pattern_type,
        asked.principal,
        asked.host,
        asked.operation,
        asked.permission_type,
    )
