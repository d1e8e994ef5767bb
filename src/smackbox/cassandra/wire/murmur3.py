"""Cassandra's partitioner: Murmur3 with the sign-extension bug that every cluster must share.

The driver's compiled function is loaded on its own, because importing the whole driver would add some 40 ms to a
server's start.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Callable
from pathlib import Path

_MASK = 0xFFFFFFFFFFFFFFFF
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F
_LONG_MIN = -(2**63)
_LONG_MAX = 2**63 - 1


def token_of(key: bytes) -> int:
    """The token of a serialised partition key."""
    token = _hash(key)
    return _LONG_MAX if token == _LONG_MIN else token


def pure_murmur3(data: bytes) -> int:
    """The first 64 bits of MurmurHash3_x64_128 as Cassandra computes it: the tail's bytes are signed."""
    size = len(data)
    h1 = h2 = 0
    blocks = size // 16
    for index in range(blocks):
        k1 = int.from_bytes(data[index * 16 : index * 16 + 8], "little")
        k2 = int.from_bytes(data[index * 16 + 8 : index * 16 + 16], "little")
        h1 ^= _mix(k1, _C1, 31, _C2)
        h1 = (_rotate(h1, 27) + h2) & _MASK
        h1 = (h1 * 5 + 0x52DCE729) & _MASK
        h2 ^= _mix(k2, _C2, 33, _C1)
        h2 = (_rotate(h2, 31) + h1) & _MASK
        h2 = (h2 * 5 + 0x38495AB5) & _MASK
    tail = data[blocks * 16 :]
    k1 = k2 = 0
    for index, byte in enumerate(tail):
        signed = byte - 256 if byte > 127 else byte
        if index < 8:
            k1 ^= (signed << (8 * index)) & _MASK
        else:
            k2 ^= (signed << (8 * (index - 8))) & _MASK
    if len(tail) > 8:
        h2 ^= _mix(k2, _C2, 33, _C1)
    if tail:
        h1 ^= _mix(k1, _C1, 31, _C2)
    h1 ^= size
    h2 ^= size
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    h1 = _finish(h1)
    h2 = _finish(h2)
    h1 = (h1 + h2) & _MASK
    return h1 - (1 << 64) if h1 >> 63 else h1


def _mix(k: int, first: int, turn: int, second: int) -> int:
    return (_rotate((k * first) & _MASK, turn) * second) & _MASK


def _rotate(number: int, turn: int) -> int:
    return ((number << turn) | (number >> (64 - turn))) & _MASK


def _finish(number: int) -> int:
    number ^= number >> 33
    number = (number * 0xFF51AFD7ED558CCD) & _MASK
    number ^= number >> 33
    number = (number * 0xC4CEB9FE1A85EC53) & _MASK
    return number ^ (number >> 33)


def _compiled() -> Callable[[bytes], int]:
    driver = importlib.util.find_spec("cassandra")
    for folder in (driver.submodule_search_locations or ()) if driver else ():
        for ending in importlib.machinery.EXTENSION_SUFFIXES:
            path = Path(folder) / f"cmurmur3{ending}"
            if path.exists():
                spec = importlib.util.spec_from_file_location("cassandra.cmurmur3", path)
                assert spec is not None
                assert spec.loader is not None
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                compiled: Callable[[bytes], int] = module.murmur3
                return compiled
    return pure_murmur3


_hash = _compiled()
