"""Stored passwords: bcrypt's `$2a$10$<salt><hash>`, as in Cassandra, so that hashes can be transferred.

Bcrypt uses the first 72 bytes of a password. 2**10 rounds take about 50 ms for each check, by design. Hashes made with
scrypt (`$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, both in base64) are still accepted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

SALT_BYTES = 16
LOG_ROUNDS = 10
PASSWORD_BYTES = 72
SCRYPT_MEMORY_LIMIT_BYTES = 64 * 1024 * 1024
_BCRYPT = re.compile(r"\$2[aby]?\$\d\d\$[./A-Za-z0-9]{53}")
_SCRYPT = re.compile(r"\$scrypt\$ln=14,r=8,p=1\$([A-Za-z0-9+/]{22}==)\$([A-Za-z0-9+/]{43}=)")
# bcrypt's base64 uses another alphabet
_ALPHABET = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


def hash_password(password: str, salt: bytes) -> str:
    """Hash a password; `salt` has 16 bytes."""
    import bcrypt

    settings = b"$2a$%02d$%b" % (LOG_ROUNDS, base64.b64encode(salt).rstrip(b"=").translate(_ALPHABET))
    return bcrypt.hashpw(password.encode()[:PASSWORD_BYTES], settings).decode()


def matches(password: str, hashed: str) -> bool:
    """Whether `hashed` is a hash of this password. Slow by design, so not for an event loop."""
    if _BCRYPT.fullmatch(hashed):
        import bcrypt

        try:
            return bcrypt.checkpw(password.encode()[:PASSWORD_BYTES], hashed.encode())
        except ValueError:
            return False  # an invalid number of rounds
    parts = _SCRYPT.fullmatch(hashed)
    if parts is None:
        return False
    return hmac.compare_digest(_scrypt(password, base64.b64decode(parts[1])), base64.b64decode(parts[2]))


def can_check(hashed: str) -> bool:
    """Whether a password can be compared with this hash."""
    return (_BCRYPT.fullmatch(hashed) or _SCRYPT.fullmatch(hashed)) is not None


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1, maxmem=SCRYPT_MEMORY_LIMIT_BYTES, dklen=32)
