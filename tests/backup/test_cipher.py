"""Objects: named by their content, sealed, and refused where a byte of them has changed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.backup.cipher import Cipher, KeyCipher, PlainCipher, checked
from smackbox.base.errors import StorageError

PLAIN = PlainCipher()
SEALED = KeyCipher(b"a key", b"s" * 16)


@pytest.mark.parametrize("cipher", [PLAIN, SEALED])
@given(content=st.binary(max_size=2_000))
def test_what_is_sealed_is_opened(cipher: Cipher, content: bytes) -> None:
    name = cipher.name(content)
    assert len(name) == 64
    assert checked(cipher, cipher.seal(content, name), name) == content


@pytest.mark.parametrize("cipher", [PLAIN, SEALED])
@given(content=st.binary(min_size=1, max_size=300), data=st.data())
def test_a_changed_byte_or_a_cut_is_found(cipher: Cipher, content: bytes, data: st.DataObject) -> None:
    name = cipher.name(content)
    stored = bytearray(cipher.seal(content, name))
    at = data.draw(st.integers(0, len(stored) - 1))
    cut = bytes(stored[:at])
    stored[at] ^= data.draw(st.integers(1, 255))
    for damaged in (cut, bytes(stored)):
        try:
            opened = checked(cipher, damaged, name)
        except StorageError:
            continue
        assert opened == content  # a bit of a frame's head that says nothing


@pytest.mark.parametrize("cipher", [PLAIN, SEALED])
def test_another_objects_bytes_are_refused(cipher: Cipher) -> None:
    name, other = cipher.name(b"this"), cipher.name(b"that")
    with pytest.raises(StorageError, match="damaged"):
        checked(cipher, cipher.seal(b"that", other), name)


def test_a_plain_name_is_the_sha_256() -> None:
    assert PLAIN.name(b"abc") == hashlib.sha256(b"abc").hexdigest()


def test_a_sealed_object_shows_neither_content_nor_name() -> None:
    content = b"a secret word" * 100
    name = SEALED.name(content)
    assert b"secret" not in SEALED.seal(content, name)
    assert name != PLAIN.name(content)
    assert SEALED.seal(content, name) != SEALED.seal(content, name)  # a nonce of its own


def test_another_key_or_salt_opens_nothing() -> None:
    name = SEALED.name(b"x")
    stored = SEALED.seal(b"x", name)
    for other in (KeyCipher(b"another", b"s" * 16), KeyCipher(b"a key", b"t" * 16)):
        with pytest.raises(StorageError, match="another key"):
            other.open(stored, name)


def test_a_frame_that_claims_to_be_huge_is_refused() -> None:
    bomb = bytes.fromhex("28b52ffd") + bytes([0xC0 | 0x20]) + (1 << 40).to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(StorageError, match="damaged"):
        PLAIN.open(bomb, "00" * 32)
