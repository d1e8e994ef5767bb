"""The topics in a classic consumer's subscription, which the group protocol carries as bytes of its own."""

from __future__ import annotations

from smackbox.base.errors import ProtocolError
from smackbox.kafka.wire.messages.consumer_protocol import ConsumerProtocolSubscription
from smackbox.kafka.wire.schema import read


def subscribed_topics(metadata: bytes) -> list[str]:
    """Raises `ProtocolError` when the bytes are not a consumer's subscription."""
    if len(metadata) < 2:
        raise ProtocolError("a subscription is cut short")
    version = int.from_bytes(metadata[:2], "big", signed=True)
    if version < 0:
        raise ProtocolError(f"a subscription of version {version}")
    known = min(version, ConsumerProtocolSubscription.VERSIONS[1])
    return read(ConsumerProtocolSubscription, known, metadata, 2)[0].topics
