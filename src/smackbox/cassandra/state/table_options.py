"""The options of tables and keyspaces: known names, defaults, and the checks that Cassandra makes."""

from __future__ import annotations

import re

from smackbox.cassandra.wire.cql.ast import OptionValue
from smackbox.cassandra.wire.errors import ConfigFault, Invalid, SyntaxFault

_COMPACTION_PACKAGE = "org.apache.cassandra.db.compaction."
_COMPRESSION_PACKAGE = "org.apache.cassandra.io.compress."
_LOCATOR_PACKAGE = "org.apache.cassandra.locator."
_STRATEGIES = frozenset(
    {"SimpleStrategy", "NetworkTopologyStrategy", "LocalStrategy", "EverywhereStrategy", "MetaStrategy"}
)
_COMPACTIONS = frozenset(
    {
        "SizeTieredCompactionStrategy",
        "LeveledCompactionStrategy",
        "TimeWindowCompactionStrategy",
        "UnifiedCompactionStrategy",
    }
)
MINIMUM_FALSE_POSITIVES = 6.71e-5
TTL_LIMIT = 20 * 365 * 24 * 3600

# as `system_schema.tables` shows a table made without options
TABLE_DEFAULTS: dict[str, OptionValue] = {
    "additional_write_policy": "99p",
    "bloom_filter_fp_chance": "0.01",
    "caching": {"keys": "ALL", "rows_per_partition": "NONE"},
    "comment": "",
    "compaction": {
        "class": _COMPACTION_PACKAGE + "SizeTieredCompactionStrategy",
        "max_threshold": "32",
        "min_threshold": "4",
    },
    "compression": {"chunk_length_in_kb": "16", "class": _COMPRESSION_PACKAGE + "LZ4Compressor"},
    "crc_check_chance": "1.0",
    "default_time_to_live": "0",
    "extensions": {},
    "gc_grace_seconds": "864000",
    "max_index_interval": "2048",
    "memtable_flush_period_in_ms": "0",
    "min_index_interval": "128",
    "read_repair": "BLOCKING",
    "speculative_retry": "99p",
}
_COMPRESSORS = frozenset(
    f"{_COMPRESSION_PACKAGE}{name}Compressor" for name in ("LZ4", "Snappy", "Deflate", "Zstd", "Noop")
)
# what each takes beside `class`, `enabled`, `chunk_length_in_kb` and `min_compress_ratio`
_COMPRESSOR_OPTIONS = {
    _COMPRESSION_PACKAGE + "LZ4Compressor": frozenset({"lz4_compressor_type", "lz4_high_compressor_level"}),
    _COMPRESSION_PACKAGE + "ZstdCompressor": frozenset({"compression_level"}),
}
_COMPRESSION_OPTIONS = frozenset({"class", "enabled", "chunk_length_in_kb", "min_compress_ratio"})
# libzstd's own bounds
ZSTD_LEVELS = range(-(1 << 17), 23)
# known, and shown as null unless set
_OPTIONAL = frozenset({"allow_auto_snapshot", "cdc", "incremental_backups", "memtable"})
# accepted and without effect since Cassandra 4
_OBSOLETE = frozenset({"dclocal_read_repair_chance", "read_repair_chance"})
_MAPS = frozenset({"caching", "compaction", "compression", "extensions"})
_FLOATS = frozenset({"bloom_filter_fp_chance", "crc_check_chance", *_OBSOLETE})
_INTEGERS = frozenset(
    {
        "default_time_to_live",
        "gc_grace_seconds",
        "max_index_interval",
        "memtable_flush_period_in_ms",
        "min_index_interval",
    }
)
_BOOLEANS = frozenset({"allow_auto_snapshot", "cdc", "incremental_backups"})


def table_options(given: dict[str, OptionValue], base: dict[str, OptionValue]) -> dict[str, OptionValue]:
    """`base` with what `given` changes, in the form that system_schema shows.

    Raises `SyntaxFault` for an unknown option or a value of the wrong kind, `ConfigFault` for one out of range.
    """
    options = dict(base)
    for name, value in given.items():
        if name == "id":
            continue
        if name not in TABLE_DEFAULTS and name not in _OPTIONAL and name not in _OBSOLETE:
            raise SyntaxFault(f"Unknown property '{name}'")
        if (name in _MAPS) != isinstance(value, dict):
            wanted = "map" if name in _MAPS else "string"
            raise SyntaxFault(f"Invalid value for property '{name}'. It should be a {wanted}.")
        options[name] = _checked(name, value)
    compaction = options["compaction"]
    leveled = isinstance(compaction, dict) and compaction["class"].endswith("LeveledCompactionStrategy")
    if leveled and "bloom_filter_fp_chance" not in given and "compaction" in given:
        options["bloom_filter_fp_chance"] = "0.1"
    return options


