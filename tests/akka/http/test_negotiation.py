"""The media type of an answer, by what the client accepts."""

from __future__ import annotations

import asyncio

import pytest

from smackbox.akka.http import complete, get, negotiate, path
from smackbox.akka.http.negotiation import choose_media
from tests.akka.http.server import serving

OFFERED = ("application/json", "text/csv", "text/plain")


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("text/*", "text/csv"),
        ("text/*;q=0.5, text/csv;q=0.2", "text/plain"),  # the more specific range holds
        ("text/*, text/csv;q=0", "text/plain"),
        ("*/*;q=0.1, text/plain;q=0.2", "text/plain"),
        ("text/csv;q=0.9, application/json;q=0.9", "application/json"),
        ("text/csv;header=present;q=0.7, application/json;q=0.3", "text/csv"),
        ("text/html, image/*", None),
        ("application/json;q=0", None),
        ("application/json;q=x", None),
        ("text/csv;q=5", "text/csv"),
        (",, text/plain ,", "text/plain"),
    ],
)
def test_which_type_is_chosen(accepted: str | None, chosen: str | None) -> None:
    assert choose_media(accepted, OFFERED) == chosen


def test_routes_by_media_type() -> None:
    async def run() -> None:
        route = path("report")((get & negotiate(*OFFERED))(lambda media: complete("rows", content_type=media)))
        async with serving(route) as client:
            answer = await client.get("/report", Accept="text/csv, */*;q=0.1")
            assert (answer.headers["content-type"], answer.headers["vary"]) == ("text/csv", "Accept")
            answer = await client.get("/report", Accept="image/png")
            assert answer.status == 406
            assert answer.text == (
                "Resource representation is only available with these types:\napplication/json\ntext/csv\ntext/plain"
            )
        for wrong in ((), ("json",), ("text/*",), ("text/csv; header=present",)):
            with pytest.raises(ValueError, match="media types"):
                negotiate(*wrong)

    asyncio.run(run())
