"""Where in a user's program a job comes from: `collect at report.py:12`, as Spark names it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

PACKAGE = "smackbox."


def call_site() -> str:
    """The method of ours that the user's program called, and its file and line."""
    frame: FrameType | None = sys._getframe(1)
    method = "job"
    while frame is not None and frame.f_globals.get("__name__", "").startswith(PACKAGE):
        if not frame.f_code.co_name.startswith(("_", "<")):
            method = frame.f_code.co_name
        frame = frame.f_back
    if frame is None:
        return method
    return f"{method} at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
