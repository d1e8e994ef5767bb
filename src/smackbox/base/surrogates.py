r"""Lone surrogates in JSON: `"\ud83d"` without its other half, as JavaScript writes a text that was cut inside an
emoji.

JSON's grammar allows them (RFC 8259, 8.2), Unicode does not, and msgspec reports truncated data.
"""

from __future__ import annotations

import re

REPLACEMENT = rb"\ufffd"
"""As long as an escape, so that every other byte keeps its position."""

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u([dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def replace_lone_surrogates(text: bytes) -> bytes:
    r"""JSON text with `\ufffd` for each lone surrogate; the same object when there is none."""
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    replaced = _ESCAPE.sub(_replace, text)
    return text if replaced == text else replaced


def _replace(escape: re.Match[bytes]) -> bytes:
    text = escape[0]
    high = len(text) > 2 and escape[2] is None
    if escape[2] is not None or (high and escape[1] is None):
        return REPLACEMENT
    return text
