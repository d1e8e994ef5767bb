"""`read.json` of JSON lines on the embedded engine, as Spark reads them: one broken line does not fail the others.

Sail's own reader fails the whole query. So the lines are read as text, empty ones are left out, and each is parsed by
itself (`from_json`). What of a line is broken is found by a function over Arrow batches, where somebody asks for it:

    PERMISSIVE      the default: fields that do not parse are null; a column `_corrupt_record` (or what
                    `columnNameOfCorruptRecord` says) in the schema holds the broken line
    DROPMALFORMED   broken lines are left out
    FAILFAST        the query fails with the first broken line

A line is broken when it is not a JSON object, or when a field's value is not of the field's type. Without a schema all
lines are looked at: fields are sorted by name, types that do not fit one another become strings, and the column for
broken lines is there when there are any. Source: Spark's `JsonInferSchema` and `FailureSafeParser`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import functions as sf
from pyspark.sql import types as spark_types

DEFAULT_CORRUPT = "_corrupt_record"
MODES = ("PERMISSIVE", "DROPMALFORMED", "FAILFAST")
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
DECIMAL_DIGITS = 38
NULL = spark_types.NullType()
STRING = spark_types.StringType()
_WIDTHS = {
    spark_types.ByteType: 8, spark_types.ShortType: 16, spark_types.IntegerType: 32, spark_types.LongType: 64,
}  # fmt: skip
_NOT_NUMBERS = frozenset({"NaN", "Infinity", "+Infinity", "-Infinity", "INF", "+INF", "-INF"})


# options that say which files are read; the others of SERVED say how a line is
_OF_FILES = frozenset({"path", "pathglobfilter", "recursivefilelookup", "modifiedbefore", "modifiedafter"})
_SERVED = _OF_FILES | {
    "mode",
    "columnnameofcorruptrecord",
    "multiline",
    "samplingratio",
    "dateformat",
    "timestampformat",
}


def serves(options: Mapping[str, str]) -> bool:
    """Whether these options are served here; others, such as `multiLine`, are the engine's own reader's."""
    named = {name.lower(): str(value).lower() for name, value in options.items()}
    return named.keys() <= _SERVED and named.get("multiline", "false") == "false"


def of_files(options: Mapping[str, str]) -> dict[str, str]:
    """Those of the options that say which files are read."""
    return {name: value for name, value in options.items() if name.lower() in _OF_FILES}


def parsed_schema(schema: str) -> spark_types.StructType:
    """A reader's schema, which is kept as JSON or as DDL."""
    if schema.startswith("{"):
        return spark_types.StructType.fromJson(json.loads(schema))
    return spark_types.StructType.fromDDL(schema)


def read(text: Any, schema: spark_types.StructType | None, options: dict[str, str]) -> Any:
    """The DataFrame of these lines, a column `value` of text. Raises `AnalysisException` for an unknown mode."""
    named = {name.lower(): value for name, value in options.items()}
    mode = named.get("mode", MODES[0]).upper()
    if mode not in MODES:
        raise AnalysisException(f"{named['mode']!r} is no mode of read.json: {', '.join(MODES)}")
    corrupt = named.get("columnnameofcorruptrecord", DEFAULT_CORRUPT)
    text = text.filter(sf.length(sf.trim("value")) > 0)
    if schema is None:
        schema = _inferred(text, mode, corrupt)
    fields = spark_types.StructType([field for field in schema.fields if field.name != corrupt])
    keeps_broken = len(fields.fields) < len(schema.fields)
    lines = text.select("value", sf.lit(None).cast("string").alias("broken"))
    if keeps_broken or mode != MODES[0]:
        lines = text.mapInArrow(_checker(fields, mode), "value string, broken string")
    formats = {name: value for name, value in options.items() if name.lower() in {"dateformat", "timestampformat"}}
    parsed = lines.select(sf.from_json("value", fields, formats).alias("parsed"), "broken")
    return parsed.select(
        *(
            sf.col("broken").alias(corrupt) if field.name == corrupt else parsed["parsed"][field.name].alias(field.name)
            for field in schema.fields
        )
    )


