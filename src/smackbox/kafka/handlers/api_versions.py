"""ApiVersions (key 18), versions 0 to 5: the APIs and features of this broker.

A request of an unknown version is answered in version 0 with UNSUPPORTED_VERSION and the list. The server does that, as
such a request cannot be decoded. From version 5 on a client names the node that it expects to have reached; if that is
another node, the answer asks it to bootstrap again (KIP-1242).
"""

from __future__ import annotations

import re

from smackbox.kafka.handlers.apis import APIS
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.features import FINALIZED_EPOCH, finalized_features, supported_features
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")


def handle(broker: Broker, call: Call, request: ApiVersionsRequest) -> ApiVersionsResponse:
    """Answer ApiVersions."""
    if call.version >= 3:
        names = (request.client_software_name, request.client_software_version)
        if not all(_SOFTWARE.fullmatch(name) for name in names):
            return ApiVersionsResponse(error_code=errors.INVALID_REQUEST)
        call.connection.client_software = names
    if request.cluster_id is not None and (
        request.cluster_id != broker.catalog.cluster_id or request.node_id not in {NODE_ID, -1}
    ):
        return ApiVersionsResponse(error_code=errors.REBOOTSTRAP_REQUIRED)
    # a feature whose lowest version is 0 cannot be expressed before version 4
    supported = [
        SupportedFeatureKey(name, low, high) for name, low, high in supported_features() if low > 0 or call.version >= 4
    ]
    return ApiVersionsResponse(
        api_keys=served(),
        supported_features=supported,
        finalized_features_epoch=FINALIZED_EPOCH,
        finalized_features=[FinalizedFeatureKey(name, level, level) for name, level in finalized_features()],
    )


def served() -> list[ApiVersion]:
    """The API keys and versions that are advertised."""
    return [
        ApiVersion(api.key, api.min_version if api.advertised_min is None else api.advertised_min, api.max_version)
        for api in APIS.values()
    ]
