"""Files of the driver's that tasks read. An executor of a cluster makes copies of them on its own machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_fetch: Callable[[Path], Path] | None = None


def on_this_machine(path: Path) -> Path:
    """Where a file of the driver's is here. Raises `FileNotFoundError` where the driver does not have it."""
    return path if _fetch is None else _fetch(path)


def fetch_by(fetch: Callable[[Path], Path]) -> None:
    """In an executor of a cluster: how a file of the driver's is fetched."""
    global _fetch
    _fetch = fetch
