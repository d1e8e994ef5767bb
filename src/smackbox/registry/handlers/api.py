"""What handlers work on, a request as they get it, and what they give: an answer and the records to write before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from smackbox.net.http import HttpRequest, HttpResponse
from smackbox.registry.state.subjects import Subjects
from smackbox.registry.wire.errors import Refusal, invalid_subject
from smackbox.registry.wire.records import Json, Record, Reference

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
SUBJECT_LIMIT = 1_000
"""Characters of a subject's name."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer, once `records` are in the topic."""

    response: HttpResponse
    records: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the parts of its path that the route names, decoded."""

    subjects: Subjects
    request: HttpRequest
    parts: dict[str, str]

    @property
    def subject(self) -> str:
        """The subject of the path. Raises 42208; contexts other than the default one are refused."""
        name = self.parts["subject"].removeprefix(":.:")
        if name.startswith(":."):
            raise invalid_subject(name, "contexts are not supported, the default one alone")
        if not name.strip() or len(name) > SUBJECT_LIMIT or not name.isprintable():
            raise invalid_subject(name[:SUBJECT_LIMIT], f"a name is of 1 to {SUBJECT_LIMIT} printable characters")
        return name

    @property
    def schema_id(self) -> int:
        """The id of the path. Raises 40403 for what cannot be one."""
        text = self.parts["id"]
        if not text.isascii() or not text.isdigit():
            raise Refusal(404, f"HTTP 404 Not Found: {text!r} is not an id")
        return int(text[:11])

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        return (self.request.parameter(name) or "").lower() == "true"

    def page(self, found: Sequence[T]) -> list[T]:
        """What `offset` and `limit` leave of a list; a negative limit leaves all."""
        offset, limit = self._number("offset", 0), self._number("limit", -1)
        return list(found[max(offset, 0) :][: limit if limit >= 0 else None])

    def _number(self, name: str, default: int) -> int:
        text = self.request.parameter(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError as error:
            raise Refusal(400, f"{name} is a number, not {text!r}") from error

    def body(self, kind: type[T]) -> T:
        """The JSON of the body. Raises 422 for another."""
        try:
            return msgspec.json.decode(self.request.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal(422, f"Unrecognized body: {error}") from error


class SchemaBody(msgspec.Struct, kw_only=True):
    """A schema as clients send it."""

    schema: str
    schema_type: str | None = msgspec.field(name="schemaType", default=None)
    references: list[Reference] | None = None
    metadata: Json | None = None
    rule_set: Json | None = msgspec.field(name="ruleSet", default=None)
    id: int | None = None
    version: int | None = None


Handler = Callable[[Call], Outcome]


def answer(value: Any, status: int = 200, records: Sequence[Record] = ()) -> Outcome:
    """JSON of the API's own content type."""
    return Outcome(HttpResponse(status, msgspec.json.encode(value), CONTENT_TYPE), records)


def raw(text: str) -> Outcome:
    """A schema's text alone."""
    return Outcome(HttpResponse(200, text.encode(), CONTENT_TYPE))
