"""Validation of paths (`PathUtils.validatePath`).

Java checks UTF-16 units, where a character beyond U+FFFF is two surrogates: such characters are rejected.
"""

from __future__ import annotations

from smackbox.zookeeper.state.errors import ZooKeeperError
from smackbox.zookeeper.wire.codes import Code

_FORBIDDEN_RANGES = ((0x00, 0x1F), (0x7F, 0x9F), (0xD800, 0xF8FF), (0xFFF0, 0x10FFFF))


def check_path(path: str) -> str:
    """Returns `path`. Raises BAD_ARGUMENTS unless it is absolute, normalised and printable."""
    if path == "/":
        return path
    if (
        not path.startswith("/")
        or any(part in {"", ".", ".."} for part in path[1:].split("/"))
        or any(low <= ord(character) <= high for character in path for low, high in _FORBIDDEN_RANGES)
    ):
        raise ZooKeeperError(Code.BAD_ARGUMENTS, path)
    return path
