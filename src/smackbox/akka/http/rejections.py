"""Why a route did not take a request, and the answers that rejections become.

A rejection is no failure: the next alternative of a `concat` is tried, and the rejections of all are answered together.
Order, statuses and texts are those of Pekko HTTP's `RejectionHandler.default`; a missing query parameter is 404 there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from smackbox.net.http import HttpResponse

NOT_FOUND = "The requested resource could not be found."
MISSING_CREDENTIALS = "The resource requires authentication, which was not supplied with the request"
WRONG_CREDENTIALS = "The supplied authentication is invalid"


@dataclass(frozen=True, slots=True)
class Rejection:
    """The base of all; users may have their own, answered by their own handler."""


@dataclass(frozen=True, slots=True)
class MethodRejection(Rejection):
    supported: str


@dataclass(frozen=True, slots=True)
class AuthorizationFailedRejection(Rejection):
    pass


@dataclass(frozen=True, slots=True)
class AuthenticationFailedRejection(Rejection):
    """`challenge` is the value of `WWW-Authenticate`."""

    challenge: str
    credentials_missing: bool


@dataclass(frozen=True, slots=True)
class MalformedHeaderRejection(Rejection):
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class MalformedQueryParamRejection(Rejection):
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class MalformedFormFieldRejection(Rejection):
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class MalformedRequestContentRejection(Rejection):
    reason: str


@dataclass(frozen=True, slots=True)
class RequestTooLargeRejection(Rejection):
    """The body is larger than `limit` bytes when it is unpacked."""

    limit: int


@dataclass(frozen=True, slots=True)
class MissingFormFieldRejection(Rejection):
    name: str


@dataclass(frozen=True, slots=True)
class MissingHeaderRejection(Rejection):
    name: str


@dataclass(frozen=True, slots=True)
class MissingQueryParamRejection(Rejection):
    name: str


@dataclass(frozen=True, slots=True)
class RequestEntityExpectedRejection(Rejection):
    pass


@dataclass(frozen=True, slots=True)
class UnsupportedRequestContentTypeRejection(Rejection):
    supported: str
    content_type: str


@dataclass(frozen=True, slots=True)
class UnsupportedRequestEncodingRejection(Rejection):
    supported: str


@dataclass(frozen=True, slots=True)
class UnacceptedResponseEncodingRejection(Rejection):
    supported: str


@dataclass(frozen=True, slots=True)
class MissingCookieRejection(Rejection):
    name: str


@dataclass(frozen=True, slots=True)
class TooManyRangesRejection(Rejection):
    """The request asks for more than `limit` ranges."""

    limit: int


@dataclass(frozen=True, slots=True)
class UnsatisfiableRangeRejection(Rejection):
    """None of the ranges of the `Range` field `asked` lies within the `length` bytes that there are."""

    asked: str
    length: int


@dataclass(frozen=True, slots=True)
class ExpectedWebSocketRequestRejection(Rejection):
    """The request asks for no WebSocket, or not as RFC 6455 wants it: `reason` says what is missing."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnsupportedWebSocketSubprotocolRejection(Rejection):
    supported: str


@dataclass(frozen=True, slots=True)
class UnacceptedResponseContentTypeRejection(Rejection):
    """The client accepts none of the media types that there are."""

    supported: str


@dataclass(frozen=True, slots=True)
class ValidationRejection(Rejection):
    message: str


@dataclass(frozen=True, slots=True)
class CancelRejections(Rejection):
    """Takes back the rejections of `kind` by alternatives: a later one got further than they did."""

    kind: type[Rejection]


def remaining(rejections: Sequence[Rejection]) -> list[Rejection]:
    """Each rejection once, without those that are taken back."""
    cancelled = tuple(rejection.kind for rejection in rejections if isinstance(rejection, CancelRejections))
    return [
        rejection
        for rejection in dict.fromkeys(rejections)
        if not isinstance(rejection, (CancelRejections, *cancelled))
    ]


@dataclass(slots=True)
class RejectionHandler:
    """What answers rejections; None of a handler leaves them to the next one, and at last to the default.

    A handler gets the rejections of its type, at least one, and returns what a route returns: a route or a value.
    """

    _cases: list[tuple[type[Rejection], Callable[[list[Any]], Any]]] = field(default_factory=list)
    _not_found: Callable[[], Any] | None = None

    def handle(self, kind: type[Rejection], answer: Callable[[Any], Any]) -> RejectionHandler:
        """Answer the first rejection of `kind`."""
        return self.handle_all(kind, lambda rejections: answer(rejections[0]))

    def handle_all(self, kind: type[Rejection], answer: Callable[[list[Any]], Any]) -> RejectionHandler:
        """Answer all rejections of `kind` together."""
        self._cases.append((kind, answer))
        return self

    def handle_not_found(self, answer: Callable[[], Any]) -> RejectionHandler:
        """Answer a request that no path of the route matches."""
        self._not_found = answer
        return self

    def __call__(self, rejections: Sequence[Rejection]) -> Any:
        if not rejections:
            return None if self._not_found is None else self._not_found()
        for kind, answer in self._cases:
            chosen = [rejection for rejection in rejections if isinstance(rejection, kind)]
            if chosen:
                return answer(chosen)
        return None


