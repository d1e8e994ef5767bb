"""Who may post: credentials (a bearer token, or a user and a password), and pages of other origins (CORS).

Without `auth_tokens` and `auth_users` everybody may. `/healthz` and a browser's preflight need no credentials (Fetch
standard, 4.8). Browsers do not add credentials of their own: `Access-Control-Allow-Credentials` is never sent.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from smackbox.net.http_exchange import JSON, Exchange

HEADERS = frozenset({b"authorization", b"origin", b"access-control-request-method"})
"""The header fields that `Access` reads."""

PREFLIGHT_AGE_S = 600
OPEN_PATHS = frozenset({"/healthz"})

_ALLOWED = (
    b"Access-Control-Allow-Methods: POST\r\n"
    b"Access-Control-Allow-Headers: Authorization, Content-Encoding, Content-Type\r\n"
    b"Access-Control-Max-Age: %d\r\n" % PREFLIGHT_AGE_S
)
_EXPOSED = b"Access-Control-Expose-Headers: Retry-After\r\n"


class Access:
    """The rules of one endpoint. `origins` have the form `https://shop.example`, or `*` for any."""

    def __init__(self, tokens: Sequence[str], users: Mapping[str, str], origins: Sequence[str]) -> None:
        self._tokens = [token.encode() for token in tokens]
        self._users = {user.encode(): password.encode() for user, password in users.items()}
        self._origins = frozenset(origin.rstrip("/").encode() for origin in origins)
        schemes = [b"Bearer"] * bool(tokens) + [b'Basic realm="smackbox", charset="UTF-8"'] * bool(users)
        self._challenge = b"".join(b"WWW-Authenticate: %s\r\n" % scheme for scheme in schemes)

    @property
    def authenticates(self) -> bool:
        """Whether a request needs a token or a user and password."""
        return bool(self._tokens or self._users)

    def check(self, exchange: Exchange) -> tuple[int, str, bytes] | None:
        """None if the request may continue, otherwise (401, reason, header lines). Every answer gets its CORS lines."""
        exchange.extra = self._cors(exchange)
        if not self.authenticates or exchange.path in OPEN_PATHS or self.is_preflight(exchange):
            return None
        if self._knows(exchange.headers.get(b"authorization", b"")):
            return None
        return 401, "credentials are missing or wrong: send an Authorization header", self._challenge

    def is_preflight(self, exchange: Exchange) -> bool:
        """Whether it is a browser's CORS preflight request."""
        headers = exchange.headers
        return bool(
            self._origins
            and exchange.method == b"OPTIONS"
            and b"origin" in headers
            and b"access-control-request-method" in headers
        )

    def answer_preflight(self, exchange: Exchange) -> None:
        """Answer a CORS preflight: 204, with the allowed methods and headers if the origin is allowed."""
        allowed = self._allows(exchange.headers[b"origin"])
        exchange.reply(204, b"", JSON, _ALLOWED if allowed else b"")

    def _cors(self, exchange: Exchange) -> bytes:
        if not self._origins:
            return b""
        origin = exchange.headers.get(b"origin")
        if origin is None or not self._allows(origin):
            return b"Vary: Origin\r\n"
        if b"*" in self._origins:
            return b"Access-Control-Allow-Origin: *\r\n" + _EXPOSED
        return b"Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n%s" % (origin, _EXPOSED)

    def _allows(self, origin: bytes) -> bool:
        return b"*" in self._origins or origin in self._origins

    def _knows(self, authorization: bytes) -> bool:
        scheme, _, credentials = authorization.partition(b" ")
        credentials = credentials.strip()
        if scheme.lower() == b"bearer":
            return any(hmac.compare_digest(credentials, token) for token in self._tokens)
        if scheme.lower() != b"basic":
            return False
        try:
            user, _, password = base64.b64decode(credentials, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        expected = self._users.get(user)
        return hmac.compare_digest(password, expected or b"") and expected is not None
