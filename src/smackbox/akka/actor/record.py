"""Frozen, slotted classes of fields, as `dataclass(frozen=True, slots=True)` makes them, and cheaper to import.

Only what the room needs: fields with plain defaults, equality and hash by fields, `match` by position, pickling.
"""

from __future__ import annotations

from inspect import get_annotations
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

C = TypeVar("C")


@dataclass_transform(frozen_default=True)
def record(cls: type[C]) -> type[C]:
    """The class with its annotated names as fields, after those of its base."""
    own = tuple(get_annotations(cls))
    inherited: tuple[str, ...] = getattr(cls, "__match_args__", ())
    fields = (*inherited, *own)
    defaults = {**getattr(cls, "_defaults", {}), **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}
    parameters = "".join(f", {name}=_defaults[{name!r}]" if name in defaults else f", {name}" for name in fields)
    lines = "\n".join(f" _set(self, {name!r}, {name})" for name in fields) or " pass"
    if hasattr(cls, "__post_init__"):
        lines += "\n self.__post_init__()"
    made: dict[str, Any] = {"_defaults": defaults, "_set": object.__setattr__}
    exec(f"def __init__(self{parameters}):\n{lines}", made)  # noqa: S102 - as dataclasses does
    body = {name: value for name, value in cls.__dict__.items() if name not in {*own, "__dict__", "__weakref__"}}
    body |= {
        "__slots__": own,
        "__match_args__": fields,
        "_defaults": defaults,
        "_values": staticmethod(attrgetter(*fields) if fields else _nothing),
        "__init__": made["__init__"],
    }
    for method in (_eq, _hash, _repr, _setattr, _delattr, _reduce):
        body.setdefault(f"_{method.__name__}__", method)
    metaclass: Any = type(cls)
    made_class: type[C] = metaclass(cls.__name__, cls.__bases__, body)
    return made_class


def _nothing(_: Any) -> tuple[()]:
    return ()


def _eq(self: Any, other: Any) -> Any:
    if not isinstance(other, type(self)) or not isinstance(self, type(other)):
        return NotImplemented
    return self._values(self) == self._values(other)


def _hash(self: Any) -> int:
    return hash(self._values(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self).__match_args__)
    return f"{type(self).__qualname__}({shown})"


def _setattr(self: Any, name: str, _value: Any) -> NoReturn:
    raise AttributeError(f"{name} of a {type(self).__name__} cannot be changed")


def _delattr(self: Any, name: str) -> NoReturn:
    raise AttributeError(f"{name} of a {type(self).__name__} cannot be deleted")


def _reduce(self: Any) -> Any:
    return type(self), tuple(getattr(self, name) for name in type(self).__match_args__)
