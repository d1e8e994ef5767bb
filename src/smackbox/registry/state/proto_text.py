"""A file's descriptor as the text of a `.proto` file: some clients register descriptors, others read text."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from smackbox.registry.state.proto_parser import MAX_ENUM_NUMBER, MAX_FIELD_NUMBER, SCALARS

_NAMES = {number: name for name, number in SCALARS.items()}
_QUOTED = {FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES}
Message = Any


def proto_text(file: FileDescriptorProto) -> str:
    """The text; without comments and custom options, which a descriptor does not show."""
    proto3 = file.syntax == "proto3"
    lines = [f'syntax = "{file.syntax or "proto2"}";']
    if file.package:
        lines.append(f"package {file.package};")
    lines.append("")
    for number, name in enumerate(file.dependency):
        how = "public " if number in file.public_dependency else "weak " if number in file.weak_dependency else ""
        lines.append(f'import {how}"{name}";')
    lines += [f"option {name} = {value};" for name, value in _options(file.options)]
    for message in file.message_type:
        lines += ["", *_message(message, proto3, "")]
    for enum in file.enum_type:
        lines += ["", *_enum(enum, "")]
    lines += _extensions(file.extension, proto3, "")
    for service in file.service:
        lines += ["", f"service {service.name} {{"]
        lines += [f"  option {name} = {value};" for name, value in _options(service.options)]
        for method in service.method:
            takes = ("stream " if method.client_streaming else "") + method.input_type
            gives = ("stream " if method.server_streaming else "") + method.output_type
            options = "".join(f" option {name} = {value};" for name, value in _options(method.options))
            lines.append(f"  rpc {method.name} ({takes}) returns ({gives}){f' {{{options} }}' if options else ';'}")
        lines.append("}")
    return "\n".join(lines).strip() + "\n"


def _message(message: DescriptorProto, proto3: bool, indent: str) -> list[str]:
    inner = indent + "  "
    maps = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
    lines = [f"{indent}message {message.name} {{"]
    lines += [f"{inner}option {name} = {value};" for name, value in _options(message.options)]
    lines += _reserved(message, inner, MAX_FIELD_NUMBER, 1)
    lines += [
        f"{inner}extensions {_range(one.start, one.end - 1, MAX_FIELD_NUMBER)};" for one in message.extension_range
    ]
    written: set[int] = set()
    for field in message.field:
        if not field.HasField("oneof_index") or field.proto3_optional:
            lines.append(inner + _field(field, proto3, maps))
        elif field.oneof_index not in written:
            written.add(field.oneof_index)
            lines.append(f"{inner}oneof {message.oneof_decl[field.oneof_index].name} {{")
            lines += [
                f"{inner}  {_field(one, True, maps)}"
                for one in message.field
                if one.HasField("oneof_index") and one.oneof_index == field.oneof_index
            ]
            lines.append(f"{inner}}}")
    lines += _extensions(message.extension, proto3, inner)
    for nested in message.nested_type:
        if nested.name not in maps:
            lines += ["", *_message(nested, proto3, inner)]
    for enum in message.enum_type:
        lines += ["", *_enum(enum, inner)]
    return [*lines, f"{indent}}}"]


def _field(field: FieldDescriptorProto, proto3: bool, maps: dict[str, DescriptorProto]) -> str:
    label = ""
    entry = maps.get(field.type_name.rpartition(".")[2]) if field.type == FieldDescriptorProto.TYPE_MESSAGE else None
    if entry is not None:
        kind = f"map<{_type(entry.field[0])}, {_type(entry.field[1])}>"
    else:
        kind = _type(field)
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            label = "repeated "
        elif field.label == FieldDescriptorProto.LABEL_REQUIRED:
            label = "required "
        elif field.proto3_optional or not proto3:
            label = "optional "
    extra = []
    if field.HasField("default_value"):
        quoted = field.type in _QUOTED
        extra.append(f"default = {json.dumps(field.default_value) if quoted else field.default_value}")
    if field.json_name and field.json_name != _json_name(field.name):
        extra.append(f'json_name = "{field.json_name}"')
    extra += [f"{name} = {value}" for name, value in _options(field.options)]
    brackets = f" [{', '.join(extra)}]" if extra else ""
    return f"{label}{kind} {field.name} = {field.number}{brackets};"


def _enum(enum: EnumDescriptorProto, indent: str) -> list[str]:
    inner = indent + "  "
    lines = [f"{indent}enum {enum.name} {{"]
    lines += [f"{inner}option {name} = {value};" for name, value in _options(enum.options)]
    lines += _reserved(enum, inner, MAX_ENUM_NUMBER, 0)
    for value in enum.value:
        extra = ", ".join(f"{name} = {shown}" for name, shown in _options(value.options))
        lines.append(f"{inner}{value.name} = {value.number}{f' [{extra}]' if extra else ''};")
    return [*lines, f"{indent}}}"]


def _extensions(fields: Message, proto3: bool, indent: str) -> list[str]:
    lines = []
    for field in fields:
        lines += ["", f"{indent}extend {field.extendee} {{", f"{indent}  {_field(field, proto3, {})}", f"{indent}}}"]
    return lines


def _reserved(owner: Message, indent: str, largest: int, beyond: int) -> list[str]:
    lines = [f"{indent}reserved {_range(one.start, one.end - beyond, largest)};" for one in owner.reserved_range]
    return lines + [f'{indent}reserved "{name}";' for name in owner.reserved_name]


def _range(begin: int, end: int, largest: int) -> str:
    return str(begin) if begin == end else f"{begin} to {'max' if end == largest else end}"


def _type(field: FieldDescriptorProto) -> str:
    return _NAMES.get(field.type) or field.type_name


def _options(options: Message) -> list[tuple[str, str]]:
    shown = []
    for described, value in options.ListFields():
        if described.name == "map_entry" or described.is_extension or described.message_type is not None:
            continue
        for one in value if described.is_repeated else [value]:
            if described.enum_type is not None:
                shown.append((described.name, described.enum_type.values_by_number[one].name))
            else:
                shown.append((described.name, json.dumps(one)))
    return shown


def _json_name(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
