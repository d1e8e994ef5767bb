"""One connection's authentication by SASL: PLAIN (RFC 4616) or SCRAM (RFC 5802).

The answer is the same for an unknown user and a wrong password. After a failure the connection is closed once the
answer is sent.
"""

from __future__ import annotations

import logging

from smackbox.kafka.state.scram import ClientFirst, ScramError, ScramExchange
from smackbox.kafka.state.security import Security

log = logging.getLogger(__name__)


class SaslFailure(Exception):  # noqa: N818 - an answer to a client, not an error of ours
    """Authentication failed; the message is sent to the client."""


class SaslSession:
    """`mechanism` is empty until the handshake; `principal` is set when `done`."""

    def __init__(self, server_nonce: str) -> None:
        self.mechanism = ""
        self.bare = False
        self.done = False
        self.failed = False
        self.principal = ""
        self._server_nonce = server_nonce
        self._scram: ScramExchange | None = None

    def begin(self, mechanism: str, *, bare: bool) -> None:
        """The client chose a mechanism; `bare` means that its tokens come without Kafka's headers."""
        self.mechanism = mechanism
        self.bare = bare
        self._scram = None

    def step(self, security: Security, message: bytes) -> bytes:
        """The answer to the client's next message; after the last one the session is `done`. Raises `SaslFailure`."""
        try:
            if self.mechanism.startswith("SCRAM"):
                return self._scram_step(security, message)
            return self._plain(security, message)
        except SaslFailure:
            self.failed = True
            raise
        except ScramError as error:
            self.failed = True
            log.info("SASL %s: %s", self.mechanism, error)
            raise SaslFailure(
                f"Authentication failed during authentication due to invalid credentials with SASL mechanism "
                f"{self.mechanism}"
            ) from error

    def _plain(self, security: Security, message: bytes) -> bytes:
        parts = message.split(b"\0")
        if len(parts) != 3:
            raise SaslFailure(f"Invalid SASL/PLAIN response: expected 3 tokens, got {len(parts)}")
        acting_as, user, password = (part.decode(errors="replace") for part in parts)
        if not user:
            raise SaslFailure("Authentication failed: username not specified")
        if not password:
            raise SaslFailure("Authentication failed: password not specified")
        if not security.plain_password_is(user, password):
            raise SaslFailure("Authentication failed: Invalid username or password")
        if acting_as not in {"", user}:
            raise SaslFailure(
                "Authentication failed: Client requested an authorization id that is different from username"
            )
        self._finish(user)
        return b""

    def _scram_step(self, security: Security, message: bytes) -> bytes:
        if self._scram is None:
            first = ClientFirst(message)
            credential = security.credentials.get((first.user, self.mechanism))
            self._scram = ScramExchange(self.mechanism, first, credential, self._server_nonce)
            return self._scram.server_first
        answer = self._scram.final(message)
        self._finish(self._scram.user)
        return answer

    def _finish(self, user: str) -> None:
        self.done = True
        self.principal = f"User:{user}"
