"""Users' texts as names of actors (types, shards, entities, topics), and as numbers, both as JVMs make them."""

from __future__ import annotations

from urllib.parse import quote_plus


def encode_name(text: str) -> str:
    """As Java's `URLEncoder` encodes it, so that paths are the same on JVMs."""
    return quote_plus(text, safe="*").replace("~", "%7E")


def java_hash(text: str) -> int:
    """`String.hashCode`: a signed number of 32 bits over UTF-16."""
    data = text.encode("utf-16-be", "surrogatepass")
    hashed = 0
    for place in range(0, len(data), 2):
        hashed = (31 * hashed + (data[place] << 8 | data[place + 1])) & 0xFFFFFFFF
    return hashed - (1 << 32) if hashed >> 31 else hashed
