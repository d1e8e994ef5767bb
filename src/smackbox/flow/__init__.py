"""Programs over event time: their declarations, and the plain synchronous cores that run them batch by batch.

The names that an application uses are here, loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.flow.aggregates import Collect as Collect
    from smackbox.flow.aggregates import Count as Count
    from smackbox.flow.aggregates import Earliest as Earliest
    from smackbox.flow.aggregates import First as First
    from smackbox.flow.aggregates import Last as Last
    from smackbox.flow.aggregates import Latest as Latest
    from smackbox.flow.aggregates import Max as Max
    from smackbox.flow.aggregates import Mean as Mean
    from smackbox.flow.aggregates import Min as Min
    from smackbox.flow.aggregates import Sum as Sum
    from smackbox.flow.keyed_state import KeyState as KeyState
    from smackbox.flow.keyed_state import Timer as Timer

_AGGREGATES = ("Collect", "Count", "Earliest", "First", "Last", "Latest", "Max", "Mean", "Min", "Sum")
_LAZY = dict.fromkeys(_AGGREGATES, "smackbox.flow.aggregates")
_LAZY |= dict.fromkeys(("KeyState", "Timer"), "smackbox.flow.keyed_state")

__all__ = [
    "Collect", "Count", "Earliest", "First", "KeyState", "Last", "Latest", "Max", "Mean", "Min", "Sum", "Timer",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