def _checked(name: str, value: OptionValue) -> OptionValue:
    if isinstance(value, dict):
        return _checked_map(name, value)
    if name in _INTEGERS:
        if not re.fullmatch(r"-?\d+", value):
            raise SyntaxFault(f"Invalid integer value {value} for '{name}'")
        minimum = 1 if name in {"min_index_interval", "max_index_interval"} else 0
        if int(value) < minimum:
            raise ConfigFault(f"{name} must be greater than or equal to {minimum} (got {int(value)})")
        if name == "default_time_to_live" and int(value) > TTL_LIMIT:
            raise ConfigFault(f"{name} must be less than or equal to {TTL_LIMIT} (got {int(value)})")
        return str(int(value))
    if name in _FLOATS:
        try:
            number = float(value)
        except ValueError:
            raise SyntaxFault(f"Invalid double value {value} for '{name}'") from None
        if name == "bloom_filter_fp_chance" and not MINIMUM_FALSE_POSITIVES < number <= 1:
            raise ConfigFault(f"{name} must be larger than 6.71E-5 and less than or equal to 1.0 (got {number})")
        if name == "crc_check_chance" and not 0 <= number <= 1:
            raise ConfigFault(
                f"{name} must be larger than or equal to 0.0 and smaller than or equal to 1.0 (got {number})"
            )
        return str(number)
    if name in _BOOLEANS:
        if value.lower() not in {"true", "false", "yes", "no", "1", "0"}:
            raise SyntaxFault(
                f"Invalid boolean value {value} for '{name}'. Positive numbers, 'true', or 'yes' are true"
            )
        return "true" if value.lower() in {"true", "yes", "1"} else "false"
    if name == "read_repair" and value.upper() not in {"BLOCKING", "NONE"}:
        raise ConfigFault(f"Invalid value {value} for option 'read_repair'")
    return value


def _checked_map(name: str, value: dict[str, str]) -> dict[str, str]:
    if name == "compaction":
        kind = value.get("class")
        if kind is None:
            raise ConfigFault("Missing sub-option 'class' for the 'compaction' option.")
        short = kind.removeprefix(_COMPACTION_PACKAGE)
        if short not in _COMPACTIONS:
            raise ConfigFault(f"Unable to find compaction strategy class '{_COMPACTION_PACKAGE}{short}'")
        shown = {**value, "class": _COMPACTION_PACKAGE + short}
        if short in {"SizeTieredCompactionStrategy", "LeveledCompactionStrategy", "TimeWindowCompactionStrategy"}:
            shown = {"max_threshold": "32", "min_threshold": "4", **shown}
        return dict(sorted(shown.items()))
    if name == "compression":
        shown = dict(value)
        if value.get("enabled", "true").lower() == "false":
            if len(value) > 1:
                raise ConfigFault("If the 'enabled' option is set to false no other options must be specified")
            return {"enabled": "false"}
        if "class" not in value and "sstable_compression" in value:
            raise ConfigFault("Missing sub-option 'class' for the 'compression' option.")
        kind = shown.pop("sstable_compression", shown.get("class", ""))
        if not kind:
            return {"enabled": "false"} if "class" in value else shown
        shown["class"] = kind if "." in kind else _COMPRESSION_PACKAGE + kind
        if shown["class"] not in _COMPRESSORS:
            raise ConfigFault(f"Could not create Compression for type {shown['class']}")
        _check_compressor(shown)
        _check_chunk(shown.setdefault("chunk_length_in_kb", "16"))
        _check_ratio(shown.get("min_compress_ratio"))
        if float(shown.get("min_compress_ratio", "1")) == 0:
            del shown["min_compress_ratio"]  # as it is without one
        return dict(sorted(shown.items()))
    if name == "caching":
        shown = {"keys": "NONE", "rows_per_partition": "NONE", **value}
        if value.get("keys", "ALL").upper() not in {"ALL", "NONE"}:
            raise ConfigFault(
                f"Invalid value '{value['keys']}' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed"
            )
        return dict(sorted(shown.items()))
    return value


