"""Names and seals objects: compressed, and encrypted if the user gave a key.

    plain       name: SHA-256 of the content          object: a frame of zstd, with its checksum
    encrypted   name: HMAC-SHA-256 of the content     object: nonce (12 bytes) + AES-256-GCM of that frame

With a key, two subkeys of 32 bytes come from scrypt (RFC 7914; N 2^15, r 8, p 1) over the key's bytes and the
repository's salt: one for AES, one for the names, so that a name reveals nothing about the content. The name of an
object is its authenticated data: an object under another's name is refused.

The content of an opened object is checked against its name, which detects any changed byte.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any, Protocol

import zstandard

from smackbox.base.errors import StartError, StorageError

LEVEL = 1
"""Of zstd: segments and tables are mostly compressed already, and a running box pays for each level."""

SALT_BYTES = 16
NONCE_BYTES = 12
KEY_BYTES = 32
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 15, 8, 1
SCRYPT_MEMORY_BYTES = 64 * 1024 * 1024
OBJECT_LIMIT_BYTES = 1 << 30
"""No frame unpacks to more."""


class Cipher(Protocol):
    """Names and seals contents. Methods may be called from any thread."""

    def name(self, content: bytes) -> str:
        """The object's name: 64 hex digits."""
        ...

    def seal(self, content: bytes, name: str) -> bytes:
        """The object to store under the name."""
        ...

    def open(self, stored: bytes, name: str) -> bytes:
        """The content. Raises `StorageError` if it is not the content sealed under that name."""
        ...


class PlainCipher:
    """No key: contents are compressed."""

    def name(self, content: bytes) -> str:
        """SHA-256."""
        return hashlib.sha256(content).hexdigest()

    def seal(self, content: bytes, name: str) -> bytes:
        """A frame of zstd."""
        return _compress(content)

    def open(self, stored: bytes, name: str) -> bytes:
        """Raises `StorageError` for a damaged object."""
        return _decompress(stored, name)


class KeyCipher:
    """A key of the user. Raises `StartError` where the package `cryptography` is missing."""

    def __init__(self, key: bytes, salt: bytes) -> None:
        derived = hashlib.scrypt(
            key, salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, maxmem=SCRYPT_MEMORY_BYTES, dklen=2 * KEY_BYTES
        )
        self._names = derived[KEY_BYTES:]
        self._aead = _aead(derived[:KEY_BYTES])

    def name(self, content: bytes) -> str:
        """HMAC-SHA-256."""
        return hmac.digest(self._names, content, "sha256").hex()

    def seal(self, content: bytes, name: str) -> bytes:
        """Compressed, then encrypted under a nonce of its own."""
        nonce = os.urandom(NONCE_BYTES)
        sealed: bytes = self._aead.encrypt(nonce, _compress(content), name.encode())
        return nonce + sealed

    def open(self, stored: bytes, name: str) -> bytes:
        """Raises `StorageError` for a damaged object and for another key's."""
        from cryptography.exceptions import InvalidTag

        try:
            frame = self._aead.decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise StorageError(f"the object {name} is damaged, or sealed with another key") from error
        return _decompress(frame, name)


def checked(cipher: Cipher, stored: bytes, name: str) -> bytes:
    """The content of an object, checked against its name. Raises `StorageError`."""
    content = cipher.open(stored, name)
    if cipher.name(content) != name:
        raise StorageError(f"the object {name} is damaged: its content is another one")
    return content


def _aead(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise StartError("an encrypted back-up needs cryptography: pip install 'smackbox[backup]'") from error
    return AESGCM(key)


def _compress(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True).compress(content)


def _decompress(frame: bytes, name: str) -> bytes:
    try:
        if zstandard.frame_content_size(frame) > OBJECT_LIMIT_BYTES:
            raise StorageError(f"the object {name} is damaged: it unpacks to over {OBJECT_LIMIT_BYTES:,} bytes")
        return zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError as error:
        raise StorageError(f"the object {name} is damaged: {error}") from error
