"""Forms of HTML: `form_field` and `file_upload` extract from `multipart/form-data` (RFC 7578) and urlencoded bodies.

    (path("photos") & post & form_field("title") & file_upload("photo"))(
        lambda title, upload: complete({"title": title, "bytes": len(upload.content)})
    )

A body is whole, within the server's `body_limit`, and is parsed once for all directives of a request. Files as streams
are in `uploads.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, get_origin
from urllib.parse import parse_qsl

import msgspec
import multipart  # type: ignore[import-untyped, unused-ignore]

from smackbox.akka.http.directives import REQUIRED
from smackbox.akka.http.rejections import (
    MalformedFormFieldRejection,
    MalformedRequestContentRejection,
    MissingFormFieldRejection,
    Rejection,
    UnsupportedRequestContentTypeRejection,
)
from smackbox.akka.http.route import BINARY, Directive, Inner, Rejected, RequestContext, Result
from smackbox.net.http import HttpRequest

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
FIELDS_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What a form says of a file. `file_name` is what the client calls it: never a path to write to as it is."""

    field_name: str
    file_name: str
    content_type: str


@dataclass(frozen=True, slots=True)
class UploadedFile(FileInfo):
    """A file of a form with its content."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """Texts and files by the names of their fields, in the order in which they were sent."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[UploadedFile]] = field(default_factory=dict)


def form_field(name: str, kind: Any = str, default: Any = REQUIRED) -> Directive:
    """Extract a field, converted to `kind` by msgspec; `list[…]` takes every value of that name.

    Rejects a missing one without `default`, and one that cannot be converted (400); other types of bodies (415).
    """
    every = get_origin(kind) is list

    def value_of(form: Form) -> Any:
        texts = form.texts.get(name)
        if not texts:
            return MissingFormFieldRejection(name) if default is REQUIRED else default
        try:
            return msgspec.convert(texts if every else texts[0], kind, strict=False)
        except msgspec.ValidationError as error:
            return MalformedFormFieldRejection(name, str(error))

    return _of_form(value_of)


def file_upload(name: str) -> Directive:
    """Extract the first file of that field, an `UploadedFile`. Rejects a form without it (400)."""
    return _of_form(lambda form: form.files[name][0] if name in form.files else MissingFormFieldRejection(name))


def file_upload_all(name: str) -> Directive:
    """Extract all files of that field, a list. Rejects a form without one (400)."""
    return _of_form(lambda form: form.files[name] if name in form.files else MissingFormFieldRejection(name))


def parse_form(request: HttpRequest) -> Form:
    """The form in the body of `request`, empty without a body.

    Raises `TypeError` for another type of body, and `ValueError` for what is malformed or has too many fields.
    """
    if not request.body:
        return Form()
    sent = request.headers.get("content-type", BINARY)
    if multipart.parse_options_header(sent)[0].lower() == URLENCODED:
        form = Form()
        for key, text in parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=FIELDS_LIMIT):
            form.texts.setdefault(key, []).append(text)
        return form
    try:
        return _parse_multipart(request.body, boundary_of(sent))
    except multipart.MultipartError as error:
        raise ValueError(str(error)) from error


def boundary_of(content_type: str) -> str:
    """What separates the parts of a form. Raises `TypeError` for another type, and `ValueError` without a boundary."""
    kind, options = multipart.parse_options_header(content_type)
    if kind.lower() != MULTIPART:
        raise TypeError(kind)
    boundary: str | None = options.get("boundary")
    if not boundary:
        raise ValueError("the Content-Type has no boundary")
    return boundary


def file_info(segment: Any) -> FileInfo:
    """Of the head of a part that has a file name."""
    return FileInfo(segment.name, segment.filename, segment.content_type or BINARY)


def _parse_multipart(body: bytes, boundary: str) -> Form:
    form = Form()
    segment: Any = None
    content: list[bytes] = []
    with multipart.PushMultipartParser(boundary, max_segment_count=FIELDS_LIMIT) as parser:
        for event in parser.parse(body):
            if isinstance(event, multipart.MultipartSegment):
                segment, content = event, []
            elif event is not None:
                content.append(bytes(event))
            elif segment.filename is not None:
                file = UploadedFile(segment.name, segment.filename, segment.content_type or BINARY, b"".join(content))
                form.files.setdefault(segment.name, []).append(file)
            else:
                try:
                    text = b"".join(content).decode(segment.charset or "utf-8")
                except LookupError as error:
                    raise ValueError(f"the charset {segment.charset} of {segment.name} is not known") from error
                form.texts.setdefault(segment.name, []).append(text)
    return form


@dataclass(frozen=True, slots=True)
class _FormRequest(HttpRequest):
    """A request with the form that was found in `parsed_body`."""

    form: Form = field(default_factory=Form)
    parsed_body: bytes = b""


def _of_form(value_of: Callable[[Form], Any]) -> Directive:
    """Extract what `value_of` takes from the form, or reject with the rejection that it returns."""

    async def apply(context: RequestContext, inner: Inner) -> Result:
        form, context = await form_of(context)
        if isinstance(form, Rejected):
            return form
        value = value_of(form)
        if isinstance(value, Rejection):
            return Rejected((value,))
        return await inner(context, (value,))

    return Directive(apply)


async def form_of(context: RequestContext) -> tuple[Form | Rejected, RequestContext]:
    """The form of a request, read whole and parsed once, and the context that keeps it; or why there is none."""
    context = await context.whole()
    request = context.request
    if not (isinstance(request, _FormRequest) and request.parsed_body is request.body):
        try:
            form = parse_form(request)
        except TypeError:
            sent = request.headers.get("content-type", BINARY)
            kinds = (MULTIPART, URLENCODED)
            return Rejected(tuple(UnsupportedRequestContentTypeRejection(kind, sent) for kind in kinds)), context
        except ValueError as error:
            return Rejected((MalformedRequestContentRejection(str(error)),)), context
        kept = {item.name: getattr(request, item.name) for item in fields(HttpRequest)}
        request = _FormRequest(**kept, form=form, parsed_body=request.body)
        context = context.changed(request=request)
    return request.form, context
