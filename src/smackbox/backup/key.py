"""Reads the key of encrypted back-ups."""

from __future__ import annotations

import os
from pathlib import Path

from smackbox.base.errors import UserError

KEY_VARIABLE = "SMACK_BACKUP_KEY"


def read_key(file: Path | None) -> bytes | None:
    """The key in the file, without surrounding white space; else the one in the environment; None if there is none.

    Raises `UserError` for a file that cannot be read or is empty.
    """
    if file is None:
        return os.environ.get(KEY_VARIABLE, "").encode() or None
    try:
        key = file.read_bytes().strip()
    except OSError as error:
        raise UserError(f"cannot read the key {file}: {error.strerror or error}") from error
    if not key:
        raise UserError(f"the key file {file} is empty")
    return key
