"""Protobuf schemas: the text of a `.proto` file, or the base64 of its `FileDescriptorProto`, as Python's client does.

What is stored is the text that is made from the descriptor: texts that differ in layout or comments are one schema.
The files that `google/protobuf` has are known; others are references, by the name they are imported with.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from smackbox.registry.state.proto_parser import parse_proto
from smackbox.registry.state.proto_text import proto_text
from smackbox.registry.state.schema import InvalidSchema, Resolved, Schema

NAME = "schema.proto"
WELL_KNOWN = (
    "any",
    "api",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
)
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")


class ProtobufSchema:
    """A parsed schema."""

    def __init__(self, file: FileDescriptor, text: str) -> None:
        self.file = file
        self._text = text

    @property
    def canonical(self) -> str:
        """The text made from the descriptor."""
        return self._text

    @property
    def normalized(self) -> str:
        """The text made from the descriptor, with imports in order."""
        proto = self._descriptor()
        if not proto.public_dependency and not proto.weak_dependency:
            proto.dependency[:] = sorted(proto.dependency)
        return proto_text(proto)

    def unreadable(self, writer: Schema) -> list[str]:
        """See `protobuf_compatibility`."""
        from smackbox.registry.state.protobuf_compatibility import differences

        assert isinstance(writer, ProtobufSchema)
        return differences(self.file, writer.file)

    def formatted(self, form: str) -> str:
        """`serialized`: the descriptor as base64."""
        if form != "serialized":
            return self.canonical
        return base64.b64encode(self._descriptor().SerializeToString()).decode()

    def _descriptor(self) -> FileDescriptorProto:
        proto = FileDescriptorProto()
        self.file.CopyToProto(proto)  # type: ignore[no-untyped-call, unused-ignore]
        return proto


def parse_protobuf(text: str, references: Resolved = ()) -> ProtobufSchema:
    """The schema of a text whose references are known. Raises `InvalidSchema`."""
    pool = descriptor_pool.DescriptorPool()
    known: set[str] = set()
    for name, referenced in references:
        if name not in known:
            try:
                _add(pool, _file(referenced, name), known)
            except InvalidSchema as error:
                raise InvalidSchema(f"reference {name}: {error}") from error
    file = _add(pool, _file(text, _unused(known)), known)
    proto = FileDescriptorProto()
    file.CopyToProto(proto)  # type: ignore[no-untyped-call, unused-ignore]
    return ProtobufSchema(file, proto_text(proto))


def _unused(known: set[str]) -> str:
    return next(name for number in range(len(known) + 1) if (name := f"{number or ''}{NAME}") not in known)


def _file(text: str, name: str) -> FileDescriptorProto:
    if _BASE64.fullmatch(text):
        try:
            proto = FileDescriptorProto.FromString(base64.b64decode(text, validate=False))
        except (binascii.Error, DecodeError) as error:
            raise InvalidSchema(f"neither the text of a .proto file nor a descriptor in base64: {error}") from error
        proto.name = name
        return proto
    return parse_proto(text, name)


def _add(pool: Any, proto: FileDescriptorProto, known: set[str]) -> FileDescriptor:
    for name in proto.dependency:
        if name not in known:
            _add_well_known(pool, name, known)
    try:
        pool.AddSerializedFile(proto.SerializeToString())
        file: FileDescriptor = pool.FindFileByName(proto.name)
    except (TypeError, KeyError) as error:
        raise InvalidSchema(str(error).removeprefix("Couldn't build proto file into descriptor pool: ")) from error
    known.add(proto.name)
    return file


def _add_well_known(pool: Any, name: str, known: set[str]) -> None:
    file = _well_known(name)
    if file is None:
        raise InvalidSchema(f'import "{name}": it is not among the references')
    proto = FileDescriptorProto()
    file.CopyToProto(proto)  # type: ignore[no-untyped-call, unused-ignore]
    known.add(name)
    _add(pool, proto, known)


def _well_known(name: str) -> FileDescriptor | None:
    from importlib import import_module

    if name == descriptor_pb2.DESCRIPTOR.name:
        return descriptor_pb2.DESCRIPTOR
    short = name.removeprefix("google/protobuf/").removesuffix(".proto")
    if name != f"google/protobuf/{short}.proto" or short not in WELL_KNOWN:
        return None
    module: Any = import_module(f"google.protobuf.{short}_pb2")
    described: FileDescriptor = module.DESCRIPTOR
    return described
