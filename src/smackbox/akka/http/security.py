"""Who may ask (basic and bearer authentication), and which pages of other origins may (CORS)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from smackbox.akka.http.rejections import AuthenticationFailedRejection
from smackbox.akka.http.route import Directive, Inner, Rejected, RequestContext, Result, with_vary
from smackbox.net.http import HttpResponse, basic_credentials

PREFLIGHT_AGE_S = 600
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


def authenticate_basic(realm: str, check: Callable[[str, str], Any]) -> Directive:
    """Extract what `check(user, password)`, plain or `async`, returns; None rejects with 401 (RFC 7617).

    `check` should compare secrets by `hmac.compare_digest`.
    """
    return _authenticate(f'Basic realm="{_quoted(realm)}",charset=UTF-8', basic_credentials, check)


def authenticate_bearer(realm: str, check: Callable[[str], Any]) -> Directive:
    """Extract what `check(token)` returns, as `authenticate_basic` (RFC 6750)."""
    return _authenticate(f'Bearer realm="{_quoted(realm)}"', _bearer, check)


def cors(
    origins: Sequence[str], methods: Sequence[str] = METHODS, headers: Sequence[str] = ("Authorization", "Content-Type")
) -> Directive:
    """Answer preflights, and let pages of `origins` (`https://shop.example`, or `*` for any) read the answers.

    Answers by `complete` have the fields; those that default rejection handling makes have them where
    `handle_rejections` is within. Credentials of the browser's own are never allowed.
    """
    allowed = frozenset(origin.rstrip("/") for origin in origins)
    preflight = {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ", ".join(headers),
        "Access-Control-Max-Age": str(PREFLIGHT_AGE_S),
    }

    def fields(origin: str | None) -> dict[str, str]:
        if "*" in allowed:
            return {"Access-Control-Allow-Origin": "*"} if origin is not None else {}
        return {"Access-Control-Allow-Origin": origin} if origin is not None and origin in allowed else {}

    def answered(headers: dict[str, str], added: dict[str, str]) -> dict[str, str]:
        # where the answer depends on who asks, caches must know
        return {**(headers if "*" in allowed else with_vary(headers, "Origin")), **added}

    async def apply(context: RequestContext, inner: Inner) -> Result:
        request = context.request
        origin = request.headers.get("origin")
        added = fields(origin)
        asks = request.method == "OPTIONS" and "access-control-request-method" in request.headers
        if asks and origin is not None:
            is_allowed = "Access-Control-Allow-Origin" in added
            return HttpResponse(204, headers=answered(preflight if is_allowed else {}, added))
        result = await inner(context, ())
        return result if isinstance(result, Rejected) else replace(result, headers=answered(result.headers, added))

    return Directive(apply)


def _authenticate(
    challenge: str, credentials_of: Callable[[str | None], tuple[str, ...] | None], check: Callable[..., Any]
) -> Directive:
    async def apply(context: RequestContext, inner: Inner) -> Result:
        sent = context.request.headers.get("authorization")
        credentials = credentials_of(sent)
        if credentials is None:
            return Rejected((AuthenticationFailedRejection(challenge, credentials_missing=True),))
        identity = check(*credentials)
        if inspect.isawaitable(identity):
            identity = await identity
        if identity is None or identity is False:
            return Rejected((AuthenticationFailedRejection(challenge, credentials_missing=False),))
        return await inner(context, (identity,))

    return Directive(apply)


def _bearer(header: str | None) -> tuple[str] | None:
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    return (token,) if scheme.lower() == "bearer" and token else None


def _quoted(realm: str) -> str:
    return realm.replace("\\", "\\\\").replace('"', '\\"')
