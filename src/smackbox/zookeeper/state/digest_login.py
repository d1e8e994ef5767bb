"""SASL DIGEST-MD5 (RFC 2831) on the server's side, as used by ZooKeeper: one challenge, one response, one proof.

    -> (anything)                      <- realm="zk-sasl-md5",nonce="…",charset=utf-8,algorithm=md5-sess
    -> username="…",…,response=…       <- rspauth=…

The users and their passwords come from the settings. A user's identity in an ACL is `sasl:NAME`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

REALM = "zk-sasl-md5"
SERVICE = "zookeeper/"
FIRST_USE = "00000001"
RESPONSE_LIMIT = 4096
_DIRECTIVE = re.compile(r'\s*([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]*))\s*(?:,|$)')


class LoginFailed(Exception):  # noqa: N818 - a client's failure, not the program's
    """The client's credentials are wrong, or it does not use DIGEST-MD5."""


class DigestLogin:
    """One connection's login. `nonce` is the server's, and never reused."""

    def __init__(self, users: Mapping[str, str], nonce: str) -> None:
        self._users = users
        self._nonce = nonce
        self._challenged = False
        self.user: str | None = None

    def step(self, token: bytes) -> bytes:
        """The server's next token; `user` is set with the last one. Raises `LoginFailed`."""
        if self.user is not None:
            raise LoginFailed("the login is over")
        if not self._challenged:
            self._challenged = True
            return f'realm="{REALM}",nonce="{self._nonce}",charset=utf-8,algorithm=md5-sess'.encode()
        return self._finish(_parse(token))

    def _finish(self, said: dict[str, str]) -> bytes:
        user, uri, qop = said.get("username", ""), said.get("digest-uri", ""), said.get("qop", "auth")
        if said.get("nonce") != self._nonce or said.get("nc") != FIRST_USE or said.get("realm", "") != REALM:
            raise LoginFailed("the response is not to this server's challenge")
        if qop != "auth" or not uri.startswith(SERVICE) or not said.get("cnonce"):
            raise LoginFailed("the response asks for something that is not offered")
        password = self._users.get(user)
        if password is None or not hmac.compare_digest(
            _proof("AUTHENTICATE:", said, user, password), said.get("response", "").encode()
        ):
            raise LoginFailed(f"the login of {user!r} failed")
        authorized = said.get("authzid") or user
        if authorized != user:
            raise LoginFailed(f"{user!r} may not act as {authorized!r}")
        self.user = user
        return b"rspauth=" + _proof(":", said, user, password)


def _parse(token: bytes) -> dict[str, str]:
    if len(token) > RESPONSE_LIMIT:
        raise LoginFailed("the response is too long")
    try:
        text = token.decode()
    except UnicodeDecodeError as error:
        raise LoginFailed("the response is not UTF-8") from error
    directives: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _DIRECTIVE.match(text, position)
        if match is None or match[1] in directives:
            raise LoginFailed("the response is not a list of directives")
        directives[match[1]] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        position = match.end()
    return directives


def _proof(prefix: str, said: dict[str, str], user: str, password: str) -> bytes:
    secret = _md5(b":".join(_encoded(part) for part in (user, REALM, password)))
    first = secret + f":{said['nonce']}:{said['cnonce']}".encode()
    if said.get("authzid"):
        first += f":{said['authzid']}".encode()
    middle = f":{said['nonce']}:{said['nc']}:{said['cnonce']}:{said.get('qop', 'auth')}:".encode()
    second = _md5((prefix + said["digest-uri"]).encode()).hex().encode()
    return _md5(_md5(first).hex().encode() + middle + second).hex().encode()


def _encoded(text: str) -> bytes:
    """Text that fits into ISO 8859-1 is hashed in that encoding, other text as UTF-8 (RFC 2831, 2.1.2.1)."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
