"""The text of a `.proto` file into a `FileDescriptorProto`; what names and numbers mean is checked by protobuf itself.

Understood: proto2 and proto3, packages, imports, messages, enums, oneofs, maps, extensions, reserved ranges, services,
and the options that protobuf defines. Left out of the descriptor: comments, custom options (in parentheses). Refused:
groups and editions.
Source: https://protobuf.dev/reference/protobuf/proto3-spec
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from smackbox.registry.state.schema import NESTING_LIMIT, InvalidSchema

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<name>\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
    |(?P<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<symbol>[{}\[\]()<>=;,+\-:/.])""",
    re.DOTALL | re.VERBOSE,
)
SCALARS = {
    name: FieldDescriptorProto.Type.Value(f"TYPE_{name.upper()}")
    for name in (
        "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32",
        "sfixed32", "sfixed64", "sint32", "sint64",
    )
}  # fmt: skip
MAX_FIELD_NUMBER = 2**29 - 1
MAX_ENUM_NUMBER = 2**31 - 1
Message = Any
"""A protobuf message, whose fields mypy does not know."""


def parse_proto(text: str, name: str) -> FileDescriptorProto:
    """The descriptor of the file `name`. Raises `InvalidSchema` with the line."""
    return _Parser(text, name).file()


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._file = FileDescriptorProto(name=name)

    # -- tokens

    @property
    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next
        if not token:
            raise InvalidSchema("the text ends inside a definition")
        self._at += 1
        return token

    def _expect(self, *wanted: str) -> str:
        token = self._take()
        if token not in wanted:
            self._at -= 1
            raise self._error(f"expected {' or '.join(wanted)}, not {token}")
        return token

    def _accept(self, wanted: str) -> bool:
        if self._next == wanted:
            self._at += 1
            return True
        return False

    def _error(self, why: str) -> InvalidSchema:
        place = self._tokens[min(self._at, len(self._tokens) - 1)][1] if self._tokens else 0
        return InvalidSchema(f"line {self._text.count(chr(10), 0, place) + 1}: {why}")

    def _name(self) -> str:
        token = self._take()
        if not (token[0].isalpha() or token[0] in "_."):
            self._at -= 1
            raise self._error(f"expected a name, not {token}")
        return token

    def _integer(self) -> int:
        negative = self._accept("-")
        token = self._take()
        try:
            value = int(token, 8) if re.fullmatch(r"0[0-7]+", token) else int(token, 0)
        except ValueError as error:
            self._at -= 1
            raise self._error(f"expected a number, not {token}") from error
        return -value if negative else value

    def _string(self) -> str:
        token = self._take()
        if token[0] not in "\"'":
            self._at -= 1
            raise self._error(f"expected a string, not {token}")
        value = _unquoted(token)
        while self._next[:1] in {'"', "'"}:
            value += _unquoted(self._take())
        return value

    # -- the file

    def file(self) -> FileDescriptorProto:
        statements: dict[str, Callable[[], None]] = {
            "syntax": self._syntax,
            "package": self._package,
            "import": self._import,
            "option": lambda: self._option(self._file.options),
            "message": lambda: self._message(self._file.message_type.add(), 0),
            "enum": lambda: self._enum(self._file.enum_type.add()),
            "service": self._service,
            "extend": lambda: self._extend(self._file.extension, self._file.message_type, 0),
            ";": lambda: None,
        }
        while self._next:
            keyword = self._take()
            statement = statements.get(keyword)
            if statement is None:
                self._at -= 1
                raise self._error(f"{keyword} begins no statement of a .proto file that is understood")
            statement()
        return self._file

    @property
    def _proto3(self) -> bool:
        return bool(self._file.syntax == "proto3")

    def _syntax(self) -> None:
        self._expect("=")
        syntax = self._string()
        self._expect(";")
        if syntax not in {"proto2", "proto3"}:
            raise self._error(f"syntax {syntax} is not known")
        if syntax == "proto3":
            self._file.syntax = syntax

    def _package(self) -> None:
        self._file.package = self._name()
        self._expect(";")

    def _import(self) -> None:
        number = len(self._file.dependency)
        if self._accept("public"):
            self._file.public_dependency.append(number)
        elif self._accept("weak"):
            self._file.weak_dependency.append(number)
        self._file.dependency.append(self._string())
        self._expect(";")

    def _service(self) -> None:
        service = self._file.service.add(name=self._name())
        self._expect("{")
        while not self._accept("}"):
            keyword = self._expect("rpc", "option", ";")
            if keyword == "option":
                self._option(service.options)
            elif keyword == "rpc":
                self._method(service.method.add(name=self._name()))

    def _method(self, method: Message) -> None:
        for kind in ("input_type", "output_type"):
            self._expect("(")
            if self._accept("stream"):
                setattr(method, "client_streaming" if kind == "input_type" else "server_streaming", True)
            setattr(method, kind, self._name())
            self._expect(")")
            if kind == "input_type":
                self._expect("returns")
        if self._accept("{"):
            while not self._accept("}"):
                if self._expect("option", ";") == "option":
                    self._option(method.options)
        else:
            self._expect(";")

    # -- messages

    def _message(self, message: DescriptorProto, depth: int) -> None:
        message.name = self._name()
        self._body(message, depth)

    def _body(self, message: DescriptorProto, depth: int) -> None:
        if depth > NESTING_LIMIT:
            raise self._error(f"messages are nested deeper than {NESTING_LIMIT}")
        self._expect("{")
        optional: list[FieldDescriptorProto] = []
        while not self._accept("}"):
            if self._accept(";"):
                continue
            after = self._tokens[self._at + 1][0] if self._at + 1 < len(self._tokens) else ""
            keyword = self._next
            if keyword == "message" and after not in {"=", "."} and self._is_block():
                self._take()
                self._message(message.nested_type.add(), depth + 1)
            elif keyword == "enum" and self._is_block():
                self._take()
                self._enum(message.enum_type.add())
            elif keyword == "oneof" and self._is_block():
                self._take()
                self._oneof(message)
            elif keyword == "extend" and self._is_block():
                self._take()
                self._extend(message.extension, message.nested_type, depth)
            elif keyword == "option":
                self._take()
                self._option(message.options)
            elif keyword == "reserved":
                self._take()
                self._reserved(message)
            elif keyword == "extensions":
                self._take()
                for begin, end in self._ranges(MAX_FIELD_NUMBER):
                    message.extension_range.add(start=begin, end=end + 1)
                if self._accept("["):
                    self._options_in_brackets(None, None)
                self._expect(";")
            else:
                field = self._field(message.field.add(), message)
                if field.proto3_optional:
                    optional.append(field)
        for field in optional:  # their oneofs come after those that are written
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def _is_block(self) -> bool:
        """Whether `keyword name {` follows: the keywords may name a type, too."""
        return self._at + 2 < len(self._tokens) and self._tokens[self._at + 2][0] == "{"

    def _field(
        self, field: FieldDescriptorProto, message: DescriptorProto | None, *, in_oneof: bool = False
    ) -> Message:
        labels = {"optional", "required", "repeated"}
        if not self._next:
            raise InvalidSchema("the text ends inside a definition")
        label = self._take() if self._next in labels and not in_oneof else ""
        if label == "required" and self._proto3:
            raise self._error("required is not in proto3")
        if not label and not in_oneof and not self._proto3 and self._next != "map":
            raise self._error('a field of proto2 begins with "optional", "required" or "repeated"')
        field.label = FieldDescriptorProto.Label.Value(f"LABEL_{(label or 'optional').upper()}")
        field.proto3_optional = label == "optional" and self._proto3
        if not field.proto3_optional:
            field.ClearField("proto3_optional")
        if self._next == "group":
            raise self._error("groups are not understood: use a message")
        kind = self._name()
        key = value = ""
        if kind == "map" and self._accept("<"):
            key = self._name()
            self._expect(",")
            value = self._name()
            self._expect(">")
        else:
            _set_type(field, kind)
        field.name = self._name()
        if value:
            if message is None or in_oneof:
                raise self._error("a map is a field of a message")
            self._map(field, message, key, value)
        self._expect("=")
        field.number = self._integer()
        if self._accept("["):
            self._options_in_brackets(field.options, field)
        self._expect(";")
        return field

    def _map(self, field: FieldDescriptorProto, message: DescriptorProto, key: str, value: str) -> None:
        name = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        for number, (inner, kind) in enumerate((("key", key), ("value", value)), 1):
            one = entry.field.add(name=inner, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            _set_type(one, kind)
        field.label = FieldDescriptorProto.LABEL_REPEATED
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = name

    def _oneof(self, message: DescriptorProto) -> None:
        index = len(message.oneof_decl)
        oneof = message.oneof_decl.add(name=self._name())
        self._expect("{")
        while not self._accept("}"):
            if self._accept("option"):
                self._option(oneof.options)
            elif not self._accept(";"):
                field = message.field.add()
                field.oneof_index = index
                self._field(field, message, in_oneof=True)

    def _extend(self, extensions: Message, _messages: Message, _depth: int) -> None:
        extendee = self._name()
        self._expect("{")
        while not self._accept("}"):
            if not self._accept(";"):
                field = self._field(extensions.add(), None)
                field.extendee = extendee

    def _enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = self._name()
        self._expect("{")
        while not self._accept("}"):
            if self._accept(";"):
                continue
            if self._next in {"option", "reserved"} and self._tokens[self._at + 1][0] != "=":
                if self._take() == "option":
                    self._option(enum.options)
                else:
                    self._reserved(enum)
                continue
            value = enum.value.add(name=self._name())
            self._expect("=")
            value.number = self._integer()
            if self._accept("["):
                self._options_in_brackets(value.options, None)
            self._expect(";")

    def _reserved(self, owner: Message) -> None:
        if self._next[:1] in {'"', "'"}:
            owner.reserved_name.append(self._string())
            while self._accept(","):
                owner.reserved_name.append(self._string())
        else:
            is_enum = isinstance(owner, EnumDescriptorProto)
            for begin, end in self._ranges(MAX_ENUM_NUMBER if is_enum else MAX_FIELD_NUMBER):
                owner.reserved_range.add(start=begin, end=end if is_enum else end + 1)
        self._expect(";")

    def _ranges(self, largest: int) -> list[tuple[int, int]]:
        ranges = []
        while True:
            begin = end = self._integer()
            if self._accept("to"):
                end = largest if self._accept("max") else self._integer()
            ranges.append((begin, end))
            if not self._accept(","):
                return ranges

    # -- options

    def _option(self, options: Message) -> None:
        name, custom = self._option_name()
        self._expect("=")
        self._set_option(options, name, custom)
        self._expect(";")

    def _options_in_brackets(self, options: Message, field: FieldDescriptorProto | None) -> None:
        while True:
            name, custom = self._option_name()
            self._expect("=")
            if field is not None and name == "json_name":
                field.json_name = self._string()
            elif field is not None and name == "default":
                field.default_value = self._default()
            else:
                self._set_option(options, name, custom)
            if self._expect(",", "]") == "]":
                return

    def _option_name(self) -> tuple[str, bool]:
        custom, name = False, ""
        while True:
            if self._accept("("):
                custom = True
                name += self._name()
                self._expect(")")
            else:
                name += self._name()
            if self._next.startswith(".") or self._next == "(":
                continue
            return name, custom

    def _default(self) -> str:
        if self._next[:1] in {'"', "'"}:
            return self._string()
        sign = "-" if self._accept("-") else ""
        return sign + self._take()

    def _set_option(self, options: Message, name: str, custom: bool) -> None:
        if self._next == "{":
            self._skip_braces()
            return
        quoted = self._next[:1] in {'"', "'"}
        value = self._string() if quoted else self._default()
        if custom or options is None or "." in name:
            return
        described = options.DESCRIPTOR.fields_by_name.get(name)
        if described is None:
            raise self._error(f"option {name} is not known")
        if described.enum_type is not None:
            number = described.enum_type.values_by_name.get(value)
            if number is None:
                raise self._error(f"option {name}: {value} is not one of its values")
            _assign(options, name, number.number, described.is_repeated)
        elif described.cpp_type == described.CPPTYPE_BOOL:
            if value not in {"true", "false"}:
                raise self._error(f"option {name} is true or false, not {value}")
            _assign(options, name, value == "true", described.is_repeated)
        elif described.cpp_type == described.CPPTYPE_STRING:
            _assign(options, name, value, described.is_repeated)

    def _skip_braces(self) -> None:
        self._expect("{")
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self._take(), 0)


def _assign(options: Message, name: str, value: object, repeated: bool) -> None:
    if repeated:
        getattr(options, name).append(value)
    else:
        setattr(options, name, value)


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if kind in SCALARS:
        field.type = SCALARS[kind]
    else:
        field.type_name = kind


def _tokens(text: str) -> list[tuple[str, int]]:
    found = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise InvalidSchema(f"line {line}: {text[at : at + 20]!r} is not Protobuf")
        if match.lastgroup != "space":
            found.append((match.group(), at))
        at = match.end()
    return found


def _unquoted(token: str) -> str:
    try:
        return str(ast.literal_eval(token))
    except (ValueError, SyntaxError) as error:
        raise InvalidSchema(f"{token} is not a string: {error}") from error
