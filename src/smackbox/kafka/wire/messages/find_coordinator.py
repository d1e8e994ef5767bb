"""FindCoordinator (key 10), versions 0 to 6."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from smackbox.kafka.wire.schema import Int8, Int16, Int32, Message, NullableString, Since, String, Until


class FindCoordinatorRequest(Message):
    """The request of API key 10: versions 0 to 6, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 3

    key: Annotated[String, Until(3)] = ""
    key_type: Annotated[Int8, Since(1)] = 0
    coordinator_keys: Annotated[list[String], Since(4)] = msgspec.field(default_factory=list)


class Coordinator(Message):
    """An entry of `FindCoordinatorResponse.coordinators`."""

    key: Annotated[String, Since(4)] = ""
    node_id: Annotated[Int32, Since(4)] = 0
    host: Annotated[String, Since(4)] = ""
    port: Annotated[Int32, Since(4)] = 0
    error_code: Annotated[Int16, Since(4)] = 0
    error_message: Annotated[NullableString, Since(4)] = ""


class FindCoordinatorResponse(Message):
    """The response of API key 10: versions 0 to 6, flexible from 3."""

    VERSIONS: ClassVar[tuple[int, int]] = (0, 6)
    FLEXIBLE: ClassVar[int] = 3

    throttle_time_ms: Annotated[Int32, Since(1)] = 0
    error_code: Annotated[Int16, Until(3)] = 0
    error_message: Annotated[NullableString, Since(1), Until(3)] = ""
    node_id: Annotated[Int32, Until(3)] = 0
    host: Annotated[String, Until(3)] = ""
    port: Annotated[Int32, Until(3)] = 0
    coordinators: Annotated[list[Coordinator], Since(4)] = msgspec.field(default_factory=list)
