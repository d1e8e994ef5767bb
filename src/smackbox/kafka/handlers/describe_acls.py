"""DescribeAcls (key 29), versions 1 to 3: the bindings that a filter matches, grouped by resource."""

from __future__ import annotations

from itertools import groupby

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import AclFilter, Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)


def handle(broker: Broker, call: Call, request: DescribeAclsRequest) -> DescribeAclsResponse:
    """Answer DescribeAcls. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.DESCRIBE)
    try:
        acls = broker.security.authorizer()
    except KafkaError as error:
        return DescribeAclsResponse(error_code=error.code, error_message=error.message)
    acl_filter = AclFilter(
        request.resource_type_filter,
        request.resource_name_filter,
        request.pattern_type_filter,
        request.principal_filter,
        request.host_filter,
        request.operation,
        request.permission_type,
    )
    bindings = acls.matching(acl_filter)
    resources = [
        DescribeAclsResource(
            *resource, [AclDescription(acl.principal, acl.host, acl.operation, acl.permission) for acl in acls]
        )
        for resource, acls in groupby(
            bindings, key=lambda acl: (acl.resource_type, acl.resource_name, acl.pattern_type)
        )
    ]
    return DescribeAclsResponse(error_message=None, resources=resources)
