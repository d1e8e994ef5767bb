"""Parses the names of Java type classes like Cassandra's `TypeParser`."""

from __future__ import annotations

from collections.abc import Callable

from smackbox.cassandra.wire.custom_types import (
    CompositeType,
    DynamicCompositeType,
    EmptyType,
    LexicalUuidType,
    ReversedPart,
)
from smackbox.cassandra.wire.errors import SyntaxFault
from smackbox.cassandra.wire.types import (
    BLOB,
    MARSHAL,
    NATIVE,
    TIMESTAMP,
    CqlType,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
)

DEPTH_LIMIT = 64
_BY_CLASS: dict[str, CqlType] = {kind.java.removeprefix(MARSHAL): kind for kind in NATIVE.values()}
_BY_CLASS |= {"DateType": TIMESTAMP, "EmptyType": EmptyType(), "LexicalUUIDType": LexicalUuidType()}
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+._&")


def java_type(text: str, user_types: dict[str, UserType]) -> CqlType:
    """The type of that Java name. Raises `SyntaxFault` with Cassandra's text; anything after the type is ignored."""
    reader = _Reader(text, user_types)
    kind = reader.type(0)
    return kind.kind if isinstance(kind, ReversedPart) else kind


class _Reader:
    """A cursor over the text of a type."""

    def __init__(self, text: str, user_types: dict[str, UserType]) -> None:
        self.text = text
        self.offset = 0
        self._user_types = user_types
        self._parametric: dict[str, Callable[[int], CqlType | ReversedPart]] = {
            "ListType": lambda depth: ListType(*self._parts("ListType", depth, 1), multi_cell=True),
            "SetType": lambda depth: SetType(*self._parts("SetType", depth, 1), multi_cell=True),
            "MapType": lambda depth: MapType(*self._parts("MapType", depth, 2), multi_cell=True),
            "TupleType": self._tuple,
            "FrozenType": lambda depth: self._parts("FrozenType", depth, 1)[0].frozen(),
            "ReversedType": lambda depth: ReversedPart(*self._parts("ReversedType", depth, 1)),
            "CompositeType": lambda depth: CompositeType(tuple(self._arguments(depth))),
            "DynamicCompositeType": self._dynamic,
            "VectorType": self._vector,
            "UserType": self._user_type,
        }

    def type(self, depth: int) -> CqlType | ReversedPart:
        if depth > DEPTH_LIMIT:
            raise self._unreadable("types are nested too deeply")
        self._skip(" ")
        start = self.offset
        while self.offset < len(self.text) and self.text[self.offset] in _NAME_CHARACTERS:
            self.offset += 1
        name = self.text[start : self.offset]
        if not name:
            return BLOB
        short = name.removeprefix(MARSHAL) if name.startswith(MARSHAL) else name
        parametric = self._parametric.get(short)
        if parametric is not None:
            return parametric(depth + 1)
        native = _BY_CLASS.get(short)
        if native is None or (depth and short == "EmptyType"):
            if depth:
                raise _UnknownClassError
            shown = name if "." in name else MARSHAL + name
            raise self._unreadable(f"Unable to find abstract-type class '{shown}'")
        self._skip_arguments()
        return native

    def _tuple(self, depth: int) -> CqlType:
        parts = self._plain(depth)
        if not parts:
            raise self._invalid("TupleType")
        return TupleType(tuple(parts))

    def _dynamic(self, depth: int) -> CqlType:
        aliases: dict[str, CqlType] = {}
        for alias, kind in self._pairs("DynamicCompositeType", depth):
            if len(alias) != 1:
                raise self._invalid("DynamicCompositeType")
            aliases[alias] = kind
        return DynamicCompositeType(aliases, _BY_CLASS)

    def _pairs(self, owner: str, depth: int) -> list[tuple[str, CqlType]]:
        if not self._accept("("):
            return []
        pairs = []
        while not self._accept(")"):
            self._skip(" ,")
            name, arrow, _ = self.text[self.offset :].partition("=>")
            if not arrow:
                raise self._invalid(owner)
            self.offset += len(name) + 2
            pairs.append((name.strip(), self._unreversed(self._nested(owner, depth))))
            self._skip(" ,")
        return pairs

    def _vector(self, depth: int) -> CqlType:
        if not self._accept("("):
            raise self._invalid("VectorType")
        element = self._unreversed(self._nested("VectorType", depth))
        self._skip(" ,")
        start = self.offset
        while self.offset < len(self.text) and self.text[self.offset].isdecimal():
            self.offset += 1
        if self.offset == start or not self._accept(")"):
            raise self._invalid("VectorType")
        return VectorType(element, int(self.text[start : self.offset - 1]))

    def _user_type(self, depth: int) -> CqlType:
        """`UserType(keyspace,name in hexadecimal,…)`: the type of that name."""
        del depth
        inside = self.text[self.offset :].partition("(")[2]
        try:
            name = bytes.fromhex(inside.split(",")[1].strip(" )")).decode()
        except (IndexError, ValueError):
            raise self._invalid("UserType") from None
        self._skip_arguments()
        known = self._user_types.get(name)
        if known is None:
            raise self._invalid("UserType")
        return known

    def _parts(self, owner: str, depth: int, count: int) -> list[CqlType]:
        parts = self._plain(depth, owner)
        if len(parts) != count:
            raise self._invalid(owner)
        return parts

    def _plain(self, depth: int, owner: str = "TupleType") -> list[CqlType]:
        return [self._unreversed(part) for part in self._arguments(depth, owner)]

    def _arguments(self, depth: int, owner: str = "CompositeType") -> list[CqlType | ReversedPart]:
        arguments: list[CqlType | ReversedPart] = []
        if not self._accept("("):
            return arguments
        self._skip(" ,")
        while not self._accept(")"):
            if self.offset >= len(self.text):
                raise self._invalid(owner)
            arguments.append(self._nested(owner, depth))
            self._skip(" ,")
        return arguments

    def _nested(self, owner: str, depth: int) -> CqlType | ReversedPart:
        before = self.offset
        try:
            inner = self.type(depth)
        except _UnknownClassError:
            raise self._invalid(owner) from None
        if self.offset == before:
            raise self._invalid(owner)
        return inner

    def _unreversed(self, part: CqlType | ReversedPart) -> CqlType:
        return part.kind if isinstance(part, ReversedPart) else part

    def _skip(self, characters: str) -> None:
        while self.offset < len(self.text) and self.text[self.offset] in characters:
            self.offset += 1

    def _accept(self, character: str) -> bool:
        self._skip(" ")
        if self.text[self.offset : self.offset + 1] != character:
            return False
        self.offset += 1
        return True

    def _skip_arguments(self) -> None:
        """Skip the arguments of a class that takes none."""
        depth = 0
        while self.offset < len(self.text):
            character = self.text[self.offset]
            if not depth and character != "(":
                return
            depth += {"(": 1, ")": -1}.get(character, 0)
            self.offset += 1

    def _invalid(self, owner: str) -> SyntaxFault:
        return self._unreadable(f"Invalid definition for comparator {MARSHAL}{owner}.")

    def _unreadable(self, reason: str) -> SyntaxFault:
        return SyntaxFault(f"Error setting type {self.text}: {reason}")


class _UnknownClassError(Exception):
    """An unknown class inside another."""
