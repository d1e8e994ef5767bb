"""Names of actors that are made of users' texts: types, shards, entities, topics."""

from __future__ import annotations

from urllib.parse import quote_plus


def encode_name(text: str) -> str:
    """As Java's `URLEncoder` encodes it, so that paths are the same on JVMs."""
    return quote_plus(text, safe="*").replace("~", "%7E")
