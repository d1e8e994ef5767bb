"""Cookies (RFC 6265): `cookie` and `optional_cookie` extract one, `set_cookie` and `delete_cookie` send them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

from smackbox.akka.http.rejections import MissingCookieRejection
from smackbox.akka.http.route import Directive, Inner, Rejected, RequestContext, Response, Result
from smackbox.net.http import HttpRequest

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_ATTRIBUTE = re.compile(r"[ -:<-~]*")
_DELETED_AT = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HttpCookie:
    """What `Set-Cookie` says. Raises `ValueError` for what a cookie cannot hold; encode it before (base64, for one)."""

    name: str
    value: str
    expires: datetime | None = None
    max_age_s: int | None = None
    domain: str | None = None
    path: str | None = None
    secure: bool = False
    http_only: bool = False
    same_site: Literal["Strict", "Lax", "None"] | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a cookie: letters, digits and -_. among others")
        if not _VALUE.fullmatch(self.value):
            raise ValueError(
                f"the cookie {self.name} has a value with spaces, quotes, commas, semicolons or beyond ASCII"
            )
        for attribute in (self.domain, self.path):
            if attribute is not None and not _ATTRIBUTE.fullmatch(attribute):
                raise ValueError(
                    f"the cookie {self.name} has an attribute with a semicolon or line break: {attribute!r}"
                )
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError(f"the cookie {self.name} expires at a time without a time zone")

    def encode(self) -> str:
        """The value of a `Set-Cookie` field."""
        out = f"{self.name}={self.value}"
        if self.expires is not None:
            out += f"; Expires={format_datetime(self.expires.astimezone(UTC), usegmt=True)}"
        if self.max_age_s is not None:
            out += f"; Max-Age={self.max_age_s}"
        if self.domain is not None:
            out += f"; Domain={self.domain}"
        if self.path is not None:
            out += f"; Path={self.path}"
        if self.secure:
            out += "; Secure"
        if self.http_only:
            out += "; HttpOnly"
        if self.same_site is not None:
            out += f"; SameSite={self.same_site}"
        return out


def cookies_of(request: HttpRequest) -> dict[str, str]:
    """The cookies that a client sent, the first of each name; pairs without `=` are left out (RFC 6265, 5.4)."""
    found: dict[str, str] = {}
    for pair in request.headers.get("cookie", "").split(";"):
        name, equals, value = pair.partition("=")
        if equals and name.strip():
            found.setdefault(name.strip(), value.strip().removeprefix('"').removesuffix('"'))
    return found


def cookie(name: str) -> Directive:
    """Extract the value of a cookie. Rejects a request without it (400)."""
    rejected = Rejected((MissingCookieRejection(name),))

    async def apply(context: RequestContext, inner: Inner) -> Result:
        value = cookies_of(context.request).get(name)
        return rejected if value is None else await inner(context, (value,))

    return Directive(apply)


def optional_cookie(name: str) -> Directive:
    """Extract the value of a cookie, or None."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        return await inner(context, (cookies_of(context.request).get(name),))

    return Directive(apply)


def set_cookie(*cookies: HttpCookie) -> Directive:
    """Add a `Set-Cookie` field for each to the answer."""
    fields = tuple(one.encode() for one in cookies)

    async def apply(context: RequestContext, inner: Inner) -> Result:
        result: Result = await inner(context, ())
        if isinstance(result, Rejected):
            return result
        response: Response = replace(result, cookies=(*result.cookies, *fields))
        return response

    return Directive(apply)


def delete_cookie(name: str, *, domain: str | None = None, path: str | None = None) -> Directive:
    """Let the client forget a cookie; `domain` and `path` are those that it was set with."""
    return set_cookie(HttpCookie(name, "deleted", expires=_DELETED_AT, max_age_s=0, domain=domain, path=path))
