"""The features of this broker (KIP-584): what each client may switch on by seeing it finalized.

`transaction.version` stays at the level whose rules the transaction coordinator keeps; `metadata.version` is that of
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
    """Name, lowest and highest level of each feature that this broker can have."""
    return [(name, low, high) for name, low, high, _ in _FEATURES]


def finalized_features() -> list[tuple[str, int]]:
    """Name and level of each feature that is on."""
    return [(name, level) for name, _, _, level in _FEATURES if level > 0]
