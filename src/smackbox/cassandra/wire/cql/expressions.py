"""The grammar of names, types and expressions, which all statements share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from smackbox.cassandra.wire.cql import ast
from smackbox.cassandra.wire.cql.lexer import Token, position
from smackbox.cassandra.wire.digits import number_of
from smackbox.cassandra.wire.errors import SyntaxFault
from smackbox.cassandra.wire.types import RESERVED

DEPTH_LIMIT = 64
T = TypeVar("T")
_LITERALS = {
    "string": "string",
    "integer": "integer",
    "float": "float",
    "uuid": "uuid",
    "hex": "hex",
    "duration": "duration",
}
_WORD_LITERALS = {"true": "boolean", "false": "boolean", "null": "null", "nan": "float", "infinity": "float"}
_BOOLEANS = frozenset({"true", "false"})
_CONSTANT_WORDS = _BOOLEANS | {"nan", "infinity"}
_JAVA = {"nan": "NaN", "infinity": "Infinity"}
_MULTIPLICATIVE = frozenset("*/%")


class ExpressionParser:
    """A cursor over tokens, with the grammar of expressions."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.index = 0
        self.binds: list[ast.Bind] = []
        self._depth = 0

    # ---- the cursor -------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The current token."""
        return self.tokens[self.index]

    def peek(self, distance: int = 1) -> Token:
        """A token further on; after the last one there are end tokens."""
        return self.tokens[min(self.index + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """The current token; moves to the next one."""
        token = self.tokens[self.index]
        self.index += 1
        return token

    def accept(self, operator: str) -> bool:
        """Skip that operator, if it is the current token."""
        token = self.tokens[self.index]
        if token.kind == "operator" and token.text == operator:
            self.index += 1
            return True
        return False

    def expect(self, operator: str) -> None:
        """Skip that operator. Raises `SyntaxFault`."""
        if not self.accept(operator):
            raise self.mismatched(f"'{operator}'")

    def accept_word(self, word: str) -> bool:
        """Skip that word, if it is the current token."""
        token = self.tokens[self.index]
        if token.kind == "name" and token.text == word:
            self.index += 1
            return True
        return False

    def accept_words(self, *words: str) -> bool:
        """Skip these words, if they are all next."""
        for offset, word in enumerate(words):
            token = self.tokens[min(self.index + offset, len(self.tokens) - 1)]
            if token.kind != "name" or token.text != word:
                return False
        self.index += len(words)
        return True

    def expect_word(self, word: str) -> None:
        """Skip that word. Raises `SyntaxFault`."""
        if not self.accept_word(word):
            raise self.mismatched(f"K_{word.upper()}")

    def separated(self, item: Callable[[], T], separator: str = ",") -> tuple[T, ...]:
        """One or more of `item`, with the separator between them."""
        items = [item()]
        while self.accept(separator):
            items.append(item())
        return tuple(items)

    # ---- errors, with the texts of Cassandra's parser
    # -----------------------------------------------------------------

    def no_alternative(self) -> SyntaxFault:
        """Cassandra's error for a token that cannot start anything."""
        token = self.token
        line, column = position(self.text, token.offset)
        return SyntaxFault(f"line {line}:{column} no viable alternative at input '{token.source}'")

    def mismatched(self, expected: str) -> SyntaxFault:
        """Cassandra's error for a token other than the only one allowed."""
        token = self.token
        line, column = position(self.text, token.offset)
        return SyntaxFault(f"line {line}:{column} mismatched input '{token.source}' expecting {expected}")

    def only_same_column(self, column: str) -> SyntaxFault:
        """Cassandra's error for `a = b + 1`."""
        return SyntaxFault(f"Only expressions of the form X = X +<value> are supported. ({column})")

    # ---- names and types --------------------------------------------------------------------------------------------

    def is_identifier(self) -> bool:
        """Whether the current token can be a name."""
        token = self.token
        return token.kind == "quoted" or (
            token.kind == "name" and token.text not in RESERVED and token.text not in _BOOLEANS
        )

    def identifier(self) -> str:
        """A name, in lower case unless it is quoted. Raises `SyntaxFault`."""
        token = self.token
        if not self.is_identifier():
            raise self.no_alternative()
        if token.kind == "quoted" and not token.text:
            raise self.no_alternative()
        self.index += 1
        return token.text

    def qualified_name(self) -> tuple[str | None, str]:
        """`[keyspace.]name`."""
        name = self.identifier()
        return (name, self.identifier()) if self.accept(".") else (None, name)

    def type_name(self) -> ast.TypeName:
        """A type. Raises `SyntaxFault`."""
        token = self.token
        if token.kind == "string":
            self.advance()
            return ast.TypeName(token.text, quoted=True, java=True)
        if token.kind not in {"name", "quoted"}:
            raise self.no_alternative()
        if token.kind == "name" and self.peek().text == "<":
            return self._parametric_type()
        if token.kind == "name" and token.text == "set":
            raise self.no_alternative()
        keyspace = None
        quoted = token.kind == "quoted"
        name = self.identifier()
        if self.accept("."):
            keyspace = name
            name = self.identifier()
        return ast.TypeName(name, keyspace=keyspace, quoted=quoted)

    def _parametric_type(self) -> ast.TypeName:
        name = self.advance().text
        self.expect("<")
        self._deeper()
        if name == "frozen":
            inner = self.type_name()
            self.expect(">")
            self._depth -= 1
            return replace(inner, frozen=True)
        if name not in {"list", "set", "map", "tuple", "vector"}:
            self.index -= 1
            raise self.no_alternative()
        parameters = [self.type_name()]
        dimension = 0
        if name == "vector":
            self.expect(",")
            dimension = self._dimension()
        while self.accept(","):
            parameters.append(self.type_name())
        count = {"list": 1, "set": 1, "map": 2, "vector": 1}.get(name, len(parameters))
        if len(parameters) != count:
            raise self.no_alternative()
        self.expect(">")
        self._depth -= 1
        return ast.TypeName(name, tuple(parameters), dimension=dimension)

    def _dimension(self) -> int:
        sign = -1 if self.accept("-") else 1
        if self.token.kind != "integer":
            raise self.no_alternative()
        dimension = sign * number_of(self.token.text)
        if not -(2**31) <= dimension < 2**31:
            raise SyntaxFault(
                f'Failed parsing statement: [{self.text}] reason: NumberFormatException For input string: "{dimension}"'
            )
        self.advance()
        return dimension

    # ---- expressions ------------------------------------------------------------------------------------------------

    def int_value(self) -> ast.Expression:
        """An integer literal or a bind marker, for LIMIT and USING."""
        token = self.token
        if token.text in {"?", ":"}:
            return self.bind()
        negative = self.accept("-")
        if self.token.kind != "integer":
            raise self.no_alternative()
        return ast.Literal("integer", ("-" if negative else "") + self.advance().text)

    def bind(self) -> ast.Bind:
        """A marker, `?` or `:name`. Raises `SyntaxFault`."""
        token = self.token
        if self.accept("?"):
            marker = ast.Bind(len(self.binds))
        elif self.accept(":"):
            if self.token.kind not in {"name", "quoted"}:
                raise self.no_alternative()
            marker = ast.Bind(len(self.binds), self.advance().text)
        else:
            del token
            raise self.no_alternative()
        self.binds.append(marker)
        return marker

    def expression(self, *, columns: bool = False, stop_at_column: bool = False) -> ast.Expression:
        """With `columns`, names are columns, as in a selection. `stop_at_column` leaves `+ name` to the caller."""
        self._deeper()
        left = self._product(columns)
        while self.token.kind == "operator" and self.token.text in {"+", "-"}:
            if stop_at_column and self._is_column_next():
                break
            operator = self.advance().text
            left = ast.Binary(operator, left, self._product(columns))
        self._depth -= 1
        return left

    def _is_column_next(self) -> bool:
        following = self.peek()
        after = self.peek(2)
        return following.kind in {"name", "quoted"} and after.text != "(" and following.text not in _WORD_LITERALS

    def _product(self, columns: bool) -> ast.Expression:
        left = self._unary(columns)
        while self.token.kind == "operator" and self.token.text in _MULTIPLICATIVE:
            operator = self.advance().text
            left = ast.Binary(operator, left, self._unary(columns))
        return left

    def _unary(self, columns: bool) -> ast.Expression:
        if not self.accept("-"):
            return self._postfix(columns)
        token = self.token
        if token.kind in {"integer", "float", "duration"} or (
            token.kind == "name" and token.text in {"nan", "infinity"}
        ):
            self.advance()
            text = "-" + _JAVA.get(token.text, token.text)
            return self._number_literal("float" if token.kind == "name" else token.kind, text)
        self._deeper()
        value = ast.Negate(self._unary(columns))
        self._depth -= 1
        return value

    def _number_literal(self, kind: str, text: str) -> ast.Literal:
        """A number. Raises `SyntaxFault` if it has a fraction or an exponent and no double can hold it."""
        if kind == "float" and text.lstrip("-").lower() not in _WORD_LITERALS and math.isinf(float(text)):
            raise SyntaxFault(f"Failed parsing statement: [{self.text}] reason: NumberFormatException {text}")
        return ast.Literal(kind, text)

    def _postfix(self, columns: bool) -> ast.Expression:
        value = self._primary(columns)
        while columns:
            if self.accept("."):
                value = ast.FieldOf(value, self.identifier())
            elif self.accept("["):
                low = None if self.token.text == ".." else self.expression(columns=columns)
                if self.accept(".."):
                    high = None if self.token.text == "]" else self.expression(columns=columns)
                    value = ast.SliceOf(value, low, high)
                else:
                    assert low is not None
                    value = ast.ElementOf(value, low)
                self.expect("]")
            else:
                break
        return value

    def _primary(self, columns: bool) -> ast.Expression:
        token = self.token
        kind = _LITERALS.get(token.kind)
        if kind is not None:
            self.advance()
            return self._number_literal(kind, token.text)
        if token.kind == "operator":
            if token.text in {"?", ":"}:
                return self.bind()
            if token.text == "[":
                self.advance()
                if self.accept("]"):
                    return ast.ListLiteral(())
                items = self.separated(lambda: self.expression(columns=columns))
                self.expect("]")
                return ast.ListLiteral(items)
            if token.text == "{":
                return self._braces(columns)
            if token.text == "(":
                return self._parenthesis(columns)
            raise self.no_alternative()
        if token.kind in {"name", "quoted"}:
            return self._named(columns)
        raise self.no_alternative()

    def _named(self, columns: bool) -> ast.Expression:
        token = self.token
        following = self.peek()
        if token.kind == "name" and token.text in _WORD_LITERALS and following.text != "(":
            self.advance()
            return ast.Literal(_WORD_LITERALS[token.text], _JAVA.get(token.text, token.text))
        if following.text == "(" and following.kind == "operator":
            return self._call(None, columns)
        if following.text == "." and not columns:
            keyspace = self.identifier()
            self.expect(".")
            return self._call(keyspace, columns)
        if following.text == "." and self.peek(3).text == "(":
            keyspace = self.identifier()
            self.expect(".")
            return self._call(keyspace, columns)
        if not columns:
            raise self.no_alternative()
        return ast.Column(self.identifier())

    def _call(self, keyspace: str | None, columns: bool) -> ast.Expression:
        token = self.token
        if token.kind == "name" and token.text in RESERVED and token.text != "token":
            raise self.no_alternative()
        name = self.advance().text
        self.expect("(")
        if name == "cast" and keyspace is None:
            value = self.expression(columns=columns)
            self.expect_word("as")
            target = self.type_name()
            self.expect(")")
            return ast.Cast(value, target)
        if name == "count" and self._accept_row():
            self.expect(")")
            return ast.Call("count", (), keyspace, star=True)
        if self.accept(")"):
            return ast.Call(name, (), keyspace)
        arguments = self.separated(lambda: self.expression(columns=columns))
        self.expect(")")
        return ast.Call(name, arguments, keyspace)

    def _accept_row(self) -> bool:
        """`*`, or any constant but null: all of these count rows."""
        place = 1 if self.token.text == "-" and self.token.kind == "operator" else 0
        token, following = self.peek(place), self.peek(place + 1)
        constant = token.kind in _LITERALS or (token.kind == "name" and token.text in _CONSTANT_WORDS)
        if following.text != ")" or not (constant or (not place and token.text == "*")):
            return False
        self.index += place + 1
        return True

    def _braces(self, columns: bool) -> ast.Expression:
        self.expect("{")
        if self.accept("}"):
            return ast.SetLiteral(())
        if self.is_identifier() and self.peek().text == ":" and self.token.text not in _WORD_LITERALS:
            fields = self.separated(lambda: self._field(columns))
            self.expect("}")
            return ast.UserTypeLiteral(fields)
        first = self.expression(columns=columns)
        if self.accept(":"):
            pairs = [(first, self.expression(columns=columns))]
            while self.accept(","):
                key = self.expression(columns=columns)
                self.expect(":")
                pairs.append((key, self.expression(columns=columns)))
            self.expect("}")
            return ast.MapLiteral(tuple(pairs))
        items = [first]
        while self.accept(","):
            items.append(self.expression(columns=columns))
        self.expect("}")
        return ast.SetLiteral(tuple(items))

    def _field(self, columns: bool) -> tuple[str, ast.Expression]:
        name = self.identifier()
        self.expect(":")
        return name, self.expression(columns=columns)

    def _parenthesis(self, columns: bool) -> ast.Expression:
        """`(type) value`, `(expression)` or a tuple."""
        start = self.index
        binds = len(self.binds)
        self.expect("(")
        if self.token.kind in {"name", "quoted"}:
            try:
                hint = self.type_name()
            except SyntaxFault:
                hint = None
            if hint is not None and self.accept(")") and self._starts_value():
                return ast.TypeHint(hint, self._unary(columns))
            self.index = start + 1
            del self.binds[binds:]
        items = self.separated(lambda: self.expression(columns=columns))
        self.expect(")")
        return ast.TupleLiteral(items)

    def _starts_value(self) -> bool:
        token = self.token
        if token.kind == "operator":
            return token.text in {"?", ":", "(", "[", "{", "-"}
        if token.kind == "name":
            if token.text == "as":
                return False  # an alias, or the type of a cast
            return token.text in _WORD_LITERALS or token.text not in RESERVED or token.text == "token"
        return token.kind != "end"

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise SyntaxFault(f"expressions are nested deeper than {DEPTH_LIMIT}")
