"""The sub-options of `compaction`: the options of each strategy, with Cassandra's checks in its order."""

from __future__ import annotations

import re
from collections.abc import Callable

from smackbox.cassandra.wire.errors import ConfigFault

COMPACTION_PACKAGE = "org.apache.cassandra.db.compaction."
_Options = dict[str, str]
_INT = 2**31 - 1
_LONG = 2**63 - 1
_MIB = 2**20
_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY_SIZES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
TARGET_SIZE = 2**30
SIZE_SHARE = 0.7
_WINDOWS = frozenset({"MINUTES", "HOURS", "DAYS"})
_RESOLUTIONS = frozenset({"SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS"})
_OVERLAPS = ("NONE", "ROW", "CELL")
_SCALING = re.compile(r"N|L(\d+)|T(\d+)|[+-]?\d+")
_OF_ALL = frozenset(
    {
        "enabled", "log_all", "only_purge_repaired_tombstones", "provide_overlapping_tombstones",
        "tombstone_compaction_interval", "tombstone_threshold", "unchecked_tombstone_compaction",
    }
)  # fmt: skip
_OF_SIZE_TIERED = frozenset({"bucket_high", "bucket_low", "max_threshold", "min_sstable_size", "min_threshold"})


def checked_compaction(given: _Options) -> _Options:
    """The options as system_schema shows them. Raises `ConfigFault`."""
    kind = given.get("class")
    if kind is None:
        raise ConfigFault("Missing sub-option 'class' for the 'compaction' option")
    name = kind if "." in kind else COMPACTION_PACKAGE + kind
    short = name.removeprefix(COMPACTION_PACKAGE)
    strategy = _STRATEGIES.get(short) if name.startswith(COMPACTION_PACKAGE) else None
    if strategy is None:
        raise ConfigFault(f"Unable to find compaction strategy class '{name}'")
    check, own = strategy
    overlap = given.get("provide_overlapping_tombstones", "NONE").upper()
    if overlap not in _OVERLAPS:
        raise ConfigFault(
            f"Invalid value {overlap} for 'provide_overlapping_tombstones' compaction sub-option - must be one of the "
            f"following [{', '.join(_OVERLAPS)}]."
        )
    shown = {**given, "class": name}
    thresholds = "min_threshold" in own
    if thresholds:
        shown = {"max_threshold": "32", "min_threshold": "4", **shown}
    _check_common(given)
    check(given)
    unknown = sorted(set(given) - own - _OF_ALL - {"class"})
    if unknown:
        raise ConfigFault(f"Properties specified [{', '.join(unknown)}] are not understood by {short}")
    if thresholds:
        _check_thresholds(shown)
    return dict(sorted(shown.items()))


def _check_common(given: _Options) -> None:
    option = "tombstone_threshold"
    if option in given:
        share = _number(given[option], option)
        if share < 0:
            raise ConfigFault(f"{option} must be greater than 0, but was {share:.6f}")
    interval = _whole(given, "tombstone_compaction_interval", _LONG)
    if interval is not None and interval < 0:
        raise ConfigFault(f"tombstone_compaction_interval must be greater than 0, but was {interval}")
    option = "unchecked_tombstone_compaction"
    if not _is_boolean(given.get(option, "true")):
        raise ConfigFault(f"'{option}' should be either 'true' or 'false', not '{given[option]}'")
    if not _is_boolean(given.get("log_all", "true")):
        raise ConfigFault(f"'log_all' should either be 'true' or 'false', not {given['log_all']}")
    if not _is_boolean(given.get("enabled", "true")):
        raise ConfigFault(f"enabled should either be 'true' or 'false', not {given['enabled']}")


def _check_thresholds(options: _Options) -> None:
    bounds = []
    for option in ("min_threshold", "max_threshold"):
        text = options[option]
        if not re.fullmatch(r"\d+", text, re.ASCII) or int(text) > _INT:
            raise ConfigFault(f"Invalid value {text} for '{option}' compaction sub-option - must be an integer")
        bounds.append(int(text))
    minimum, maximum = bounds
    if not minimum or not maximum:
        raise ConfigFault(
            "Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction option "
            "'enabled' to false instead."
        )
    if minimum < 2:
        raise ConfigFault(f"Min compaction threshold cannot be less than 2 (got {minimum})")
    if minimum > maximum:
        raise ConfigFault(
            f"Min compaction threshold (got {minimum}) cannot be greater than max compaction threshold (got {maximum})"
        )


