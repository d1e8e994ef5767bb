"""How a storage-attached index normalises text before it is added and before it is looked up.

By its options, in this order: `case_sensitive` false, lower case; `normalize`, the form NFC; `ascii`, letters without
their marks. Folding to ASCII decomposes the letters that Unicode decomposes, and a few more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

Analyse = Callable[[bytes], bytes]
_FOLDED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D",
     "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L", "ı": "i", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"}
)  # fmt: skip


def analysis_of(options: Mapping[str, str]) -> Analyse | None:
    """The normalisation that an index with these options applies to text; None when there is none."""
    lowers = options.get("case_sensitive", "true").lower() == "false"
    normalises = options.get("normalize", "false").lower() == "true"
    folds = options.get("ascii", "false").lower() == "true"
    if not (lowers or normalises or folds):
        return None

    def analyse(value: bytes) -> bytes:
        text = value.decode()
        if lowers:
            text = text.lower()
        if normalises:
            text = unicodedata.normalize("NFC", text)
        if folds and not text.isascii():
            parts = unicodedata.normalize("NFKD", text.translate(_FOLDED))
            text = "".join(part for part in parts if not unicodedata.combining(part))
        return text.encode()

    return analyse
