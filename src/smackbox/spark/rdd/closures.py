"""Pickling what goes to the executors, with an error that names the variable which does not pickle."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from smackbox.spark.rdd.errors import ClosureError

MAX_DEPTH = 6


def dumps(value: Any, what: str = "the job's function") -> bytes:
    """`value` as bytes, functions by value. Raises `ClosureError`, which names the variable at fault."""
    from smackbox.spark.rdd.main_classes import ClassPickler

    buffer = io.BytesIO()
    try:
        ClassPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    except ClosureError:
        raise
    except Exception as error:
        place = _culprit(value, MAX_DEPTH, set())
        named = f"variable {place}" if place else what
        raise ClosureError(
            f"{named} cannot be sent to the executors: {error}; make it inside the function, or broadcast its data"
        ) from error
    return buffer.getvalue()


def _culprit(value: Any, depth: int, seen: set[int]) -> str | None:
    """The path of names to the innermost part of a function or object that does not pickle."""
    if depth == 0 or id(value) in seen:
        return None
    seen.add(id(value))
    for name, part in _parts(value):
        if not _pickles(part):
            inner = _culprit(part, depth - 1, seen)
            is_ours = type(part).__module__.startswith("smackbox.spark.rdd") or _is_ours(part)
            return inner if inner and is_ours else _label(name, part, inner)
    return None


def _label(name: str, part: Any, inner: str | None) -> str:
    return f"{name!r} ({type(part).__name__})" + (f", in it {inner}" if inner else "")


def _is_ours(part: Any) -> bool:
    return (getattr(part, "__module__", None) or "").startswith("smackbox.spark.rdd")


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items()]
    if hasattr(value, "__code__"):
        return _names_of(value)
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    found = [(name, getattr(value, name)) for name in slots if hasattr(value, name)]
    return found + list(getattr(value, "__dict__", {}).items())


def _names_of(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    code = function.__code__
    cells = function.__closure__ or ()
    found = [(name, cell.cell_contents) for name, cell in zip(code.co_freevars, cells, strict=True)]
    scope = function.__globals__
    return found + [(name, scope[name]) for name in code.co_names if name in scope]


def _pickles(value: Any) -> bool:
    from smackbox.spark.rdd.main_classes import ClassPickler

    try:
        ClassPickler(io.BytesIO(), pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception:  # noqa: BLE001 - whatever a value raises in pickling, it does not pickle
        return False
    return True
