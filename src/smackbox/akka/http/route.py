"""Routes as values: a route takes a request and gives an answer or rejections; a directive is what makes routes.

    orders = path("orders", int)(
        lambda order: get(lambda: complete({"order": order})) | delete(lambda: complete(HTTPStatus.NO_CONTENT))
    )

A directive is called with what it holds: one route or several (tried in order), or a function of the values that the
directive extracts, plain or `async`, which returns a route or a value to answer with. `a & b` is one directive of the
values of both, `a | b` tries `b` where `a` rejects. So a directive is a decorator as well.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import CoroutineType
from typing import TYPE_CHECKING, Any

import msgspec

from smackbox.akka.http.control import Body, RequestControl, with_body
from smackbox.akka.http.rejections import Rejection
from smackbox.net.http import JSON, HttpRequest, HttpResponse
from smackbox.net.http_exchange import Successor

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem

TEXT = "text/plain; charset=UTF-8"
BINARY = "application/octet-stream"
BAD_IN_HEADER = re.compile(r"[\r\n\0]")
"""What would end a header field, and begin another."""


class RequestContext(msgspec.Struct, frozen=True):
    """A request on its way through a route. `unmatched` is the rest of the path, as sent (percent-encoded).

    `body` is that of a request that was still arriving when its route began; `whole` waits for it.
    """

    request: HttpRequest
    unmatched: str
    system: ActorSystem
    control: RequestControl
    body: Body | None = None

    async def whole(self) -> RequestContext:
        """With the whole body in the request. Raises `RequestBodyError`, and `ConnectionResetError`."""
        if self.body is None:
            return self
        return self.changed(request=with_body(self.request, await self.body.whole()), body=None)

    def changed(self, **fields: Any) -> RequestContext:
        """A copy with other values of these fields."""
        return msgspec.structs.replace(self, **fields)


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """An answer whose body comes from `source`: a stream's `Source` of bytes, or an async iterable of them.

    `length` is the number of its bytes where that is known: the body is then not sent in chunks, and may be asked for
    in ranges. `part(first, end)` reads a range of it, where that takes less than reading all. `cookies` are the values
    of `Set-Cookie` fields.
    """

    source: Any
    content_type: str = BINARY
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    length: int | None = None
    part: Callable[[int, int], AsyncIterable[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class UpgradeResponse:
    """The connection goes on with another protocol: `accept(headers)` gives the head of the 101 and what speaks it."""

    accept: Callable[[list[tuple[bytes, bytes]]], tuple[bytes, Successor]]
    content_type: str = ""
    status: int = 101
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """None at all means that no path matched."""

    rejections: tuple[Rejection, ...] = ()


STREAM_BUFFER = 4
"""Elements of a `Source` that wait for a client that does not read."""


def chunks_of(source: Any, system: ActorSystem) -> AsyncIterator[bytes]:
    """The body of a `StreamedResponse`, element by element."""
    if isinstance(source, AsyncIterable):
        return aiter(source)
    elements: AsyncIterator[bytes] = source.run_async_iterator(system, STREAM_BUFFER)
    return elements


def with_vary(headers: dict[str, str], name: str) -> dict[str, str]:
    """A copy of `headers` whose `Vary` has `name` too: what caches keep an answer by."""
    others = [part.strip() for part in headers.get("Vary", "").split(",") if part.strip()]
    if name.lower() in (other.lower() for other in others) or "*" in others:
        return dict(headers)
    return {**headers, "Vary": ", ".join([*others, name])}


Response = HttpResponse | StreamedResponse | UpgradeResponse
_RESPONSES = (HttpResponse, StreamedResponse, UpgradeResponse)
Result = HttpResponse | StreamedResponse | UpgradeResponse | Rejected
Inner = Callable[[RequestContext, tuple[Any, ...]], Awaitable[Result]]


class Route:
    """A function from a request's context to its result."""

    __slots__ = ("run",)

    def __init__(self, run: Callable[[RequestContext], Awaitable[Result]]) -> None:
        self.run = run

    def __or__(self, other: Route) -> Route:
        return concat(self, other)


