"""CQL text to tokens. Keywords are identifiers here; as in CQL, the parser recognises them by their position."""

from __future__ import annotations

import re
from typing import NamedTuple

from smackbox.cassandra.wire.errors import SyntaxFault

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+|--[^\n]*|//[^\n]*|/\*.*?\*/)
    | (?P<uuid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-zA-Z_]))
    | (?P<hex>0[xX][0-9a-fA-F]*)
    | (?P<duration>(?:\d+(?i:mo|ms|us|µs|ns|[ywdhms]))+(?![0-9a-zA-Z_])
        |P(?=\d|T\d)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?(?![0-9a-zA-Z_])
        |P\d+W(?![0-9a-zA-Z_])
        |P\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})
    | (?P<float>\d+(?:\.(?!\.)\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+))
    | (?P<integer>\d+)
    | (?P<name>[a-zA-Z_][a-zA-Z0-9_]*)
    | (?P<quoted>"[^"]*(?:""[^"]*)*")
    | (?P<string>'[^']*(?:''[^']*)*'|\$\$.*?\$\$)
    | (?P<operator><=|>=|!=|\.\.|[-+*/%()\[\]{},.:;?=<>@])
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`text` is the value: unquoted for strings and quoted names, lower case for plain names; `source` as written."""

    kind: str
    text: str
    source: str
    offset: int


def tokenize(text: str) -> list[Token]:
    """All tokens and an `end` token. Raises `SyntaxFault` at a character that starts no token."""
    tokens: list[Token] = []
    offset = 0
    size = len(text)
    match = _TOKEN.match
    while offset < size:
        token = match(text, offset)
        if token is None:
            line, column = position(text, offset)
            raise SyntaxFault(f"line {line}:{column} no viable alternative at character '{text[offset]}'")
        kind = token.lastgroup
        assert kind is not None
        source = token.group()
        if kind != "space":
            value = source
            if kind == "name":
                value = source.lower()
            elif kind == "quoted":
                value = source[1:-1].replace('""', '"')
            elif kind == "string":
                value = source[2:-2] if source[0] == "$" else source[1:-1].replace("''", "'")
            tokens.append(Token(kind, value, source, offset))
        offset = token.end()
    tokens.append(Token("end", "<EOF>", "<EOF>", size))
    return tokens


def position(text: str, offset: int) -> tuple[int, int]:
    """Line from 1 and column from 0, as Cassandra counts them."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1)