def _checker(
    fields: spark_types.StructType, mode: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Lines with themselves in a second column where they are broken."""

    def check(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            lines = batch.column(0).to_pylist()
            broken = [None if is_whole(line, fields) else line for line in lines]
            if mode == "FAILFAST" and any(line is not None for line in broken):
                first = next(line for line in broken if line is not None)
                raise ValueError(
                    f"[MALFORMED_RECORD_IN_PARSING] this line is malformed, and the mode is FAILFAST: {first}"
                )
            if mode == "DROPMALFORMED":
                lines = [line for line, bad in zip(lines, broken, strict=True) if bad is None]
                broken = [None] * len(lines)
            yield pa.RecordBatch.from_arrays(
                [pa.array(lines, pa.string()), pa.array(broken, pa.string())], ["value", "broken"]
            )

    return check


def is_whole(line: str, fields: spark_types.StructType) -> bool:
    """Whether a line is a JSON object whose fields are of their types."""
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and _fits(value, fields)


def _fits(value: Any, kind: spark_types.DataType) -> bool:
    if value is None or isinstance(kind, spark_types.StringType):
        return True
    if isinstance(kind, spark_types.BooleanType):
        return isinstance(value, bool)
    if type(kind) in _WIDTHS:
        edge = 1 << (_WIDTHS[type(kind)] - 1)
        return isinstance(value, int) and not isinstance(value, bool) and -edge <= value < edge
    if isinstance(kind, spark_types.FloatType | spark_types.DoubleType):
        return (isinstance(value, int | float) and not isinstance(value, bool)) or value in _NOT_NUMBERS
    if isinstance(kind, spark_types.DecimalType):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(kind, spark_types.ArrayType):
        return isinstance(value, list) and all(_fits(item, kind.elementType) for item in value)
    if isinstance(kind, spark_types.MapType):
        return isinstance(value, dict) and all(_fits(item, kind.valueType) for item in value.values())
    if isinstance(kind, spark_types.StructType):
        return isinstance(value, dict) and all(_fits(value.get(field.name), field.dataType) for field in kind.fields)
    return isinstance(value, str | int)  # dates and timestamps


# --- inference


def _inferred(text: Any, mode: str, corrupt: str) -> spark_types.StructType:
    rows = text.mapInArrow(_infer, "kind string, broken boolean").collect()
    found = reduce(merged, (_from_json(row.kind) for row in rows), spark_types.StructType([]))
    assert isinstance(found, spark_types.StructType)
    fields = [
        spark_types.StructField(field.name, kind)
        for field in found.fields
        if (kind := _settled(field.dataType)) is not None
    ]
    if mode == MODES[0] and any(row.broken for row in rows):
        fields = [field for field in fields if field.name != corrupt] + [spark_types.StructField(corrupt, STRING)]
    return spark_types.StructType(sorted(fields, key=lambda field: field.name))


def _infer(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        found: spark_types.DataType = spark_types.StructType([])
        broken = False
        for line in batch.column(0).to_pylist():
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            if isinstance(value, dict):
                found = merged(found, type_of(value))
            else:
                broken = True
        yield pa.RecordBatch.from_arrays(
            [pa.array([found.json()], pa.string()), pa.array([broken], pa.bool_())], ["kind", "broken"]
        )


def type_of(value: Any) -> spark_types.DataType:
    """The Spark type of a JSON value."""
    match value:
        case None:
            return NULL
        case bool():
            return spark_types.BooleanType()
        case int() if LONG_MIN <= value <= LONG_MAX:
            return spark_types.LongType()
        case int() if len(str(abs(value))) <= DECIMAL_DIGITS:
            return spark_types.DecimalType(DECIMAL_DIGITS, 0)
        case int() | float():
            return spark_types.DoubleType()
        case str():
            return STRING
        case list():
            return spark_types.ArrayType(reduce(merged, map(type_of, value), NULL))
        case _:
            fields = [spark_types.StructField(name, type_of(item)) for name, item in sorted(value.items())]
            return spark_types.StructType(fields)


def merged(left: spark_types.DataType, right: spark_types.DataType) -> spark_types.DataType:
    """The narrowest type that holds both."""
    if left == right or isinstance(right, spark_types.NullType):
        return left
    if isinstance(left, spark_types.NullType):
        return right
    if isinstance(left, spark_types.StructType) and isinstance(right, spark_types.StructType):
        kinds = {field.name: field.dataType for field in left.fields}
        for field in right.fields:
            kinds[field.name] = merged(kinds.get(field.name, NULL), field.dataType)
        return spark_types.StructType([spark_types.StructField(name, kind) for name, kind in sorted(kinds.items())])
    if isinstance(left, spark_types.ArrayType) and isinstance(right, spark_types.ArrayType):
        return spark_types.ArrayType(merged(left.elementType, right.elementType))
    numbers = (spark_types.LongType, spark_types.DecimalType, spark_types.DoubleType)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return max(left, right, key=lambda kind: numbers.index(type(kind)))
    return STRING


def _settled(kind: spark_types.DataType) -> spark_types.DataType | None:
    """What is known of a type at the end: nothing but nulls is a string; an object without fields is left out."""
    if isinstance(kind, spark_types.NullType):
        return STRING
    if isinstance(kind, spark_types.ArrayType):
        element = _settled(kind.elementType)
        return None if element is None else spark_types.ArrayType(element)
    if isinstance(kind, spark_types.StructType):
        fields = [
            spark_types.StructField(field.name, settled)
            for field in kind.fields
            if (settled := _settled(field.dataType)) is not None
        ]
        return spark_types.StructType(fields) if fields else None
    return kind


def _from_json(text: str) -> spark_types.DataType:
    return spark_types.StructType.fromJson(json.loads(text))
