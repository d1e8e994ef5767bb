"""DeleteAcls (key 31), versions 1 to 3: delete every binding that a filter matches, and return it."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.state.acls import AclFilter, Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire.messages.delete_acls import (
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)


def handle(broker: Broker, call: Call, request: DeleteAclsRequest) -> DeleteAclsResponse:
    """Answer DeleteAcls: each entry has its own error code."""
    try:
        check_cluster(broker, call, Operation.ALTER)
        broker.security.authorizer()
    except KafkaError as error:
        refused = DeleteAclsFilterResult(error.code, error.message)
        return DeleteAclsResponse(filter_results=[refused for _ in request.filters])
    filters = [
        AclFilter(
            acl_filter.resource_type_filter,
            acl_filter.resource_name_filter,
            acl_filter.pattern_type_filter,
            acl_filter.principal_filter,
            acl_filter.host_filter,
            acl_filter.operation,
            acl_filter.permission_type,
        )
        for acl_filter in request.filters
    ]
    results = []
    for removed in broker.security.remove_acls(filters):
        matching = [
            DeleteAclsMatchingAcl(
                0,
                None,
                acl.resource_type,
                acl.resource_name,
                acl.pattern_type,
                acl.principal,
                acl.host,
                acl.operation,
                acl.permission,
            )
            for acl in removed
        ]
        results.append(DeleteAclsFilterResult(0, None, matching))
    return DeleteAclsResponse(filter_results=results)
