"""The data sources that every session knows."""

from __future__ import annotations

from typing import Any

SOURCES: tuple[Any, ...] = ()
