"""Jackson's CBOR: what its JSON is, in the binary form of RFC 8949; fields of bytes are bytes.

Only what Jackson writes is read: a tag other than that of a large integer is malformed, as is a key that is no text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import cbor2
import msgspec

DEPTH_LIMIT = 64
"""Containers within one another."""
_POSITIVE, _NEGATIVE = 2, 3
_KNOWN_TO_THE_LIBRARY = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)


def _no_tag(_decoder: Any, *_: Any) -> NoReturn:
    raise ValueError("a CBOR tag that Jackson does not write")


_REFUSED: Any = dict.fromkeys(_KNOWN_TO_THE_LIBRARY, _no_tag)


def write_cbor(message: msgspec.Struct, to_json: Callable[[Any], Any]) -> bytes:
    """The bytes of a message. `to_json` gives the form of what has none by itself."""
    plain = msgspec.to_builtins(message, enc_hook=to_json, builtin_types=(bytes, bytearray, memoryview))
    data: bytes = cbor2.dumps(plain)
    return data


def read_cbor(data: bytes, message_type: type[msgspec.Struct], from_json: Callable[[Any, Any], Any]) -> Any:
    """The message in `data`. Raises `ValueError` for what is malformed, or no such message."""
    try:
        plain = cbor2.loads(
            data,
            tag_hook=_no_tag,
            semantic_decoders=_REFUSED,
            max_depth=DEPTH_LIMIT,
            strict_hashable_types=True,
        )
    except cbor2.CBORError as error:
        raise ValueError(f"malformed CBOR: {error}") from error
    return msgspec.convert(plain, message_type, dec_hook=from_json, builtin_types=(bytes,), str_keys=True)
