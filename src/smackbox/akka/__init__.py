"""Actors: supervised, watched, on one event loop, and on the wire of a Pekko cluster.

    from smackbox import akka

    class Greeter(akka.Actor[str]):
        def receive(self, message: str) -> None:
            self.context.sender.tell(f"hello {message}")

    async with akka.ActorSystem("greetings") as system:
        greeter = system.spawn(Greeter, "greeter")
        assert await greeter.request("world", timeout_s=1) == "hello world"

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smackbox.akka.actor.actor import UNHANDLED as UNHANDLED
    from smackbox.akka.actor.actor import Actor as Actor
    from smackbox.akka.actor.behaviors import Behavior as Behavior
    from smackbox.akka.actor.behaviors import Behaviors as Behaviors
    from smackbox.akka.actor.context import ActorContext as ActorContext
    from smackbox.akka.actor.messages import ActorError as ActorError
    from smackbox.akka.actor.messages import AskTimeoutError as AskTimeoutError
    from smackbox.akka.actor.messages import ChildFailed as ChildFailed
    from smackbox.akka.actor.messages import DeadLetter as DeadLetter
    from smackbox.akka.actor.messages import Kill as Kill
    from smackbox.akka.actor.messages import PoisonPill as PoisonPill
    from smackbox.akka.actor.messages import PostStop as PostStop
    from smackbox.akka.actor.messages import PreRestart as PreRestart
    from smackbox.akka.actor.messages import Signal as Signal
    from smackbox.akka.actor.messages import Terminated as Terminated
    from smackbox.akka.actor.props import Props as Props
    from smackbox.akka.actor.receptionist import Listing as Listing
    from smackbox.akka.actor.receptionist import ServiceKey as ServiceKey
    from smackbox.akka.actor.ref import ActorRef as ActorRef
    from smackbox.akka.actor.routing import Broadcast as Broadcast
    from smackbox.akka.actor.routing import Routers as Routers
    from smackbox.akka.actor.supervision import AllForOne as AllForOne
    from smackbox.akka.actor.supervision import BackOff as BackOff
    from smackbox.akka.actor.supervision import Directive as Directive
    from smackbox.akka.actor.supervision import OneForOne as OneForOne
    from smackbox.akka.actor.supervision import SupervisorStrategy as SupervisorStrategy
    from smackbox.akka.actor.system import ActorSettings as ActorSettings
    from smackbox.akka.actor.system import ActorSystem as ActorSystem

_ACTOR = "smackbox.akka.actor."
_LAZY = {
    **dict.fromkeys(("Actor", "UNHANDLED"), _ACTOR + "actor"),
    **dict.fromkeys(("Behavior", "Behaviors"), _ACTOR + "behaviors"),
    "ActorContext": _ACTOR + "context",
    **dict.fromkeys(
        (
            "ActorError", "AskTimeoutError", "ChildFailed", "DeadLetter", "Kill", "PoisonPill", "PostStop",
            "PreRestart", "Signal", "Terminated",
        ),
        _ACTOR + "messages",
    ),
    "Props": _ACTOR + "props",
    **dict.fromkeys(("Listing", "ServiceKey"), _ACTOR + "receptionist"),
    "ActorRef": _ACTOR + "ref",
    **dict.fromkeys(("Broadcast", "Routers"), _ACTOR + "routing"),
    **dict.fromkeys(
        ("AllForOne", "BackOff", "Directive", "OneForOne", "SupervisorStrategy"), _ACTOR + "supervision"
    ),
    **dict.fromkeys(("ActorSettings", "ActorSystem"), _ACTOR + "system"),
}  # fmt: skip

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