def _check_compressor(options: dict[str, str]) -> None:
    """Raises `ConfigFault` for an option that the class does not have, or a value that it does not take."""
    known = _COMPRESSION_OPTIONS | _COMPRESSOR_OPTIONS.get(options["class"], frozenset())
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ConfigFault(f"Unknown compression options {', '.join(unknown)}")
    kind = options.get("lz4_compressor_type", "fast")
    if kind not in {"fast", "high"}:
        raise ConfigFault(
            f"Invalid compressor type '{kind}' specified for LZ4 parameter 'lz4_compressor_type'. "
            "Valid options are [high, fast]."
        )
    level = options.get("lz4_high_compressor_level", "9")
    if not re.fullmatch(r"-?\d+", level) or not 1 <= int(level) <= 17:
        raise ConfigFault(
            f"Invalid value [{level}] for parameter 'lz4_high_compressor_level'. Value must be between 1 and 17."
        )
    level = options.get("compression_level", "3")
    problem = None
    if not re.fullmatch(r"-?\d+", level):
        problem = f'java.lang.NumberFormatException For input string: "{level}"'
    elif int(level) not in ZSTD_LEVELS:
        problem = f"java.lang.IllegalArgumentException compression_level={level} is invalid"
    if problem:
        raise ConfigFault(f"ZstdCompressor.create() threw an error: {problem}")


def _check_ratio(text: str | None) -> None:
    if text is None:
        return
    try:
        ratio = float(text)
    except ValueError:
        raise ConfigFault(f"Invalid value {text} for min_compress_ratio") from None
    if ratio < 0:
        raise ConfigFault("Invalid negative min_compress_ratio")
    if 0 < ratio < 1:
        raise ConfigFault("min_compress_ratio can either be 0 or greater than or equal to 1")


def _check_chunk(text: str) -> None:
    try:
        length = int(text)
    except ValueError:
        raise ConfigFault("Invalid value for chunk_length_in_kb") from None
    if length <= 0:
        raise ConfigFault("Invalid negative or null chunk_length_in_kb")
    if length & (length - 1):
        raise ConfigFault("chunk_length_in_kb must be a power of 2")


def keyspace_options(
    given: dict[str, OptionValue], name: str, previous: tuple[dict[str, str], bool] | None = None
) -> tuple[dict[str, str], bool]:
    """Replication and durable_writes. Raises `SyntaxFault` or `ConfigFault` as Cassandra does."""
    for option in given:
        if option not in {"replication", "durable_writes"}:
            raise SyntaxFault(f"Unknown property '{option}'")
    replication, durable = previous or ({}, True)
    given_durable = given.get("durable_writes")
    if given_durable is not None:
        if isinstance(given_durable, dict) or given_durable.lower() not in {"true", "false"}:
            raise SyntaxFault(f"Invalid boolean value {given_durable} for 'durable_writes'")
        durable = given_durable.lower() == "true"
    given_replication = given.get("replication")
    if given_replication is None:
        if previous is None:
            raise Invalid("Missing mandatory option 'replication'")
        return replication, durable
    if not isinstance(given_replication, dict):
        raise SyntaxFault("Invalid value for property 'replication'. It should be a map")
    return _replication(given_replication, name), durable


def _replication(given: dict[str, str], name: str) -> dict[str, str]:
    kind = given.get("class")
    if kind is None:
        raise ConfigFault(
            "Missing replication strategy class" if given else "Missing mandatory replication strategy class"
        )
    short = kind.removeprefix(_LOCATOR_PACKAGE)
    if short not in _STRATEGIES:
        raise ConfigFault(f"Unable to find replication strategy class '{_LOCATOR_PACKAGE}{short}'")
    replication = {"class": _LOCATOR_PACKAGE + short}
    for option, value in given.items():
        if option == "class":
            continue
        if short == "SimpleStrategy" and option != "replication_factor":
            raise ConfigFault(f"Unrecognized strategy option {{{option}}} passed to SimpleStrategy for keyspace {name}")
        if not re.fullmatch(r"-?\d+", value):
            raise ConfigFault(f'For input string: "{value}"')
        if int(value) < 0:
            raise ConfigFault(f"Replication factor must be non-negative; found {value}")
        replication[option] = value
    if short == "SimpleStrategy":
        replication.setdefault("replication_factor", "1")
    if short == "NetworkTopologyStrategy" and "replication_factor" in replication:
        # Cassandra expands it to the data centres it knows: the only one here is this server's
        replication[DATA_CENTER_PLACEHOLDER] = replication.pop("replication_factor")
    return replication


DATA_CENTER_PLACEHOLDER = "\x00data_center"
