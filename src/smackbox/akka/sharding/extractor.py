"""To which shard an entity belongs: by Java's hash of its id, as JVMs find it."""

from __future__ import annotations

from smackbox.akka.cluster.names import java_hash

NUMBER_OF_SHARDS = 1_000


def shard_of(entity_id: str, number_of_shards: int = NUMBER_OF_SHARDS) -> str:
    """As Pekko's `HashCodeMessageExtractor`: the absolute hash modulo the number of shards.

    Of the lowest of all hashes there is no absolute in 32 bits, so its shard has a negative name, there as here.
    """
    hashed = java_hash(entity_id)
    if hashed == -(1 << 31):
        return str(-((1 << 31) % number_of_shards))
    return str(abs(hashed) % number_of_shards)
