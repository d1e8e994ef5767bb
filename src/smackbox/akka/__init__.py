"""Actors: supervised, watched, on one event loop, and on the wire of a Pekko cluster.

    from smackbox import akka

    class Greeter(akka.Actor[str]):
        def receive(self, message: str) -> None:
            self.context.sender.tell(f"hello {message}")

    async with akka.ActorSystem("greetings") as system:
        greeter = system.spawn(Greeter, "greeter")
        assert await greeter.request("world", timeout_s=1) == "hello world"

A cluster of systems: `Remoting`, `Cluster`, `ClusterSingleton`, `ClusterSharding`, `DistributedData`,
`DistributedPubSub`.

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
    from smackbox.akka.actor.errors import ActorError as ActorError
    from smackbox.akka.actor.errors import AskTimeoutError as AskTimeoutError
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
    from smackbox.akka.cluster.cluster import Cluster as Cluster
    from smackbox.akka.cluster.core import ClusterSettings as ClusterSettings
    from smackbox.akka.cluster.downing import DownAll as DownAll
    from smackbox.akka.cluster.downing import KeepMajority as KeepMajority
    from smackbox.akka.cluster.downing import KeepOldest as KeepOldest
    from smackbox.akka.cluster.downing import LeaseMajority as LeaseMajority
    from smackbox.akka.cluster.downing import StaticQuorum as StaticQuorum
    from smackbox.akka.cluster.management import ClusterManagement as ClusterManagement
    from smackbox.akka.cluster.member import Member as Member
    from smackbox.akka.cluster.member import MemberStatus as MemberStatus
    from smackbox.akka.cluster.messages import MemberEvent as MemberEvent
    from smackbox.akka.cluster.messages import MemberRemoved as MemberRemoved
    from smackbox.akka.cluster.messages import ReachableMember as ReachableMember
    from smackbox.akka.cluster.messages import UnreachableMember as UnreachableMember
    from smackbox.akka.cluster.pubsub import DistributedPubSub as DistributedPubSub
    from smackbox.akka.cluster.receptionist import ClusterReceptionist as ClusterReceptionist
    from smackbox.akka.cluster.resolver import DowningSettings as DowningSettings
    from smackbox.akka.cluster.singleton import ClusterSingleton as ClusterSingleton
    from smackbox.akka.cluster.singleton import SingletonActor as SingletonActor
    from smackbox.akka.cluster.singleton import SingletonSettings as SingletonSettings
    from smackbox.akka.ddata.consistency import All as All
    from smackbox.akka.ddata.consistency import Local as Local
    from smackbox.akka.ddata.consistency import Majority as Majority
    from smackbox.akka.ddata.consistency import MajorityPlus as MajorityPlus
    from smackbox.akka.ddata.counter import GCounter as GCounter
    from smackbox.akka.ddata.counter import PNCounter as PNCounter
    from smackbox.akka.ddata.data import Key as Key
    from smackbox.akka.ddata.gset import GSet as GSet
    from smackbox.akka.ddata.ormap import LWWMap as LWWMap
    from smackbox.akka.ddata.ormap import ORMap as ORMap
    from smackbox.akka.ddata.ormap import ORMultiMap as ORMultiMap
    from smackbox.akka.ddata.ormap import PNCounterMap as PNCounterMap
    from smackbox.akka.ddata.orset import ORSet as ORSet
    from smackbox.akka.ddata.register import Flag as Flag
    from smackbox.akka.ddata.register import LWWRegister as LWWRegister
    from smackbox.akka.ddata.replicator import DistributedData as DistributedData
    from smackbox.akka.remote.remoting import Remoting as Remoting
    from smackbox.akka.sharding.messages import Passivate as Passivate
    from smackbox.akka.sharding.messages import ShardingEnvelope as ShardingEnvelope
    from smackbox.akka.sharding.sharding import ClusterSharding as ClusterSharding
    from smackbox.akka.sharding.sharding import Entity as Entity
    from smackbox.akka.sharding.sharding import EntityContext as EntityContext
    from smackbox.akka.sharding.sharding import EntityRef as EntityRef
    from smackbox.akka.sharding.sharding import EntityTypeKey as EntityTypeKey
    from smackbox.akka.sharding.sharding import ShardingSettings as ShardingSettings

_ACTOR = "smackbox.akka.actor."
_LAZY = {
    **dict.fromkeys(("Actor", "UNHANDLED"), _ACTOR + "actor"),
    **dict.fromkeys(("Behavior", "Behaviors"), _ACTOR + "behaviors"),
    "ActorContext": _ACTOR + "context",
    **dict.fromkeys(("ActorError", "AskTimeoutError"), _ACTOR + "errors"),
    **dict.fromkeys(
        (
            "ChildFailed", "DeadLetter", "Kill", "PoisonPill", "PostStop",
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
    "Cluster": "smackbox.akka.cluster.cluster",
    "ClusterSettings": "smackbox.akka.cluster.core",
    **dict.fromkeys(
        ("DownAll", "KeepMajority", "KeepOldest", "LeaseMajority", "StaticQuorum",),
        "smackbox.akka.cluster.downing",
    ),
    "ClusterManagement": "smackbox.akka.cluster.management",
    **dict.fromkeys(("Member", "MemberStatus",), "smackbox.akka.cluster.member"),
    **dict.fromkeys(
        ("MemberEvent", "MemberRemoved", "ReachableMember", "UnreachableMember",),
        "smackbox.akka.cluster.messages",
    ),
    "DistributedPubSub": "smackbox.akka.cluster.pubsub",
    "ClusterReceptionist": "smackbox.akka.cluster.receptionist",
    "DowningSettings": "smackbox.akka.cluster.resolver",
    **dict.fromkeys(("ClusterSingleton", "SingletonActor", "SingletonSettings",), "smackbox.akka.cluster.singleton"),
    **dict.fromkeys(("All", "Local", "Majority", "MajorityPlus",), "smackbox.akka.ddata.consistency"),
    **dict.fromkeys(("GCounter", "PNCounter",), "smackbox.akka.ddata.counter"),
    "Key": "smackbox.akka.ddata.data",
    "GSet": "smackbox.akka.ddata.gset",
    **dict.fromkeys(("LWWMap", "ORMap", "ORMultiMap", "PNCounterMap",), "smackbox.akka.ddata.ormap"),
    "ORSet": "smackbox.akka.ddata.orset",
    **dict.fromkeys(("Flag", "LWWRegister",), "smackbox.akka.ddata.register"),
    "DistributedData": "smackbox.akka.ddata.replicator",
    "Remoting": "smackbox.akka.remote.remoting",
    **dict.fromkeys(("Passivate", "ShardingEnvelope",), "smackbox.akka.sharding.messages"),
    **dict.fromkeys(
        ("ClusterSharding", "Entity", "EntityContext", "EntityRef", "EntityTypeKey", "ShardingSettings",),
        "smackbox.akka.sharding.sharding",
    ),
}  # fmt: skip

__all__ = list(_LAZY)


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)