# ---- each strategy --------------------------------------------------------------------------------------------------


def _check_size_tiered(given: _Options) -> None:
    size = _whole(given, "min_sstable_size", _LONG)
    if size is not None and size < 0:
        raise ConfigFault(f"min_sstable_size must be non negative: {size}")
    low, high = (
        _number(given[option], option, "float") if option in given else default
        for option, default in (("bucket_low", 0.5), ("bucket_high", 1.5))
    )
    if high <= low:
        raise ConfigFault(f"bucket_high value ({high}) is less than or equal to the bucket_low value ({low})")


def _check_leveled(given: _Options) -> None:
    size = _whole(given, "sstable_size_in_mb", _INT)
    if size is not None and size < 1:
        raise ConfigFault(f"sstable_size_in_mb must be larger than 0, but was {size}")
    fan = _whole(given, "fanout_size", _INT)
    if fan is not None and fan < 1:
        raise ConfigFault(f"fanout_size must be larger than 0, but was {fan}")
    _check_size_tiered(given)


def _check_time_window(given: _Options) -> None:
    for option, values in (("timestamp_resolution", _RESOLUTIONS), ("compaction_window_unit", _WINDOWS)):
        if option in given and given[option] not in values:
            raise ConfigFault(f"{given[option]} is not valid for {option}")
    size = _whole(given, "compaction_window_size", _INT)
    if size is not None and size < 1:
        raise ConfigFault(f"{size} must be greater than 1 for compaction_window_size")
    option = "expired_sstable_check_frequency_seconds"
    frequency = _whole(given, option, _LONG)
    if frequency is not None and frequency < 0:
        raise ConfigFault(f"{option} must not be negative, but was {frequency}")
    option = "unsafe_aggressive_sstable_expiration"
    if option in given:
        if not _is_boolean(given[option]):
            raise ConfigFault(f"{option} is not 'true' or 'false' ({given[option]})")
        _check_expiration(given[option])
    _check_size_tiered(given)


def _check_expiration(value: str) -> None:
    if value.lower() == "true":
        raise ConfigFault(
            "unsafe_aggressive_sstable_expiration is requested but not allowed, restart cassandra with "
            "-Dcassandra.allow_unsafe_aggressive_sstable_expiration=true to allow it"
        )


def _check_unified(given: _Options) -> None:
    if "scaling_parameters" in given:
        for text in given["scaling_parameters"].split(","):
            _check_scaling(text.strip())
    shards = _whole(given, "base_shard_count", _INT)
    if shards is not None and shards <= 0:
        raise ConfigFault(f"Invalid configuration, base_shard_count should be positive: {shards}")
    target = _size(given, "target_sstable_size")
    _size(given, "flush_size_override")
    _whole(given, "max_sstables_to_compact", _INT)
    option = "expired_sstable_check_frequency_seconds"
    frequency = _whole(given, option, _LONG, "long")
    if frequency is not None and frequency <= 0:
        raise ConfigFault(f"Invalid configuration, {option} should be positive: {frequency}")
    option = "unsafe_aggressive_sstable_expiration"
    if option in given:
        if not _is_boolean(given[option]):
            raise ConfigFault(f"{option} should either be 'true' or 'false', not {given[option]}")
        _check_expiration(given[option])
    _check_growth(given.get("sstable_growth", "0"))
    smallest = given.get("min_sstable_size")
    if smallest is not None:
        size = _bytes_of(smallest)
        if size is None:
            raise ConfigFault(f"{smallest} is not a valid size in bytes for min_sstable_size")
        if size < 0:
            raise ConfigFault(f"Invalid configuration, min_sstable_size should be greater than or equal to 0: {size}")
        target_size = TARGET_SIZE if target is None else target
        if size > target_size * SIZE_SHARE:
            raise ConfigFault(
                f"Invalid configuration, min_sstable_size ({_shown(size)}) should be less than 70% of the "
                f"targetSSTableSize ({_shown(target_size)})"
            )
    option = "overlap_inclusion_method"
    if given.get(option, "NONE").upper() not in {"NONE", "SINGLE", "TRANSITIVE"}:
        raise ConfigFault(
            f"Invalid overlap inclusion method {given[option]}. The valid options are [NONE, SINGLE, TRANSITIVE]."
        )


