"""Passwords as they are kept: `$scrypt$ln=14,r=8,p=1$<salt>$<hash>`, both in base64.

Hashes of bcrypt (`$2a$…`), as Cassandra keeps them, are taken where the Python package bcrypt is installed.

The hash is scrypt (RFC 7914) with 16 MiB and some 40 ms for each check, about what Cassandra's bcrypt costs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import importlib.util
import re

SALT_BYTES = 16
HASH_BYTES = 32
LOG_N = 14
BLOCK_SIZE = 8
MEMORY_LIMIT_BYTES = 64 * 1024 * 1024
_BCRYPT = re.compile(r"\$2[aby]?\$\d\d\$[./A-Za-z0-9]{53}")
_SCRYPT = re.compile(r"\$scrypt\$ln=14,r=8,p=1\$([A-Za-z0-9+/]{22}==)\$([A-Za-z0-9+/]{43}=)")


def hash_password(password: str, salt: bytes) -> str:
    found = _scrypt(password, salt)
    return f"$scrypt$ln={LOG_N},r={BLOCK_SIZE},p=1${base64.b64encode(salt).decode()}${base64.b64encode(found).decode()}"


def matches(password: str, hashed: str) -> bool:
    """Whether `hashed` was made of this password; slow on purpose, so not for an event loop."""
    if _BCRYPT.fullmatch(hashed):
        return _bcrypt_matches(password, hashed)
    parts = _SCRYPT.fullmatch(hashed)
    if parts is None:
        return False
    return hmac.compare_digest(_scrypt(password, base64.b64decode(parts[1])), base64.b64decode(parts[2]))


def can_check(hashed: str) -> bool:
    """Whether a password can be compared with this hash here."""
    if _BCRYPT.fullmatch(hashed):
        return importlib.util.find_spec("bcrypt") is not None
    return _SCRYPT.fullmatch(hashed) is not None


def is_bcrypt(hashed: str) -> bool:
    return _BCRYPT.fullmatch(hashed) is not None


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=1 << LOG_N, r=BLOCK_SIZE, p=1, maxmem=MEMORY_LIMIT_BYTES, dklen=HASH_BYTES
    )


def _bcrypt_matches(password: str, hashed: str) -> bool:
    if importlib.util.find_spec("bcrypt") is None:
        return False
    bcrypt = importlib.import_module("bcrypt")
    try:
        return bool(bcrypt.checkpw(password.encode()[:72], hashed.encode()))
    except ValueError:
        return False
