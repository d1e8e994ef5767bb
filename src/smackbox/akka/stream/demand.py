"""The demand of the streams that run in a system: what is asked for, what is held back, what waits in buffers.

Counted when somebody looks, from the state of the edges between stages: running streams pay nothing for it. A stream of
plain steps round an iterable, which runs as one loop, has no edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from smackbox.akka.stream.connection import PULLED, PULLING

if TYPE_CHECKING:
    from smackbox.akka.actor.system import ActorSystem
    from smackbox.akka.stream.interpreter import Interpreter
    from smackbox.akka.stream.stage import Stage

NAMES_LIMIT = 200
OTHER = "other"
"""What further names of streams are counted as."""


@dataclass(slots=True)
class Demand:
    """Of the stages with one name (`named`), or of all without one: the edges into them, and what waits in them."""

    asked: int = 0
    """Edges where an element is asked for and has not come: the source is the slower part."""
    held_back: int = 0
    """Edges where none is asked for: what comes after is the slower part (back-pressure)."""
    waiting: int = 0
    """Elements in buffers, queues and asynchronous boundaries."""


_running: WeakKeyDictionary[ActorSystem, set[Interpreter]] = WeakKeyDictionary()


def begun(interpreter: Interpreter) -> None:
    """An island runs."""
    _running.setdefault(interpreter.system, set()).add(interpreter)


def ended(interpreter: Interpreter) -> None:
    """An island runs no more."""
    _running.get(interpreter.system, set()).discard(interpreter)


def islands(system: ActorSystem) -> int:
    """How many parts of streams run: a stream has one, and one more for each asynchronous boundary."""
    return len(_running.get(system, ()))


def demand_of(system: ActorSystem) -> dict[str, Demand]:
    """By the names of the streams' parts; those without one are `""`, and those beyond `NAMES_LIMIT` are `other`."""
    found: dict[str, Demand] = {}
    for interpreter in _running.get(system, ()):
        for stage in interpreter.stages:
            _count(cast("Stage", stage), found)
    return found


def _count(stage: Stage, found: dict[str, Demand]) -> None:
    name = stage.attributes.name
    if name not in found and len(found) >= NAMES_LIMIT:
        name = OTHER
    demand = found.setdefault(name, Demand())
    demand.waiting += stage.waiting
    inlets: list[Any] = stage.inlets
    for inlet in inlets:
        if inlet is None or inlet.in_closed:
            continue
        if inlet.state in {PULLING, PULLED}:
            demand.asked += 1
        else:
            demand.held_back += 1
