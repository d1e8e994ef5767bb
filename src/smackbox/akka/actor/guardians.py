"""The actors that every system begins with: `/`, `/system` and `/user`.

A system and its cells need each other. The system is the lower of the two: it has its guardians made by
`ActorSystem.make_guardians`, which is set here, and this module is imported with the package.
"""

from __future__ import annotations

from typing import Any

from smackbox.akka.actor.actor import Actor
from smackbox.akka.actor.cell import Cell
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.supervision import Directive, OneForOne
from smackbox.akka.actor.system import ActorSystem, Guardians


class Guardian(Actor[Any]):
    """The parent of top-level actors, with the default strategy."""

    def on_signal(self, signal: Signal) -> None:
        return None


class RootGuardian(Guardian):
    """A failure that it cannot handle ends the system."""

    supervisor_strategy = OneForOne(lambda _: Directive.ESCALATE)


def make_guardians(system: ActorSystem) -> Guardians:
    """Start the root of a system and its two children."""
    root: Cell[Any] = Cell(system, None, "", Props(RootGuardian), system.next_uid())
    root.start()
    children = [root.spawn_named(Props(Guardian), name).cell for name in ("system", "user")]
    return Guardians(root, *children)


ActorSystem.make_guardians = staticmethod(make_guardians)
