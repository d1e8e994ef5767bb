"""Whether a reader's messages can read a writer's: what may change of a message without a loss on the wire.

Fields are the same by their number. A field may come, go and be renamed; a number may change inside a group of types
with one encoding, and a string to bytes. Removed messages, other kinds and types, required fields that come or go, and
fields that move together into a oneof are not compatible.
Source: https://protobuf.dev/programming-guides/proto3/#updating
"""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

_GENERAL, _SIGNED, _TEXT, _FIXED32, _FIXED64, _FLOAT, _DOUBLE = range(7)
_ENCODINGS = {
    FieldDescriptor.TYPE_INT32: _GENERAL,
    FieldDescriptor.TYPE_INT64: _GENERAL,
    FieldDescriptor.TYPE_UINT32: _GENERAL,
    FieldDescriptor.TYPE_UINT64: _GENERAL,
    FieldDescriptor.TYPE_BOOL: _GENERAL,
    FieldDescriptor.TYPE_ENUM: _GENERAL,
    FieldDescriptor.TYPE_SINT32: _SIGNED,
    FieldDescriptor.TYPE_SINT64: _SIGNED,
    FieldDescriptor.TYPE_STRING: _TEXT,
    FieldDescriptor.TYPE_BYTES: _TEXT,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FLOAT,
    FieldDescriptor.TYPE_DOUBLE: _DOUBLE,
}
Messages = dict[str, Descriptor]


def differences(reader: FileDescriptor, writer: FileDescriptor) -> list[str]:
    """The reasons why data cannot be read; empty when it can."""
    found = [] if reader.package == writer.package else [_reason("PACKAGE_CHANGED", "#/")]
    comparison = _Comparison()
    return found + comparison.messages(reader.message_types_by_name, writer.message_types_by_name, "#")


class _Comparison:
    def __init__(self) -> None:
        self._compared: set[tuple[str, str]] = set()

    def messages(self, reader: Messages, writer: Messages, path: str) -> list[str]:
        found = []
        for name, old in sorted(writer.items()):
            if old.GetOptions().map_entry:
                continue
            if name in reader:
                found += self.message(reader[name], old, f"{path}/{name}")
            else:
                found.append(_reason("MESSAGE_REMOVED", f"{path}/{name}"))
        return found

    def message(self, reader: Descriptor, writer: Descriptor, path: str) -> list[str]:
        pair = (reader.full_name, writer.full_name)
        if pair in self._compared:
            return []
        self._compared.add(pair)
        new, old = reader.fields_by_number, writer.fields_by_number
        found = self._oneofs(reader, writer, path)
        for number in sorted({*new, *old}):
            at = f"{path}/{number}"
            if number not in new:
                if old[number].is_required:
                    found.append(_reason("REQUIRED_FIELD_REMOVED", at))
            elif number not in old:
                if new[number].is_required:
                    found.append(_reason("REQUIRED_FIELD_ADDED", at))
            else:
                found += self._field(new[number], old[number], at)
        return found + self.messages(reader.nested_types_by_name, writer.nested_types_by_name, path)

    def _oneofs(self, reader: Descriptor, writer: Descriptor, path: str) -> list[str]:
        found = []
        old = writer.fields_by_number
        for oneof in reader.oneofs:
            if _is_synthetic(oneof):
                continue
            before = [old[field.number] for field in oneof.fields if field.number in old]
            moved = sum(_oneof(field) is None for field in before)
            if moved > 1:
                found.append(_reason("MULTIPLE_FIELDS_MOVED_TO_ONEOF", f"{path}/{oneof.name}"))
            elif moved == 1 and len(before) > 1:
                found.append(_reason("FIELD_MOVED_TO_EXISTING_ONEOF", f"{path}/{oneof.name}"))
            same = writer.oneofs_by_name.get(oneof.name)
            if same is not None and not _is_synthetic(same):
                numbers = {field.number for field in oneof.fields}
                found += [
                    _reason("ONEOF_FIELD_REMOVED", f"{path}/{oneof.name}/{field.number}")
                    for field in same.fields
                    if field.number not in numbers
                ]
        return found

    def _field(self, new: FieldDescriptor, old: FieldDescriptor, path: str) -> list[str]:
        kind, before = _kind(new), _kind(old)
        if kind != before:
            return [_reason("FIELD_KIND_CHANGED", path)]
        if kind == "scalar":
            encoding = _ENCODINGS[new.type]
            if encoding != _ENCODINGS[old.type]:
                return [_reason("FIELD_SCALAR_KIND_CHANGED", path)]
            labels = _label(new), _label(old)
            if None not in labels and labels[0] != labels[1] and encoding != _TEXT:
                return [_reason("FIELD_NUMERIC_LABEL_CHANGED", path)]
            return []
        if kind == "map":
            found = []
            for name in ("key", "value"):
                found += self._field(new.message_type.fields_by_name[name], old.message_type.fields_by_name[name], path)
            return found
        if _local_name(new.message_type) != _local_name(old.message_type):
            return [_reason("FIELD_NAMED_TYPE_CHANGED", path)]
        if found := self.message(new.message_type, old.message_type, path):
            return [*found, _reason("FIELD_NAMED_TYPE_CHANGED", path)]
        return []


def _kind(field: FieldDescriptor) -> str:
    if field.message_type is None:
        return "scalar"
    return "map" if field.message_type.GetOptions().map_entry else "message"


def _label(field: FieldDescriptor) -> str | None:
    """The label that is written; None for a field of proto3 or of a oneof without one."""
    if field.is_repeated:
        return "repeated"
    if field.is_required:
        return "required"
    return "optional" if field.has_presence and _oneof(field) is None else None


def _oneof(field: FieldDescriptor) -> object | None:
    oneof = field.containing_oneof
    return None if oneof is None or _is_synthetic(oneof) else oneof


def _is_synthetic(oneof: object) -> bool:
    """Whether it was made for an `optional` field of proto3."""
    fields = oneof.fields  # type: ignore[attr-defined]
    return len(fields) == 1 and oneof.name == f"_{fields[0].name}"  # type: ignore[attr-defined]


def _local_name(message: Descriptor) -> str:
    name: str = message.full_name
    return name.removeprefix(f"{message.file.package}.")


def _reason(kind: str, path: str) -> str:
    return f"{{errorType:'{kind}', description:'{kind.replace('_', ' ').capitalize()} at path '{path}''}}"
