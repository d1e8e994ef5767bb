"""How many public names of the code have a docstring: `python -m docs.docstrings [-v]`.

Counted are the classes, functions, methods and properties of `smackbox` whose names do not begin with an underscore. A
method without a docstring of its own has that of the method it overrides, as `help()` shows it. `-v` lists the
names without one, by room.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import smackbox

GOAL = 0.9


def public_names() -> Iterator[tuple[str, str, bool]]:
    """Module, qualified name, and whether it is documented."""
    for found in pkgutil.walk_packages(smackbox.__path__, "smackbox."):
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            for name, documented in _of_module(module):
                yield found.name, name, documented


def _of_module(module: ModuleType) -> Iterator[tuple[str, bool]]:
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield name, _has_own(value)
            for attribute in vars(value):
                if not attribute.startswith("_") and inspect.isfunction(_function(vars(value)[attribute])):
                    yield f"{name}.{attribute}", any(_describes(base, attribute) for base in value.__mro__)
        elif inspect.isfunction(value):
            yield name, bool(value.__doc__)


def _has_own(cls: type) -> bool:
    """A dataclass without a docstring gets its signature as one, which says nothing."""
    text = vars(cls).get("__doc__") or ""
    return bool(text) and not text.startswith(f"{cls.__name__}(")


def _describes(base: type, attribute: str) -> bool:
    if attribute not in vars(base):
        return False
    is_foreign = not base.__module__.startswith("smackbox.")
    return is_foreign or bool(getattr(_function(vars(base)[attribute]), "__doc__", None))


def _function(attribute: Any) -> Any:
    if isinstance(attribute, property):
        return attribute.fget
    return getattr(attribute, "__func__", attribute)


def main(arguments: list[str]) -> int:
    counted: Counter[str] = Counter()
    missing: dict[str, list[str]] = defaultdict(list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module, name, documented in public_names():
            room = module.split(".")[1]
            counted[room] += 1
            if not documented:
                missing[room].append(f"{module}:{name}")
    if "-v" in arguments:
        for room in sorted(counted):
            print(f"{room:16} {counted[room]:5} {1 - len(missing[room]) / counted[room]:.0%}", *missing[room], sep="\n")
    share = 1 - sum(map(len, missing.values())) / counted.total()
    print(f"{counted.total()} public names, {share:.1%} with a docstring; the goal is {GOAL:.0%}")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
