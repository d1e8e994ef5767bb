"""The options of tables: known names, defaults, and Cassandra's checks."""

from __future__ import annotations

import re

from smackbox.cassandra.state.compaction_options import COMPACTION_PACKAGE, checked_compaction
from smackbox.cassandra.state.replication import boolean_option
from smackbox.cassandra.state.retry_options import checked_retry
from smackbox.cassandra.wire.cql.ast import OptionValue
from smackbox.cassandra.wire.errors import ConfigFault, SyntaxFault

_COMPRESSION_PACKAGE = "org.apache.cassandra.io.compress."
_INT_LIMIT = 2**31 - 1
_DOUBLE = re.compile(
    r"\s*[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|nan|infinity)([dDfF]?)\s*", re.IGNORECASE | re.ASCII
)
MINIMUM_FALSE_POSITIVES = 6.71e-5
TTL_LIMIT = 20 * 365 * 24 * 3600

# as in `system_schema.tables` for a table created without options
TABLE_DEFAULTS: dict[str, OptionValue] = {
    "additional_write_policy": "99p",
    "bloom_filter_fp_chance": "0.01",
    "caching": {"keys": "ALL", "rows_per_partition": "NONE"},
    "comment": "",
    "compaction": {
        "class": COMPACTION_PACKAGE + "SizeTieredCompactionStrategy",
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
# the options of each class besides `class`, `enabled`, `chunk_length_in_kb` and `min_compress_ratio`
_COMPRESSOR_OPTIONS = {
    _COMPRESSION_PACKAGE + "LZ4Compressor": frozenset({"lz4_compressor_type", "lz4_high_compressor_level"}),
    _COMPRESSION_PACKAGE + "ZstdCompressor": frozenset({"compression_level"}),
}
_COMPRESSION_OPTIONS = frozenset({"class", "enabled", "chunk_length_in_kb", "min_compress_ratio"})
# libzstd's bounds
ZSTD_LEVELS = range(-(1 << 17), 23)
# known, and shown as null unless set
_OPTIONAL = frozenset({"allow_auto_snapshot", "cdc", "incremental_backups", "memtable"})
_MAPS = frozenset({"caching", "compaction", "compression", "extensions"})
_FLOATS = frozenset({"bloom_filter_fp_chance", "crc_check_chance"})
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
_RETRIES = frozenset({"additional_write_policy", "speculative_retry"})


def table_options(given: dict[str, OptionValue], base: dict[str, OptionValue]) -> dict[str, OptionValue]:
    """`base` with the changes in `given`, in the form of system_schema.

    Raises `SyntaxFault` for an unknown option or a value of the wrong kind, `ConfigFault` for one out of range.
    """
    options = dict(base)
    for name, value in given.items():
        if name == "id":
            continue
        if name not in TABLE_DEFAULTS and name not in _OPTIONAL:
            raise SyntaxFault(f"Unknown property '{name}'")
        if (name in _MAPS) != isinstance(value, dict):
            sort = "map" if name in _MAPS else "string"
            raise SyntaxFault(f"Invalid value for property '{name}'. It should be a {sort}.")
        options[name] = _checked(name, value)
    if options.get("memtable") == "default":
        del options["memtable"]
    shortest, longest = int(str(options["min_index_interval"])), int(str(options["max_index_interval"]))
    if longest < shortest:
        raise ConfigFault(
            f"max_index_interval must be greater than or equal to min_index_interval ({shortest}) (got {longest})"
        )
    compaction = options["compaction"]
    leveled = isinstance(compaction, dict) and compaction["class"].endswith("LeveledCompactionStrategy")
    if leveled and "bloom_filter_fp_chance" not in given and "compaction" in given:
        options["bloom_filter_fp_chance"] = "0.1"
    return options


def _checked(name: str, value: OptionValue) -> OptionValue:
    if isinstance(value, dict):
        return _checked_map(name, value)
    if name in _INTEGERS:
        return _checked_integer(name, value)
    if name in _FLOATS:
        return _checked_float(name, value)
    if name in _BOOLEANS:
        return "true" if boolean_option(name, value) else "false"
    if name in _RETRIES:
        return checked_retry(value)
    if name == "read_repair":
        if value.upper() not in {"BLOCKING", "NONE"}:
            raise ConfigFault(f"Invalid value {value} for option 'read_repair'")
        return value.upper()
    if name == "memtable" and value != "default":
        raise ConfigFault(f'Memtable configuration "{value}" not found.')
    return value


def _checked_integer(name: str, value: str) -> str:
    if not re.fullmatch(r"[+-]?\d+", value, re.ASCII) or not -_INT_LIMIT - 1 <= int(value) <= _INT_LIMIT:
        raise SyntaxFault(f"Invalid integer value {value} for '{name}'")
    minimum = 1 if name in {"min_index_interval", "max_index_interval"} else 0
    if int(value) < minimum:
        raise ConfigFault(f"{name} must be greater than or equal to {minimum} (got {int(value)})")
    if name == "default_time_to_live" and int(value) > TTL_LIMIT:
        raise ConfigFault(f"{name} must be less than or equal to {TTL_LIMIT} (got {int(value)})")
    return str(int(value))


def _checked_float(name: str, value: str) -> str:
    match = _DOUBLE.fullmatch(value)
    if match is None:
        raise SyntaxFault(f"Invalid double value {value} for '{name}'")
    number = float(value.strip().removesuffix(match.group(1)) if match.group(1) else value)
    shown = str(number).replace("inf", "Infinity").replace("nan", "NaN")
    if name == "bloom_filter_fp_chance" and (number <= MINIMUM_FALSE_POSITIVES or number > 1):
        raise ConfigFault(f"{name} must be larger than 6.71E-5 and less than or equal to 1.0 (got {shown})")
    if name == "crc_check_chance" and (number < 0 or number > 1):
        raise ConfigFault(f"{name} must be larger than or equal to 0 and smaller than or equal to 1.0 (got {shown})")
    return shown


def _checked_map(name: str, value: dict[str, str]) -> dict[str, str]:
    if name == "compaction":
        return checked_compaction(value)
    if name == "compression":
        return _checked_compression(value)
    if name == "caching":
        return _checked_caching(value)
    # extensions are for other programs' classes; Cassandra ignores those set in CQL
    return {}


def _checked_caching(value: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(value) - {"keys", "rows_per_partition"})
    if unknown:
        raise ConfigFault(
            f"Invalid caching sub-options [{', '.join(unknown)}]: only 'keys' and 'rows_per_partition' are allowed"
        )
    shown = {"keys": "NONE", "rows_per_partition": "NONE", **value}
    if shown["keys"].upper() not in {"ALL", "NONE"}:
        raise ConfigFault(
            f"Invalid value '{value['keys']}' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed"
        )
    rows = shown["rows_per_partition"]
    if rows.upper() not in {"ALL", "NONE"} and not (re.fullmatch(r"\d+", rows, re.ASCII) and int(rows) <= _INT_LIMIT):
        raise ConfigFault(
            f"Invalid value '{rows}' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer "
            "values are allowed"
        )
    return {"keys": shown["keys"].upper(), "rows_per_partition": _shown_rows(rows)}


def _shown_rows(text: str) -> str:
    return text.upper() if not text.isdecimal() else str(int(text) or "NONE")


def _checked_compression(value: dict[str, str]) -> dict[str, str]:
    if value.get("enabled", "true").lower() != "true" or not value:
        if len(value) > 1:
            raise ConfigFault("If the 'enabled' option is set to false no other options must be specified")
        return {"enabled": "false"}
    if "class" not in value:
        raise ConfigFault("Missing sub-option 'class' for the 'compression' option.")
    shown = {option: text for option, text in value.items() if option != "enabled"}
    if not shown["class"]:
        raise ConfigFault("The 'class' option must not be empty. To disable compression use 'enabled' : false")
    shown["class"] = value["class"] if "." in value["class"] else _COMPRESSION_PACKAGE + value["class"]
    if shown["class"] not in _COMPRESSORS:
        raise ConfigFault(f"Could not create Compression for type {shown['class']}")
    _check_compressor(shown)
    shown["chunk_length_in_kb"] = _checked_chunk(shown.get("chunk_length_in_kb", "16"))
    _check_ratio(shown.get("min_compress_ratio"))
    ratio = float(shown.pop("min_compress_ratio", "0"))
    if ratio:  # 0 is the same as no value
        shown["min_compress_ratio"] = str(ratio).replace("nan", "NaN").replace("inf", "Infinity")
    return dict(sorted(shown.items()))


def _check_compressor(options: dict[str, str]) -> None:
    """Raises `ConfigFault` for an option that the class does not have, or a value that it does not accept."""
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


def _checked_chunk(text: str) -> str:
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or not -_INT_LIMIT - 1 <= int(text) <= _INT_LIMIT:
        raise ConfigFault("Invalid value for chunk_length_in_kb")
    length = int(text)
    if length > _INT_LIMIT // 1024:
        raise ConfigFault(f"Value of chunk_length_in_kb is too large ({length})")
    if length <= 0:
        raise ConfigFault("Invalid negative or null chunk_length_in_kb")
    if length & (length - 1):
        raise ConfigFault("chunk_length_in_kb must be a power of 2")
    return str(length)
