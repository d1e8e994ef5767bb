"""Forms: fields and files out of multipart and urlencoded bodies, as browsers, curl and aiohttp write them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smackbox.akka.http import (
    Route,
    UploadedFile,
    as_,
    complete,
    entity,
    file_upload,
    file_upload_all,
    form_field,
    map_request,
    path,
    post,
    store_uploaded_file,
)
from smackbox.akka.http.forms import parse_form
from smackbox.net.http import HttpRequest
from tests.akka.http.server import Answer, serving

URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=AaB03x"}

# as in RFC 7578 and in HTML's own examples, with a file of bytes that look like a boundary
BODY = (
    b'--AaB03x\r\nContent-Disposition: form-data; name="title"\r\n\r\nA photo\r\n'
    b'--AaB03x\r\nContent-Disposition: form-data; name="tag"\r\n\r\none\r\n'
    b'--AaB03x\r\nContent-Disposition: form-data; name="tag"\r\n\r\ntwo\r\n'
    b'--AaB03x\r\nContent-Disposition: form-data; name="photo"; filename="a \xc3\xa9.png"\r\n'
    b"Content-Type: image/png\r\n\r\n\x89PNG\r\n--AaB0\r\n\x00\xff\r\n"
    b'--AaB03x\r\nContent-Disposition: form-data; name="photo"; filename="empty"\r\n\r\n\r\n'
    b"--AaB03x--\r\n"
)


def send(route: Route, body: Any, headers: dict[str, str] | None = None) -> Answer:
    async def run() -> Answer:
        async with serving(post(route)) as client:
            return await client.ask("POST", "/", body, headers)

    return asyncio.run(run())


def shown(file: UploadedFile) -> Route:
    return complete([file.field_name, file.file_name, file.content_type, file.content.decode("latin-1")])


def test_fields_and_files_of_one_form() -> None:
    @(form_field("title") & form_field("tag", list[str]) & file_upload("photo") & file_upload_all("photo"))
    def route(title: str, tags: list[str], photo: UploadedFile, photos: list[UploadedFile]) -> Route:
        names = [file.file_name for file in photos]
        return complete(
            [title, tags, photo.file_name, photo.content_type, photo.content.hex(), names, photos[1].content_type]
        )

    answer = send(route, BODY, MULTIPART)
    content = b"\x89PNG\r\n--AaB0\r\n\x00\xff".hex()
    assert answer.json == [
        "A photo", ["one", "two"], "a é.png", "image/png", content, ["a é.png", "empty"], "application/octet-stream",
    ]  # fmt: skip


def test_an_urlencoded_form() -> None:
    @(form_field("count", int) & form_field("name") & form_field("empty") & form_field("also", int, 7))
    def route(count: int, name: str, empty: str, also: int) -> Route:
        return complete([count, name, empty, also])

    assert send(route, "count=3&name=a+b%26%C3%A9&empty=", URLENCODED).json == [3, "a b&é", "", 7]


@pytest.mark.parametrize("body", ["", "other=1"])
def test_a_field_that_is_missing_is_named(body: str) -> None:
    answer = send(form_field("count", int)(lambda count: complete(count)), body, URLENCODED)
    assert (answer.status, answer.text) == (400, "Request is missing required form field 'count'")


def test_a_file_that_is_missing_is_named() -> None:
    # a field of that name without a file is not one
    answer = send(file_upload("title")(shown), BODY, MULTIPART)
    assert (answer.status, answer.text) == (400, "Request is missing required form field 'title'")


def test_a_field_of_another_type_says_what_is_expected() -> None:
    answer = send(form_field("count", int)(lambda count: complete(count)), "count=many", URLENCODED)
    assert answer.status == 400
    assert answer.text.startswith("The form field 'count' was malformed:\nExpected `int`")


def test_another_type_of_body_is_415() -> None:
    answer = send(form_field("a")(lambda a: complete(a)), b'{"a":"b"}', {"Content-Type": "application/json"})
    assert answer.status == 415
    assert answer.text.endswith("Expected:\nmultipart/form-data or application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "multipart/form-data"}, BODY),
        (MULTIPART, BODY[:-20]),
        (MULTIPART, b"no boundary at all"),
        (MULTIPART, b"--AaB03x\r\nContent-Type: text/plain\r\n\r\nno name\r\n--AaB03x--\r\n"),
        (MULTIPART, BODY.replace(b"\r\n\r\nA photo", b"\r\nContent-Type: text/plain; charset=klingon\r\n\r\nA photo")),
        (MULTIPART, BODY.replace(b"A photo", b"\xff\xfe")),
        (MULTIPART, b'--AaB03x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1001 + b"--AaB03x--\r\n"),
        (URLENCODED, "&".join(f"a{number}=1" for number in range(1001))),
        (URLENCODED, b"a=\xff"),
    ],
    ids=["no boundary", "cut", "nonsense", "no name", "charset", "not UTF-8", "many parts", "many fields", "bytes"],
)
def test_a_malformed_form_is_400(headers: dict[str, str], body: Any) -> None:
    answer = send(form_field("title")(lambda title: complete(title)), body, headers)
    assert (answer.status, answer.text.partition("\n")[0]) == (400, "The request content was malformed:")


def test_a_field_in_a_charset_of_its_own() -> None:
    body = BODY.replace(
        b'name="title"\r\n\r\nA photo', b'name="title"\r\nContent-Type: text/plain; charset=latin-1\r\n\r\n\xe9'
    )
    assert send(form_field("title")(lambda title: complete(title)), body, MULTIPART).text == "é"


def test_alternatives_read_the_same_form() -> None:
    route = form_field("none")(lambda text: complete(text)) | form_field("title")(lambda text: complete(text))
    assert send(route, BODY, MULTIPART).text == "A photo"


def test_a_request_that_was_changed_is_parsed_again() -> None:
    def change(request: HttpRequest) -> HttpRequest:
        return HttpRequest(request.method, request.path, {}, request.headers, b"a=2")

    inner = map_request(change)(form_field("a")(lambda a: complete(a)))
    assert send(form_field("a")(lambda _: inner), "a=1", URLENCODED).text == "2"


def test_a_file_is_stored_where_the_route_says(tmp_path: Path) -> None:
    @store_uploaded_file("photo", lambda file: tmp_path / "stored")
    def route(file: UploadedFile, stored: Path) -> Route:
        return complete([file.file_name, stored.name])

    assert send(route, BODY, MULTIPART).json == ["a é.png", "stored"]
    assert (tmp_path / "stored").read_bytes() == b"\x89PNG\r\n--AaB0\r\n\x00\xff"


def test_what_aiohttp_sends_is_understood() -> None:
    @(path("upload") & post & form_field("title") & file_upload("file"))
    def route(title: str, file: UploadedFile) -> Route:
        return complete([title, file.file_name, file.content_type, len(file.content)])

    async def main() -> Any:
        async with serving(route) as client:
            host, port = client.address
            data = aiohttp.FormData({"title": "ü"})
            data.add_field("file", b"x" * 100_000, filename='quo"ted.bin', content_type="application/x-thing")
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"http://{host}:{port}/upload", data=data) as response,
            ):
                return await response.json()

    assert asyncio.run(main()) == ["ü", 'quo"ted.bin', "application/x-thing", 100_000]


def test_a_body_that_is_read_whole_is_still_there() -> None:
    route = form_field("a")(lambda a: entity(as_(bytes))(lambda body: complete(f"{a} {len(body)}")))
    assert send(route, "a=1", URLENCODED).text == "1 3"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(BODY)))
def test_any_body_is_a_form_or_a_value_error(noise: bytes, at: int) -> None:
    for body in (noise, BODY[:at] + noise + BODY[at:]):
        try:
            parse_form(HttpRequest("POST", "/", headers={"content-type": MULTIPART["Content-Type"]}, body=body))
        except ValueError:
            continue
