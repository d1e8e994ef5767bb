"""The answer to a request that failed as a whole: its response type with the error code in each of its error fields."""

from __future__ import annotations

from typing import Any

import msgspec

from smackbox.kafka.handlers.apis import FETCH_KEY, PRODUCE_KEY, Api
from smackbox.kafka.handlers.call import Answer, Call
from smackbox.kafka.state.errors import KafkaError
from smackbox.kafka.wire import fetch, produce


def refusal(api: Api, call: Call, request: Any, error: KafkaError) -> Answer | None:
    """Raises `error` when the response has no top-level error field: then the connection is closed."""
    if api.key == PRODUCE_KEY:
        if request.acks == 0:
            return None
        topics = [
            (name, [produce.ProducedPartition(index, error.code, error_message=error.message) for index, _ in batches])
            for name, batches in request.topics
        ]
        return produce.write_response(topics, call.version)
    if api.key == FETCH_KEY:
        refused = [
            (name, [fetch.FetchedPartition(want.partition, error.code, -1, -1, -1, None, b"") for want in asked])
            for name, asked in request.topics
        ]
        return fetch.write_response(refused, call.version, error.code)
    names = {field.name for field in msgspec.structs.fields(api.response_type)}
    if "error_code" not in names:
        raise error
    values: dict[str, Any] = {"error_code": error.code}
    if "error_message" in names:
        values["error_message"] = error.message
    return api.response_type(**values)