class Directive:
    """`apply` gets the context and what to go on with; it may change the context, the values, or the result."""

    __slots__ = ("apply",)

    def __init__(self, apply: Callable[[RequestContext, Inner], Awaitable[Result]]) -> None:
        self.apply = apply

    def __call__(self, *inner: Any) -> Route:
        """The route of this directive around `inner`. Raises `TypeError` for what is no route and no function."""
        go_on = _inner(inner)
        return Route(lambda context: self.apply(context, go_on))

    def __and__(self, other: Directive) -> Directive:
        def apply(context: RequestContext, inner: Inner) -> Awaitable[Result]:
            def second(context: RequestContext, first: tuple[Any, ...]) -> Awaitable[Result]:
                if not first:
                    return other.apply(context, inner)
                return other.apply(context, lambda context, values: inner(context, first + values))

            return self.apply(context, second)

        return Directive(apply)

    def __or__(self, other: Directive) -> Directive:
        async def apply(context: RequestContext, inner: Inner) -> Result:
            first = await self.apply(context, inner)
            if not isinstance(first, Rejected):
                return first
            second = await other.apply(context, inner)
            return Rejected(first.rejections + second.rejections) if isinstance(second, Rejected) else second

        return Directive(apply)


def concat(*routes: Route) -> Route:
    """The first of `routes` that does not reject. Raises `TypeError` for what is no route."""
    for route in routes:
        if not isinstance(route, Route):
            raise TypeError(f"{route!r} is no route: complete(…) makes one of a value")

    async def run(context: RequestContext) -> Result:
        rejections: tuple[Rejection, ...] = ()
        for route in routes:
            result = await route.run(context)
            if not isinstance(result, Rejected):
                return result
            rejections += result.rejections
        return Rejected(rejections)

    return Route(run)


def complete(
    value: Any = None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    content_type: str | None = None,
) -> Route:
    """Answer with `value`: text, bytes, a response, an `HTTPStatus` (with its phrase), None (no body), an awaitable of
    these, or anything that msgspec writes as JSON.

    Raises `TypeError` for a value that is not JSON.
    """
    if value is not None and inspect.isawaitable(value):

        async def later(_: RequestContext) -> Result:
            return response_of(await value, status, headers, content_type)

        return Route(later)
    response = response_of(value, status, headers, content_type)

    async def run(_: RequestContext) -> Result:
        return response

    return Route(run)


def reject(*rejections: Rejection) -> Route:
    """Leave the request to the next alternative. Without rejections: not found."""
    result = Rejected(rejections)

    async def run(_: RequestContext) -> Result:
        return result

    return Route(run)


def redirect(location: str, status: int = 302) -> Route:
    return complete(status=status, headers={"Location": location})


def response_of(
    value: Any, status: int = 200, headers: dict[str, str] | None = None, content_type: str | None = None
) -> Response:
    """What `complete` answers with."""
    headers = headers or {}
    if value is None:
        return HttpResponse(int(status), b"", content_type or TEXT, headers)
    if isinstance(value, _RESPONSES):
        return value
    if isinstance(value, HTTPStatus):
        body = b"" if value in {204, 205, 304} else value.phrase.encode()
        return HttpResponse(int(value), body, TEXT, headers)
    if isinstance(value, str):
        return HttpResponse(int(status), value.encode(), content_type or TEXT, headers)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return HttpResponse(int(status), bytes(value), content_type or BINARY, headers)
    return HttpResponse(int(status), msgspec.json.encode(value), content_type or JSON, headers)


async def run_value(value: Any, context: RequestContext) -> Result:
    """The result of what a handler returned. Raises `TypeError` for None, which is most likely a forgotten return."""
    if inspect.isawaitable(value):
        value = await value
    if isinstance(value, Route):
        return await value.run(context)
    if value is None:
        raise TypeError("a handler returned None: return complete() for an answer without a body")
    if isinstance(value, Rejection):
        return Rejected((value,))
    return response_of(value)


async def _call(function: Callable[..., Any], values: tuple[Any, ...], context: RequestContext) -> Result:
    value = function(*values)
    if type(value) is CoroutineType:  # most handlers; `run_value` knows all others
        value = await value
    return await (value.run(context) if type(value) is Route else run_value(value, context))


def _inner(things: tuple[Any, ...]) -> Inner:
    if len(things) == 1 and not isinstance(things[0], Route) and callable(things[0]):
        function = things[0]

        def call(context: RequestContext, values: tuple[Any, ...]) -> Awaitable[Result]:
            return _call(function, values, context)

        return call
    if not things:
        raise TypeError("a directive holds a route or a function")
    route = concat(*things)
    return lambda context, _: route.run(context)
