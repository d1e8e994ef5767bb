"""UpdateFeatures (key 57), versions 0 to 2: feature levels are fixed; a request for the current level succeeds."""

from __future__ import annotations

from smackbox.kafka.handlers.access import check_cluster
from smackbox.kafka.handlers.call import Call
from smackbox.kafka.settings import NODE_ID
from smackbox.kafka.state.acls import Operation
from smackbox.kafka.state.broker import Broker
from smackbox.kafka.state.features import finalized_features
from smackbox.kafka.wire import error_codes as errors
from smackbox.kafka.wire.messages.update_features import (
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)


def handle(broker: Broker, call: Call, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    """Answer UpdateFeatures. Raises `KafkaError` when the whole request is rejected."""
    check_cluster(broker, call, Operation.ALTER)
    levels = dict(finalized_features())
    for update in request.feature_updates:
        if levels.get(update.feature) == update.max_version_level:
            continue
        reason = (
            f"Local controller {NODE_ID} does not support this feature."
            if update.feature not in levels
            else f"This broker serves level {levels[update.feature]} only."
        )
        return UpdateFeaturesResponse(
            error_code=errors.INVALID_UPDATE_VERSION,
            error_message="The update failed for all features since the following feature had an error: "
            f"Invalid update version {update.max_version_level} for feature {update.feature}. {reason}",
        )
    return UpdateFeaturesResponse(
        error_message=None,
        results=[UpdatableFeatureResult(update.feature, 0, "NONE") for update in request.feature_updates],
    )
