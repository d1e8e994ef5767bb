"""Directives that match the path, segment by segment.

A pattern is `"orders"` (or `"v1/orders"`), a type that a segment is converted to (`int`: digits, to 2^63 - 1; `str`;
`UUID`), or `REMAINING`: the rest of the path, which may be empty. Segments are compared and given decoded; texts match
whole segments (in Akka `path_prefix("foo")` matches `/foobar` as well).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

from smackbox.akka.http.route import Directive, Inner, Rejected, RequestContext, Result

LONG_MAX = 2**63 - 1
UUID_LENGTH = 36


class _Remaining:
    def __repr__(self) -> str:
        return "REMAINING"


REMAINING: Final = _Remaining()

_NO_MATCH: Final = object()
_NOT_FOUND = Rejected()


def path_prefix(*patterns: Any) -> Directive:
    """Match the next segments, and extract those given by a type."""
    return _matching(patterns, whole=False)


def path(*patterns: Any) -> Directive:
    """Match all that is left of the path. `path()` is `/`, or nothing, after what was matched."""
    return _matching(patterns, whole=True) if patterns else path_end_or_single_slash


def _end(allowed: frozenset[str]) -> Directive:
    async def apply(context: RequestContext, inner: Inner) -> Result:
        return await inner(context, ()) if context.unmatched in allowed else _NOT_FOUND

    return Directive(apply)


path_end = _end(frozenset({""}))
path_single_slash = _end(frozenset({"/"}))
path_end_or_single_slash = _end(frozenset({"", "/"}))


def _matching(patterns: tuple[Any, ...], *, whole: bool) -> Directive:
    steps: list[Any] = []
    for pattern in patterns:
        if isinstance(pattern, str):
            steps.extend(pattern.strip("/").split("/"))
        elif pattern in {int, str, UUID} or (pattern is REMAINING and pattern is patterns[-1]):
            steps.append(pattern)
        else:
            raise TypeError(f"{pattern!r} is no pattern of a segment: a text, int, str, UUID, or REMAINING at the end")

    def apply(context: RequestContext, inner: Inner) -> Awaitable[Result]:
        rest = context.unmatched
        values: list[Any] = []
        for step in steps:
            if step is REMAINING:
                values.append(unquote(rest.removeprefix("/")))
                rest = ""
                break
            if not rest.startswith("/"):
                return _not_found()
            segment, slash, after = rest[1:].partition("/")
            segment = unquote(segment)
            rest = slash + after
            if isinstance(step, str):
                if segment != step:
                    return _not_found()
                continue
            value = _converted(segment, step)
            if value is _NO_MATCH:
                return _not_found()
            values.append(value)
        if whole and rest:
            return _not_found()
        return inner(
            RequestContext(context.request, rest, context.system, context.control, context.body), tuple(values)
        )

    return Directive(apply)


async def _not_found() -> Result:
    return _NOT_FOUND


def _converted(segment: str, kind: type) -> Any:
    if kind is str:
        return segment or _NO_MATCH
    if kind is int:
        if not (segment.isascii() and segment.isdigit()) or len(segment) > 19:
            return _NO_MATCH
        number = int(segment)
        return number if number <= LONG_MAX else _NO_MATCH
    if len(segment) != UUID_LENGTH:
        return _NO_MATCH
    try:
        return UUID(segment)
    except ValueError:
        return _NO_MATCH
