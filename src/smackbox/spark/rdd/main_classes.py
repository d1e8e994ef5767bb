"""Classes of a program's own script, which executors cannot import: sent whole, and found again by name there.

cloudpickle sends a class that stands in `__main__` by value. It cannot do so with a `msgspec.Struct`, whose fields are
fixed when the class is made; here such a class goes as its fields, its configuration and its methods. An executor puts
what came by value into its own `__main__`, so that rows of such classes can be pickled by name between its tasks.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import msgspec
from pyspark.cloudpickle import CloudPickler
from pyspark.cloudpickle.cloudpickle import (
    _DYNAMIC_CLASS_TRACKER_BY_ID,
    _get_or_create_tracker_id,
    _lookup_class_or_track,
    _should_pickle_by_reference,
)

MAIN = "__main__"
MSGSPEC_CACHE = "__msgspec_cache__"
"""What msgspec leaves on enumerations and dataclasses that it has decoded."""

_OPTIONS = (
    "frozen", "eq", "order", "array_like", "gc", "repr_omit_defaults", "omit_defaults", "forbid_unknown_fields",
    "weakref", "dict", "cache_hash", "tag", "tag_field",
)  # fmt: skip
_MADE_WITH_THE_CLASS = frozenset(
    {"__module__", "__qualname__", "__annotations__", "__slots__", "__match_args__", "__dict__", "__weakref__"}
)


class ClassPickler(CloudPickler):  # type: ignore[misc]
    """cloudpickle's, which sends structs by value too."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type) and issubclass(obj, msgspec.Struct) and not _should_pickle_by_reference(obj):
            return _make_struct, _parts(obj), _state(obj), None, None, _set_state
        reduced = super().reducer_override(obj)
        if isinstance(obj, type) and MSGSPEC_CACHE in vars(obj) and isinstance(reduced, tuple) and len(reduced) > 2:
            reduced[2][0].pop(MSGSPEC_CACHE, None)  # the attributes of a class by value
        return reduced


def adopt_classes() -> None:
    """In an executor: the classes that came by value from the driver's `__main__` are in this one's."""
    main = sys.modules[MAIN]
    for cls in list(_DYNAMIC_CLASS_TRACKER_BY_ID.values()):
        if cls.__module__ == MAIN and "." not in cls.__qualname__:
            setattr(main, cls.__qualname__, cls)


def _parts(cls: type[msgspec.Struct]) -> tuple[Any, ...]:
    """What `_make_struct` needs: name, fields that may be given by place, fields by name only, options, renamings."""
    by_name = {
        parameter.name
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    placed: list[Any] = []
    named: list[Any] = []
    renamed = {}
    for field in msgspec.structs.fields(cls):
        given: dict[str, Any] = {}
        if field.default_factory is not msgspec.NODEFAULT:
            given["default_factory"] = field.default_factory
        elif field.default is not msgspec.NODEFAULT:
            given["default"] = field.default
        (named if field.name in by_name else placed).append((field.name, field.type, given))
        if field.encode_name != field.name:
            renamed[field.name] = field.encode_name
    config = cls.__struct_config__
    options = {name: getattr(config, name) for name in _OPTIONS if hasattr(config, name)}
    return _get_or_create_tracker_id(cls), cls.__name__, cls.__module__, placed, named, options, renamed


def _make_struct(
    tracker_id: str,
    name: str,
    module: str,
    placed: list[Any],
    named: list[Any],
    options: dict[str, Any],
    renamed: dict[str, str],
) -> type:
    settings: dict[str, Any] = {"module": module, "rename": renamed or None, **options}
    made = msgspec.defstruct(name, [_field(*part) for part in placed], **settings)
    if named:
        fields = [_field(*part) for part in named]
        made = msgspec.defstruct(name, fields, bases=(made,), kw_only=True, **settings)
    return _lookup_class_or_track(tracker_id, made)  # type: ignore[no-any-return]


def _field(name: str, kind: Any, given: dict[str, Any]) -> tuple[Any, ...]:
    return (name, kind, msgspec.field(**given)) if given else (name, kind)


def _state(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """Methods, properties and constants of the class and of its own bases."""
    found: dict[str, Any] = {"__doc__": cls.__doc__}
    for base in reversed(cls.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            found |= {name: value for name, value in vars(base).items() if _is_state(name, base)}
    return found


def _is_state(name: str, cls: type[msgspec.Struct]) -> bool:
    return not (name in _MADE_WITH_THE_CLASS or name.startswith("__struct_") or name in cls.__struct_fields__)


def _set_state(cls: type, state: dict[str, Any]) -> type:
    for name, value in state.items():
        setattr(cls, name, value)
    return cls