def _check_scaling(text: str) -> None:
    parts = _SCALING.fullmatch(text)
    if parts is None:
        raise ConfigFault(f"Scaling parameter {text} must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+")
    fan = parts.group(1) or parts.group(2)
    if fan is not None and int(fan) < 2:
        raise ConfigFault(f"Fan factor cannot be lower than 2 in {text}")


def _check_growth(text: str) -> None:
    body, divisor = (text[:-1], 100) if text.endswith("%") else (text, 1)
    try:
        share = float(body) / divisor
    except ValueError:
        raise ConfigFault(f'sstable_growth is not a valid number between 0 and 1: For input string: "{text}"') from None
    if not 0 <= share <= 1:
        raise ConfigFault(f"sstable_growth {text} must be between 0 and 1")


def _size(given: _Options, option: str) -> int | None:
    text = given.get(option)
    if text is None:
        return None
    size = _bytes_of(text)
    if size is None:
        reason = f"{text} does not end in unit B" if not text.endswith("B") else f'For input string: "{text[:-1]}"'
        raise ConfigFault(f"{option} {text} is not a valid size in bytes: {reason}")
    if size < _MIB:
        raise ConfigFault(f"{option} {text} is not acceptable, size must be at least {_shown(_MIB)}")
    return size


def _bytes_of(text: str) -> int | None:
    """`10MB`, `1.5 GiB` in bytes; None when the text is neither."""
    parts = re.fullmatch(r"\s*([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*((?:[KMGT]i?)?)B", text)
    if parts is None:
        return None
    try:
        number = float(parts.group(1))
    except ValueError:
        return None
    unit = parts.group(2)
    return int(number * (_SIZES[unit] if unit in _SIZES else _BINARY_SIZES[unit]))


def _shown(size: int) -> str:
    unit, scale = next(((unit, scale) for unit, scale in reversed(_BINARY_SIZES.items()) if size >= scale), ("", 1))
    return f"{size / scale:.3f}{unit}B"


# ---- values ---------------------------------------------------------------------------------------------------------


def _is_boolean(text: str) -> bool:
    return text.lower() in {"true", "false"}


def _whole(given: _Options, option: str, limit: int, sort: str = "int") -> int | None:
    text = given.get(option)
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not -limit - 1 <= int(text) <= limit:
        raise ConfigFault(f"{text} is not a parsable {sort} (base10) for {option}")
    return int(text)


def _number(text: str, option: str, sort: str = "int (base10)") -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigFault(f"{text} is not a parsable {sort} for {option}") from None


_STRATEGIES: dict[str, tuple[Callable[[_Options], None], frozenset[str]]] = {
    "SizeTieredCompactionStrategy": (_check_size_tiered, _OF_SIZE_TIERED),
    "LeveledCompactionStrategy": (
        _check_leveled,
        _OF_SIZE_TIERED | {"sstable_size_in_mb", "fanout_size", "single_sstable_uplevel"},
    ),
    "TimeWindowCompactionStrategy": (
        _check_time_window,
        _OF_SIZE_TIERED
        | {
            "compaction_window_size", "compaction_window_unit", "expired_sstable_check_frequency_seconds",
            "timestamp_resolution", "unsafe_aggressive_sstable_expiration",
        },
    ),
    "UnifiedCompactionStrategy": (
        _check_unified,
        frozenset(
            {
                "base_shard_count", "expired_sstable_check_frequency_seconds", "flush_size_override",
                "max_sstables_to_compact", "min_sstable_size", "overlap_inclusion_method", "scaling_parameters",
                "sstable_growth", "target_sstable_size", "unsafe_aggressive_sstable_expiration",
            }
        ),
    ),
}  # fmt: skip
