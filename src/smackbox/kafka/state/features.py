"""The features of this broker (KIP-584): clients use a feature when they see it finalized.

`transaction.version` is fixed at the level that the transaction coordinator implements; `metadata.version` is that of
the Kafka release whose APIs are served.
"""

from __future__ import annotations

FINALIZED_EPOCH = 16

_FEATURES = (
    # name, lowest, highest, finalized
    ("group.version", 0, 1, 1),
    ("metadata.version", 7, 33, 33),
    ("transaction.version", 0, 2, 2),
)


def supported_features() -> list[tuple[str, int, int]]:
    """Name, lowest and highest level of each feature that this broker supports."""
    return [(name, low, high) for name, low, high, _ in _FEATURES]


def finalized_features() -> list[tuple[str, int]]:
    """Name and level of each finalized feature."""
    return [(name, level) for name, _, _, level in _FEATURES if level > 0]
