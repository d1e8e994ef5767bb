"""Directives that look at a request's method, parameters and headers, and that change requests and answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, get_origin

import msgspec

from smackbox.akka.http.rejections import (
    AuthorizationFailedRejection,
    CancelRejections,
    MalformedHeaderRejection,
    MalformedQueryParamRejection,
    MethodRejection,
    MissingHeaderRejection,
    MissingQueryParamRejection,
    Rejection,
    RejectionHandler,
    ValidationRejection,
    default_answer,
    remaining,
)
from smackbox.akka.http.route import (
    Directive,
    Inner,
    Rejected,
    RequestContext,
    Response,
    Result,
    Route,
    response_of,
    run_value,
)
from smackbox.net.http import HttpRequest
from smackbox.net.request_body import RequestBodyError

REQUIRED: Final = object()
INTERNAL_ERROR = "There was an internal server error."

log = logging.getLogger("smackbox.akka")


def method(name: str) -> Directive:
    """Take requests of one method. Where the inner route rejects, 405 by its alternatives is no answer any more."""
    rejected = Rejected((MethodRejection(name),))
    taken_back = CancelRejections(MethodRejection)

    async def apply(context: RequestContext, inner: Inner) -> Result:
        if context.request.method != name:
            return rejected
        result = await inner(context, ())
        return Rejected((*result.rejections, taken_back)) if isinstance(result, Rejected) else result

    return Directive(apply)


get = method("GET")
post = method("POST")
put = method("PUT")
delete = method("DELETE")
patch = method("PATCH")
head = method("HEAD")
options = method("OPTIONS")


def extract(function: Callable[[RequestContext], Any]) -> Directive:
    """Extract what `function` makes of the request's context."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        return await inner(context, (function(context),))

    return Directive(apply)


async def _extract_request(context: RequestContext, inner: Inner) -> Result:
    context = await context.whole()
    return await inner(context, (context.request,))


extract_request = Directive(_extract_request)
"""The request with its whole body, within the limit."""
extract_unmatched_path = extract(lambda context: context.unmatched)
extract_actor_system = extract(lambda context: context.system)
extract_method = extract(lambda context: context.request.method)
extract_client_ip = extract(lambda context: client_ip(context.request))
"""The client's address: as proxies tell it (`X-Forwarded-For`, `X-Real-IP`), else that of the connection.

Clients write these fields as they like: trust them only behind a proxy that replaces them.
"""


def client_ip(request: HttpRequest) -> str:
    """The first address of `X-Forwarded-For`, else the connection's, else `X-Real-IP`, as Pekko HTTP chooses."""
    forwarded = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    return forwarded or request.peer or request.headers.get("x-real-ip", "")


def provide(value: Any) -> Directive:
    return extract(lambda _: value)


def parameter(name: str, kind: Any = str, default: Any = REQUIRED) -> Directive:
    """Extract a query parameter, converted to `kind` by msgspec; `list[…]` takes every value of that name.

    Rejects a missing one without `default` (404, as Akka does) and one that cannot be converted (400).
    """
    every = get_origin(kind) is list

    async def apply(context: RequestContext, inner: Inner) -> Result:
        values = context.request.query.get(name)
        if not values:
            if default is REQUIRED:
                return Rejected((MissingQueryParamRejection(name),))
            return await inner(context, (default,))
        try:
            value = msgspec.convert(values if every else values[0], kind, strict=False)
        except msgspec.ValidationError as error:
            return Rejected((MalformedQueryParamRejection(name, str(error)),))
        return await inner(context, (value,))

    return Directive(apply)


def header(name: str, kind: Any = str, default: Any = REQUIRED) -> Directive:
    """Extract a header field, as `parameter` does. Rejects a missing one without `default` (400)."""
    key = name.lower()

    async def apply(context: RequestContext, inner: Inner) -> Result:
        text = context.request.headers.get(key)
        if text is None:
            if default is REQUIRED:
                return Rejected((MissingHeaderRejection(name),))
            return await inner(context, (default,))
        try:
            value = msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            return Rejected((MalformedHeaderRejection(name, str(error)),))
        return await inner(context, (value,))

    return Directive(apply)


def validate(check: Callable[[HttpRequest], bool] | bool, message: str) -> Directive:
    """Reject with 400 and `message` unless `check`, which sees the whole request."""
    rejected = Rejected((ValidationRejection(message),))

    async def apply(context: RequestContext, inner: Inner) -> Result:
        if callable(check):
            context = await context.whole()
        return await inner(context, ()) if (check(context.request) if callable(check) else check) else rejected

    return Directive(apply)


def authorize(check: Callable[[HttpRequest], bool] | bool) -> Directive:
    """Reject with 403 unless `check`, which sees the head: the body may still be on its way."""
    rejected = Rejected((AuthorizationFailedRejection(),))

    async def apply(context: RequestContext, inner: Inner) -> Result:
        return await inner(context, ()) if (check(context.request) if callable(check) else check) else rejected

    return Directive(apply)


def map_request(function: Callable[[HttpRequest], HttpRequest]) -> Directive:
    async def apply(context: RequestContext, inner: Inner) -> Result:
        context = await context.whole()
        return await inner(context.changed(request=function(context.request)), ())

    return Directive(apply)


def map_response(function: Callable[[Response], Response]) -> Directive:
    async def apply(context: RequestContext, inner: Inner) -> Result:
        result = await inner(context, ())
        return result if isinstance(result, Rejected) else function(result)

    return Directive(apply)


def respond_with_headers(headers: dict[str, str]) -> Directive:
    """Add header fields to the answer."""

    def add(response: Response) -> Response:
        return replace(response, headers={**response.headers, **headers})

    return map_response(add)


def handle_rejections(handler: RejectionHandler | Callable[[list[Rejection]], Any]) -> Directive:
    """Answer rejections of the inner route by `handler`, given what is left of them; None leaves them rejected."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        result = await inner(context, ())
        if not isinstance(result, Rejected):
            return result
        answer = handler(remaining(result.rejections))
        return result if answer is None else await run_value(answer, context)

    return Directive(apply)


def handle_exceptions(handler: Callable[[Exception], Any]) -> Directive:
    """Answer what the inner route raises by `handler`; None raises it further."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        try:
            return await inner(context, ())
        except Exception as error:
            answer = handler(error)
            if answer is None:
                raise
            return await run_value(answer, context)

    return Directive(apply)


async def sealed(route: Route, context: RequestContext) -> Response:
    """Run `route`: what it rejects is answered by default, what it raises is logged and answered with 500."""
    try:
        result = await route.run(context)
        return default_answer(remaining(result.rejections)) if isinstance(result, Rejected) else result
    except RequestBodyError as error:
        return response_of({"error": str(error)}, error.status)
    except Exception:
        log.exception("a route failed to answer %s %s", context.request.method, context.request.path)
        return response_of(INTERNAL_ERROR, 500)
