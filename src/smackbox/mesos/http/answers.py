"""Answers that all APIs of the master share: errors in one line, and answers that wait until something is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from smackbox.base.errors import RequestError
from smackbox.mesos.wire import json_format, protobuf
from smackbox.mesos.wire.fields import MessageError
from smackbox.net.http import HttpRequest, HttpResponse, HttpStream
from smackbox.net.recordio import encode as record

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
STREAM_ID = "mesos-stream-id"


class Refused(RequestError):  # noqa: N818 - it is what becomes of the request
    """The request is answered with this status and sentence."""

    def __init__(self, status: int, said: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(said)
        self.status = status
        self.headers = headers or {}

    def response(self) -> HttpResponse:
        """The answer with that status and sentence."""
        response = HttpResponse.text(str(self), self.status)
        response.headers.update(self.headers)
        return response


class Deferred:
    """An answer that is given later; the server waits for it. Only the first answer counts."""

    def __init__(self) -> None:
        self.answer: HttpResponse | None = None
        self._callbacks: list[Callable[[HttpResponse], None]] = []

    def then(self, callback: Callable[[HttpResponse], None]) -> None:
        """Call `callback` with the answer, at once if it exists already."""
        if self.answer is None:
            self._callbacks.append(callback)
        else:
            callback(self.answer)

    def resolve(self, answer: HttpResponse) -> None:
        """Give the answer, once."""
        if self.answer is None:
            self.answer = answer
            for callback in self._callbacks:
                callback(answer)


Answer = HttpResponse | HttpStream | Deferred


class StreamSink:
    """Writes events of one message type to an open stream, as records."""

    def __init__(self, stream: HttpStream, message_type: str, content_type: str) -> None:
        self.stream = stream
        self._message_type = message_type
        self._protobuf = content_type == PROTOBUF

    @property
    def closed(self) -> bool:
        return self.stream.closed

    def send(self, event: Mapping[str, object]) -> None:
        if not self.stream.closed:
            data = protobuf.encode(self._message_type, event) if self._protobuf else json_format.encode(event)
            self.stream.send(record(data))

    def close(self) -> None:
        self.stream.close()


def read_call(request: HttpRequest, message_type: str) -> Any:
    """The call in a POST's body. Raises `Refused`: 405, 400 or 415."""
    if request.method != "POST":
        raise Refused(405, f"Expecting one of {{ 'POST' }}, but received '{request.method}'", {"Allow": "POST"})
    content_type = request.headers.get("content-type")
    if content_type is None:
        raise Refused(400, "Expecting 'Content-Type' to be present")
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == PROTOBUF:
            return protobuf.decode(message_type, request.body)
        if kind == JSON:
            return json_format.decode(message_type, request.body)
    except MessageError as error:
        did = "convert JSON" if kind == JSON and error.path else "parse body"
        raise Refused(400, f"Failed to {did} into Call protobuf: {error}") from error
    raise Refused(415, f"Expecting 'Content-Type' of {JSON} or {PROTOBUF}")


def accepted(request: HttpRequest, kinds: tuple[str, ...] = (JSON, PROTOBUF)) -> str:
    """The first of `kinds` that the client accepts. Raises `Refused`: 406."""
    accept = request.headers.get("accept", "*/*")
    ranges = [_media_range(media_range) for media_range in accept.split(",")]
    for kind in kinds:
        top = kind.partition("/")[0] + "/*"
        if any(quality > 0 and name in {kind, top, "*/*"} for name, quality in ranges):
            return kind
    raise Refused(406, f"Expecting 'Accept' to allow {' or '.join(repr(kind) for kind in reversed(kinds))}")


def _media_range(text: str) -> tuple[str, float]:
    name, _, parameters = text.partition(";")
    quality = 1.0
    for parameter in parameters.split(";"):
        key, _, value = parameter.strip().partition("=")
        if key == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return name.strip().lower(), quality


def message_response(message_type: str, message: Mapping[str, object], content_type: str) -> HttpResponse:
    if content_type == PROTOBUF:
        return HttpResponse(200, protobuf.encode(message_type, message), PROTOBUF)
    return HttpResponse(200, json_format.encode(message), JSON)
