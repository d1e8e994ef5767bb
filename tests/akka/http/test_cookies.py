"""Cookies in both directions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from smackbox.akka.http import HttpCookie, complete, cookie, delete_cookie, optional_cookie, path, reject, set_cookie
from smackbox.akka.http.cookies import cookies_of
from smackbox.net.http import HttpRequest
from tests.akka.http.server import serving


def test_fields_of_cookies() -> None:
    paris = timezone(timedelta(hours=2))
    full = HttpCookie(
        "id", "a3f=", datetime(2026, 7, 1, 14, tzinfo=paris), 60, "shop.example", "/a", secure=True, http_only=True,
        same_site="Lax",
    )  # fmt: skip
    assert full.encode() == (
        "id=a3f=; Expires=Wed, 01 Jul 2026 12:00:00 GMT; Max-Age=60; Domain=shop.example; Path=/a; Secure; HttpOnly; "
        "SameSite=Lax"
    )
    assert HttpCookie("id", "").encode() == "id="
    for wrong in (
        lambda: HttpCookie("a b", "x"),
        lambda: HttpCookie("", "x"),
        lambda: HttpCookie("a", "x; Path=/"),
        lambda: HttpCookie("a", 'x"'),
        lambda: HttpCookie("a", "ä"),
        lambda: HttpCookie("a", "x\r\nSet-Cookie: b=c"),
        lambda: HttpCookie("a", "x", path="/; Secure"),
        lambda: HttpCookie("a", "x", expires=datetime(2026, 1, 1)),
    ):
        with pytest.raises(ValueError, match="cookie"):
            wrong()


def test_what_clients_send() -> None:
    for field, found in (
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2; a=3", {"a": "1", "b": "2"}),
        ('q="quoted"; e=; x=y=z', {"q": "quoted", "e": "", "x": "y=z"}),
        ("nothing; =value;;", {}),
        ("", {}),
    ):
        assert cookies_of(HttpRequest("GET", "/", headers={"cookie": field})) == found


def test_directives() -> None:
    async def run() -> None:
        expires = datetime(2030, 1, 1, tzinfo=UTC)
        route = (
            path("must")(cookie("fancy")(complete))
            | path("may")(optional_cookie("fancy")(lambda value: complete(str(value))))
            | path("set")(
                (set_cookie(HttpCookie("a", "1"), HttpCookie("b", "2", expires)) & set_cookie(HttpCookie("c", "3")))(
                    complete("ok")
                )
            )
            | path("delete")(delete_cookie("a", domain="test.com")(complete("ok")))
            | path("rejected")(set_cookie(HttpCookie("a", "1"))(reject()))
        )  # fmt: skip
        async with serving(route) as client:
            assert (await client.get("/must", Cookie="x=1; fancy=pants")).text == "pants"
            answer = await client.get("/must", Cookie="x=1")
            assert (answer.status, answer.text) == (400, "Request is missing required cookie 'fancy'")
            assert (await client.get("/may")).text == "None"
            assert (await client.get("/may", Cookie="fancy=pants")).text == "pants"

            async def fields(target: bytes) -> list[bytes]:
                answer = await client.raw(b"GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % target)
                return [line[12:] for line in answer.split(b"\r\n") if line.startswith(b"Set-Cookie: ")]

            assert await fields(b"/set") == [b"c=3", b"a=1", b"b=2; Expires=Tue, 01 Jan 2030 00:00:00 GMT"]
            assert await fields(b"/delete") == [
                b"a=deleted; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Domain=test.com"
            ]
            assert await fields(b"/rejected") == []

    asyncio.run(run())