def default_answer(rejections: Sequence[Rejection]) -> HttpResponse:
    """The answer where no handler gave one. Raises `LookupError` for a rejection that it does not know."""
    if not rejections:
        return _text(404, NOT_FOUND)
    for kind, answer in _DEFAULT:
        chosen = [rejection for rejection in rejections if isinstance(rejection, kind)]
        if chosen:
            return answer(chosen)
    raise LookupError(f"no handler answers the rejection {rejections[0]}: give handle_rejections one")


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(status, text.encode(), "text/plain; charset=UTF-8", headers or {})


def _method(rejections: list[Any]) -> HttpResponse:
    methods = ", ".join(rejection.supported for rejection in rejections)
    return _text(405, f"HTTP method not allowed, supported methods: {methods}", {"Allow": methods})


def _authentication(rejections: list[Any]) -> HttpResponse:
    text = MISSING_CREDENTIALS if rejections[0].credentials_missing else WRONG_CREDENTIALS
    return _text(401, text, {"WWW-Authenticate": ", ".join(rejection.challenge for rejection in rejections)})


def _content_type(rejections: list[Any]) -> HttpResponse:
    supported = " or ".join(dict.fromkeys(rejection.supported for rejection in rejections))
    sent = rejections[0].content_type
    unsupported = f" [{sent}]" if sent else ""
    return _text(415, f"The request's Content-Type{unsupported} is not supported. Expected:\n{supported}")


def _encoding(rejections: list[Any]) -> HttpResponse:
    supported = " or ".join(rejection.supported for rejection in rejections)
    return _text(400, f"The request's Content-Encoding is not supported. Expected:\n{supported}")


def _unaccepted(rejections: list[Any]) -> HttpResponse:
    supported = "\n".join(dict.fromkeys(rejection.supported for rejection in rejections))
    return _text(406, f"Resource representation is only available with these Content-Encodings:\n{supported}")


def _unaccepted_type(rejections: list[Any]) -> HttpResponse:
    supported = "\n".join(dict.fromkeys(rejection.supported for rejection in rejections))
    return _text(406, f"Resource representation is only available with these types:\n{supported}")


def _unsatisfiable(rejections: list[Any]) -> HttpResponse:
    rejection = rejections[0]
    text = f"None of the following requested Ranges were satisfiable:\n{rejection.asked}"
    return _text(416, text, {"Content-Range": f"bytes */{rejection.length}"})


def _websocket(rejections: list[Any]) -> HttpResponse:
    reason = rejections[0].reason
    return _text(400, "Expected WebSocket Upgrade request" + (f": {reason}" if reason else ""))


def _subprotocol(rejections: list[Any]) -> HttpResponse:
    supported = ",".join(dict.fromkeys(rejection.supported for rejection in rejections))
    text = f"None of the websocket subprotocols offered in the request are supported. Supported are {supported}"
    return _text(400, text, {"Sec-WebSocket-Protocol": supported})


def _first(status: HTTPStatus, text: Callable[[Any], str]) -> Callable[[list[Any]], HttpResponse]:
    return lambda rejections: _text(status, text(rejections[0]))


_DEFAULT: list[tuple[type[Rejection], Callable[[list[Any]], HttpResponse]]] = [
    (MethodRejection, _method),
    (
        AuthorizationFailedRejection,
        _first(HTTPStatus.FORBIDDEN, lambda _: "The supplied authentication is not authorized to access this resource"),
    ),
    (
        MalformedFormFieldRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"The form field '{r.name}' was malformed:\n{r.reason}"),
    ),
    (
        MalformedHeaderRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"The value of HTTP header '{r.name}' was malformed:\n{r.reason}"),
    ),
    (
        MalformedQueryParamRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"The query parameter '{r.name}' was malformed:\n{r.reason}"),
    ),
    (
        MalformedRequestContentRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"The request content was malformed:\n{r.reason}"),
    ),
    (
        RequestTooLargeRejection,
        _first(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            lambda r: f"The body is larger than {r.limit} bytes when it is unpacked",
        ),
    ),
    (
        MissingCookieRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"Request is missing required cookie '{r.name}'"),
    ),
    (
        TooManyRangesRejection,
        _first(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, lambda r: f"More than {r.limit} ranges at once"),
    ),
    (UnsatisfiableRangeRejection, _unsatisfiable),
    (ExpectedWebSocketRequestRejection, _websocket),
    (UnsupportedWebSocketSubprotocolRejection, _subprotocol),
    (UnacceptedResponseContentTypeRejection, _unaccepted_type),
    (
        MissingFormFieldRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"Request is missing required form field '{r.name}'"),
    ),
    (
        MissingHeaderRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda r: f"Request is missing required HTTP header '{r.name}'"),
    ),
    (
        MissingQueryParamRejection,
        _first(HTTPStatus.NOT_FOUND, lambda r: f"Request is missing required query parameter '{r.name}'"),
    ),
    (
        RequestEntityExpectedRejection,
        _first(HTTPStatus.BAD_REQUEST, lambda _: "Request entity expected but not supplied"),
    ),
    (AuthenticationFailedRejection, _authentication),
    (UnacceptedResponseEncodingRejection, _unaccepted),
    (UnsupportedRequestContentTypeRejection, _content_type),
    (UnsupportedRequestEncodingRejection, _encoding),
    (ValidationRejection, _first(HTTPStatus.BAD_REQUEST, lambda r: r.message)),
]
