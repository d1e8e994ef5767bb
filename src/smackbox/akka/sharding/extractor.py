"""To which shard an entity belongs: by Java's hash of its id, as JVMs find it."""

from __future__ import annotations

NUMBER_OF_SHARDS = 1_000


def java_hash(text: str) -> int:
    """`String.hashCode`: a signed number of 32 bits over UTF-16."""
    data = text.encode("utf-16-be", "surrogatepass")
    hashed = 0
    for place in range(0, len(data), 2):
        hashed = (31 * hashed + (data[place] << 8 | data[place + 1])) & 0xFFFFFFFF
    return hashed - (1 << 32) if hashed >> 31 else hashed


def shard_of(entity_id: str, number_of_shards: int = NUMBER_OF_SHARDS) -> str:
    """As Pekko's `HashCodeMessageExtractor`: the absolute hash modulo the number of shards.

    Of the lowest of all hashes there is no absolute in 32 bits, so its shard has a negative name, there as here.
    """
    hashed = java_hash(entity_id)
    if hashed == -(1 << 31):
        return str(-((1 << 31) % number_of_shards))
    return str(abs(hashed) % number_of_shards)
