"""Whether a reader's Avro schema can read what a writer's describes: the specification's rules of schema resolution.

Each reason has the type, the path in the reader's schema and the words that Avro's `SchemaCompatibility` gives it.
Source: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from __future__ import annotations

from smackbox.registry.state.avro import AvroType, Field

PROMOTIONS = {
    "long": {"int"},
    "float": {"int", "long"},
    "double": {"int", "long", "float"},
    "bytes": {"string"},
    "string": {"bytes"},
}


def differences(reader: AvroType, writer: AvroType) -> list[str]:
    """The reasons why data cannot be read; empty when it can."""
    return _Comparison().compare(reader, writer, "")


class _Comparison:
    def __init__(self) -> None:
        self._compared: set[tuple[int, int]] = set()
        """Pairs that are being compared, or were and agree: a recursive type meets itself."""

    def compare(self, reader: AvroType, writer: AvroType, path: str) -> list[str]:
        pair = (id(reader), id(writer))
        if pair in self._compared:
            return []
        self._compared.add(pair)
        found = self._compare(reader, writer, path)
        if found:
            self._compared.discard(pair)
        return found

    def _compare(self, reader: AvroType, writer: AvroType, path: str) -> list[str]:
        if writer.kind == "union":
            if reader.kind != "union":
                return [one for branch in writer.branches for one in self.compare(reader, branch, path)]
            found = []
            for number, branch in enumerate(writer.branches):
                found += self._one_branch(reader, branch, f"{path}/{number}")
            return found
        if reader.kind == "union":
            return self._one_branch(reader, writer, path)
        if reader.kind != writer.kind:
            if writer.kind in PROMOTIONS.get(reader.kind, ()):
                return []
            return [
                _reason(
                    "TYPE_MISMATCH",
                    f"The type (path '{path or '/'}') of a field in the %s schema does not match with the %s schema",
                    f"reader type: {reader.kind.upper()} not compatible with writer type: {writer.kind.upper()}",
                )
            ]
        if reader.kind in {"array", "map"}:
            assert reader.items is not None and writer.items is not None
            return self.compare(reader.items, writer.items, f"{path}/{'items' if reader.kind == 'array' else 'values'}")
        if reader.kind in {"record", "enum", "fixed"}:
            return self._named(reader, writer, path)
        return []

    def _one_branch(self, reader: AvroType, writer: AvroType, path: str) -> list[str]:
        if any(not self.compare(branch, writer, path) for branch in reader.branches):
            return []
        return [
            _reason(
                "MISSING_UNION_BRANCH",
                f"The %s schema is missing a type inside a union field at path '{path or '/'}' in the %s schema",
                f"reader union lacking writer type: {writer.kind.upper()}",
            )
        ]

    def _named(self, reader: AvroType, writer: AvroType, path: str) -> list[str]:
        found = []
        if reader.simple_name != writer.simple_name and writer.name not in reader.aliases:
            found.append(
                _reason(
                    "NAME_MISMATCH",
                    f"The name of the schema has changed (path '{path}/name')",
                    f"expected: {writer.name}",
                )
            )
        if reader.kind == "fixed" and reader.size != writer.size:
            found.append(
                _reason(
                    "FIXED_SIZE_MISMATCH",
                    f"The size of FIXED type field at path '{path}/size' in the %s schema does not match with the %s "
                    "schema",
                    f"expected: {writer.size}, found: {reader.size}",
                )
            )
        if reader.kind == "enum" and reader.default is None:
            missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
            if missing:
                found.append(
                    _reason(
                        "MISSING_ENUM_SYMBOLS",
                        f"The %s schema is missing enum symbols '{', '.join(missing)}' at path '{path}/symbols' in the "
                        "%s schema",
                        f"[{', '.join(missing)}]",
                    )
                )
        if reader.kind == "record":
            for number, field in enumerate(reader.fields):
                found += self._field(field, writer, f"{path}/fields/{number}")
        return found

    def _field(self, field: Field, writer: AvroType, path: str) -> list[str]:
        names = (field.name, *field.aliases)
        source = next((one for name in names for one in writer.fields if one.name == name), None)
        if source is not None:
            return self.compare(field.type, source.type, f"{path}/type")
        if field.has_default or (field.type.kind == "enum" and field.type.default is not None):
            return []
        return [
            _reason(
                "READER_FIELD_MISSING_DEFAULT_VALUE",
                f"The field '{field.name}' at path '{path}' in the %s schema has no default value and is missing in "
                "the %s schema",
                field.name,
            )
        ]


def _reason(kind: str, description: str, more: str) -> str:
    """`%s` stands for the reader's schema, then for the writer's: `new` and `old`, or the reverse."""
    return f"{{errorType:'{kind}', description:'{description}', additionalInfo:'{more}'}}"
