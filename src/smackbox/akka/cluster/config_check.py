"""The settings that all nodes of a cluster must share, and their check when a node joins.

A joiner sends its settings in InitJoin; a member compares the relevant ones and answers with its own values of the same
keys, which the joiner compares in turn. On the wire they are JSON, as a JVM renders them (a subset of HOCON).
Source: `JoinConfigCompatChecker`, `JoinConfigCompatCheckCluster`, those of sharding, and
`ClusterReceptionistConfigCompatChecker` of Pekko 1.4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Value = str | int | float | bool
Config = Mapping[str, Value]
"""By dotted key."""

DOWNING_PROVIDER = "pekko.cluster.downing-provider-class"
STRATEGY = "pekko.cluster.split-brain-resolver.active-strategy"
VERSION = "pekko.version"
SHARDING_STORE = "pekko.cluster.sharding.state-store-mode"
RECEPTIONIST_KEYS = "pekko.cluster.typed.receptionist.distributed-key-count"
NUMBER_OF_SHARDS = "pekko.cluster.sharding.number-of-shards"
MUST_MATCH = (DOWNING_PROVIDER, SHARDING_STORE, NUMBER_OF_SHARDS, RECEPTIONIST_KEYS)
PEKKO_VERSION = "1.4.0"


def own_config(provider: str, strategy: str, extra: Config) -> dict[str, Value]:
    """`extra` are an application's own keys to compare."""
    return {
        VERSION: PEKKO_VERSION,
        DOWNING_PROVIDER: provider,
        STRATEGY: strategy,
        SHARDING_STORE: "ddata",
        NUMBER_OF_SHARDS: 1_000,
        RECEPTIONIST_KEYS: 5,
        **extra,
    }


def render(config: Config) -> str:
    """As nested JSON."""
    tree: dict[str, Any] = {}
    for key, value in sorted(config.items()):
        *parents, name = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value
    return json.dumps(tree, separators=(",", ":"))


def parse(text: str) -> dict[str, Value]:
    """Leaves other than text, numbers and booleans are left out. Raises `ValueError` unless it is a JSON object."""
    tree = json.loads(text or "{}")
    if not isinstance(tree, dict):
        raise ValueError(f"a configuration is a JSON object, not {type(tree).__name__}")
    return dict(_leaves(tree, ""))


def _leaves(tree: dict[str, Any], prefix: str) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            found += _leaves(value, f"{key}.")
        elif isinstance(value, str | int | float | bool):
            found.append((key, value))
    return found


def differences(theirs: Config, own: Config, extra: Config) -> list[str]:
    """The incompatible settings of a joiner, or of a member as seen by the joiner; empty if compatible.

    Keys that only one side has are ignored, except the downing provider and those of `extra`.
    """
    found = []
    for key in (*MUST_MATCH, STRATEGY, *extra):
        if key not in theirs:
            if key == DOWNING_PROVIDER or key in extra:
                found.append(f"{key} is missing")
        elif key in own and not _same(theirs[key], own[key]):
            found.append(f"{key} is {theirs[key]!r} there and {own[key]!r} here")
    return found


def shared(theirs: Config, own: Config) -> dict[str, Value]:
    """This side's values of the keys that the other one sent."""
    return {key: own[key] for key in theirs if key in own}


def _same(first: Value, second: Value) -> bool:
    """A number equals its text: HOCON allows both for a setting."""
    return str(first).lower() == str(second).lower()
