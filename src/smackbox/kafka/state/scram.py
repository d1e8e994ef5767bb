"""SCRAM on the server's side (RFC 5802, RFC 7677; KIP-84): what is stored of a password, and one exchange.

    client first   n,,n=USER,r=NONCE                server first   r=NONCE+MORE,s=SALT,i=ITERATIONS
    client final   c=biws,r=NONCE+MORE,p=PROOF      server final   v=SIGNATURE

Only StoredKey and ServerKey are stored: they are enough to check a password, but not to log in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re

import msgspec

MIN_ITERATIONS = 4096
MAX_ITERATIONS = 16384
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
MECHANISM_TYPES = {1: "SCRAM-SHA-256", 2: "SCRAM-SHA-512"}
_CLIENT_FIRST = re.compile(
    r"(?P<gs2>n,(?:a=(?P<authzid>[^,]+))?,)(?P<bare>n=(?P<user>[^,]+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+).*)"
)
_CLIENT_FINAL = re.compile(r"(?P<without_proof>c=(?P<channel>[^,]+),r=(?P<nonce>[^,]+).*),p=(?P<proof>[^,]+)")


class ScramCredential(msgspec.Struct, frozen=True):
    """The stored credential of one user for one mechanism."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int

    @classmethod
    def from_salted(cls, mechanism: str, salted_password: bytes, salt: bytes, iterations: int) -> ScramCredential:
        """From a password that the client has salted, as in AlterUserScramCredentials."""
        name = _HASHES[mechanism]
        client_key = hmac.digest(salted_password, b"Client Key", name)
        stored_key = hashlib.new(name, client_key).digest()
        return cls(salt, stored_key, hmac.digest(salted_password, b"Server Key", name), iterations)

    @classmethod
    def from_password(cls, mechanism: str, password: str, salt: bytes, iterations: int) -> ScramCredential:
        """From a password; takes tens of milliseconds, depending on the iterations."""
        salted = hashlib.pbkdf2_hmac(_HASHES[mechanism], password.encode(), salt, iterations)
        return cls.from_salted(mechanism, salted, salt, iterations)


class ScramError(Exception):
    """The exchange failed. The message is for the log; the peer gets the same sentence whatever the reason."""


class ClientFirst:
    """The client-first message. Raises `ScramError` if it is malformed, or asks to act as another user."""

    def __init__(self, message: bytes) -> None:
        match = _CLIENT_FIRST.fullmatch(_text(message))
        if match is None:
            raise ScramError("not a client-first message")
        self.user = match["user"].replace("=2C", ",").replace("=3D", "=")
        if match["authzid"] not in {None, match["user"]}:
            raise ScramError(f"{self.user} asked to act as another")
        self.gs2, self.bare, self.nonce = match["gs2"], match["bare"], match["nonce"]


class ScramExchange:
    """An authentication after its client-first message. Raises `ScramError` if the user has no credential."""

    def __init__(
        self, mechanism: str, first: ClientFirst, credential: ScramCredential | None, server_nonce: str
    ) -> None:
        if credential is None:
            raise ScramError(f"no credential of {first.user}")
        self.user = first.user
        self._hash = _HASHES[mechanism]
        self._first = first
        self._credential = credential
        self._nonce = first.nonce + server_nonce
        salt = base64.b64encode(credential.salt).decode()
        self._server_first = f"r={self._nonce},s={salt},i={credential.iterations}"

    @property
    def server_first(self) -> bytes:
        """The server-first message."""
        return self._server_first.encode()

    def final(self, message: bytes) -> bytes:
        """The server-final message. Raises `ScramError` when the proof is wrong."""
        match = _CLIENT_FINAL.fullmatch(_text(message))
        if match is None or match["nonce"] != self._nonce:
            raise ScramError("not a client-final message of this exchange")
        if match["channel"] != base64.b64encode(self._first.gs2.encode()).decode():
            raise ScramError("the channel binding changed")
        auth = ",".join((self._first.bare, self._server_first, match["without_proof"])).encode()
        credential = self._credential
        try:
            proof = base64.b64decode(match["proof"], validate=True)
        except binascii.Error as error:
            raise ScramError("the proof is not base64") from error
        signature = hmac.digest(credential.stored_key, auth, self._hash)
        if len(proof) != len(signature):
            raise ScramError("the proof has another length")
        client_key = bytes(left ^ right for left, right in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.new(self._hash, client_key).digest(), credential.stored_key):
            raise ScramError(f"wrong password of {self.user}")
        return b"v=" + base64.b64encode(hmac.digest(credential.server_key, auth, self._hash))


def _text(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError as error:
        raise ScramError("not UTF-8") from error
