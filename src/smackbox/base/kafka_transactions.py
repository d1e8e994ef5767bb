"""Options of librdkafka for a producer with a transactional id."""

from __future__ import annotations

from functools import cache

REBOOTSTRAP_SINCE = 0x020B0000
"""librdkafka 2.11, with KIP-1102."""


@cache
def transaction_options() -> dict[str, str]:
    """Options that let a transaction survive the loss of all brokers.

    By default librdkafka 2.11 and later forgets its brokers when all of them are down, and starts again from the
    bootstrap servers. A request that waits for its coordinator at that moment is never answered and never times out:
    `send_offsets_to_transaction` then blocks forever. Seen with 2.16 and a broker that is killed again and again.
    """
    import confluent_kafka

    return {"metadata.recovery.strategy": "none"} if confluent_kafka.libversion()[1] >= REBOOTSTRAP_SINCE else {}
