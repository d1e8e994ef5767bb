"""Distributed data: the replicator of a node, and how users ask it.

    ddata = DistributedData(system)
    hits = Key[GCounter]("hits")
    await ddata.update(hits, GCounter(), lambda counter: counter.increment(ddata.own), Majority(3.0))
    counter = await ddata.get(hits, Majority(3.0))
    ddata.subscribe(hits, actor)            # gets Changed

The replicator stands where JVMs look for it, `/system/ddataReplicator`, and takes the commands of `messages.py`, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.local_ref import LocalRef
from smackbox.akka.actor.messages import Signal, Terminated
from smackbox.akka.actor.path import ActorPath
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.cluster.cluster import Cluster
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.cluster.messages import DomainEvent
from smackbox.akka.ddata.aggregation import SECONDARY_AFTER, Aggregation, ReadAggregation, Send, WriteAggregation
from smackbox.akka.ddata.consistency import LOCAL, Consistency
from smackbox.akka.ddata.data import DELETED, Data, Key
from smackbox.akka.ddata.durable_store import DurableStore
from smackbox.akka.ddata.envelope import DELETED_ENVELOPE, DataEnvelope
from smackbox.akka.ddata.messages import (
    Answer,
    Changed,
    Command,
    DataDeleted,
    Delete,
    Deleted,
    DeleteFailure,
    DeleteSuccess,
    Deltas,
    Get,
    GetFailure,
    GetSuccess,
    ModifyFailure,
    NotFound,
    Read,
    ReplicatorMessage,
    Subscribe,
    Unsubscribe,
    Update,
    UpdateSuccess,
    UpdateTimeout,
    Write,
)
from smackbox.akka.ddata.replica import Replica, ReplicatorSettings
from smackbox.akka.ddata.replicator_wire import ReplicatorWire

NAME = "ddataReplicator"
LOCAL_TIMEOUT_S = 5.0

D = TypeVar("D", bound=Data)


class ReplicationError(Exception):
    """A read or a write that not enough nodes answered in time, or a change that failed, or data that was deleted."""


class DistributedData:
    """Of an actor system with a `Cluster`. Raises `LookupError` where there is none."""

    def __init__(self, system: ActorSystem, settings: ReplicatorSettings | None = None, *, name: str = NAME) -> None:
        cluster = Cluster.of(system)
        self.own: UniqueAddress = cluster.own
        """For changes of this node."""
        known = system.resolve_local(ActorPath(system.address, ("system", name)))
        if isinstance(known, LocalRef):
            self.replicator: ActorRef[Any] = known
        else:
            self.replicator = system.spawn_system(replicator_props(cluster, settings), name)

    async def get(self, key: Key[D], consistency: Consistency = LOCAL) -> D | None:
        """None where there is no data. Raises `ReplicationError`."""
        answer = await self._ask(Get(key, consistency), consistency)
        if isinstance(answer, GetSuccess):
            found: D = answer.data
            return found
        if isinstance(answer, NotFound):
            return None
        raise ReplicationError(f"{key.id} cannot be read: {_reason(answer)}")

    async def update(self, key: Key[D], initial: D, change: Callable[[D], D], consistency: Consistency = LOCAL) -> None:
        """Raises `ReplicationError`, with what `change` raised as its cause."""
        answer = await self._ask(Update(key, initial, change, consistency), consistency)
        if isinstance(answer, ModifyFailure):
            raise ReplicationError(f"{key.id} is not changed: {answer.error!r}") from answer.error
        if not isinstance(answer, UpdateSuccess):
            raise ReplicationError(f"{key.id} may not be changed on enough nodes: {_reason(answer)}")

    async def delete(self, key: Key[D], consistency: Consistency = LOCAL) -> None:
        """For good. Raises `ReplicationError`."""
        answer = await self._ask(Delete(key, consistency), consistency)
        if not isinstance(answer, DeleteSuccess):
            raise ReplicationError(f"{key.id} may not be deleted on enough nodes: {_reason(answer)}")

    def subscribe(self, key: Key[D], subscriber: ActorRef[Any]) -> None:
        """`subscriber` gets `Changed` and `Deleted`, until it stops."""
        self.replicator.tell(Subscribe(key, subscriber))

    def unsubscribe(self, key: Key[D], subscriber: ActorRef[Any]) -> None:
        """`subscriber` gets nothing more of this key."""
        self.replicator.tell(Unsubscribe(key, subscriber))

    async def _ask(self, command: Command, consistency: Consistency) -> Answer:
        answer: Answer = await self.replicator.request(command, consistency.timeout_s + LOCAL_TIMEOUT_S)
        return answer


def _reason(answer: Answer) -> str:
    return "it was deleted" if isinstance(answer, DataDeleted) else "not enough nodes answered in time"


def replicator_props(cluster: Cluster, settings: ReplicatorSettings | None = None) -> Props[Any]:
    """A replicator, and its serializers in the cluster's serialization."""
    wire = ReplicatorWire(cluster.serialization, cluster.system.name)
    wire.install()
    return Props.of(Replicator, cluster, wire, settings or ReplicatorSettings())


class Replicator(Actor[Any]):
    """The actor round a replica: commands of this node, messages of others, time."""

    def __init__(self, cluster: Cluster, wire: ReplicatorWire, settings: ReplicatorSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._subscribers: dict[str, set[ActorRef[Any]]] = {}
        self._new: dict[str, set[ActorRef[Any]]] = {}
        self._wire = wire
        self._durable: DurableStore | None = None
        self._replica = Replica(
            cluster.own,
            settings,
            send=self.sender_to(self.context.ref),
            write_envelope=wire.write_envelope,
            chance=self.context.system.chance,
            wall_ms=_wall_ms,
            store=self._store,
        )

    def pre_start(self) -> None:
        if self._settings.durable_file is not None:
            durable = DurableStore(self._settings.durable_file)
            for key, envelope in durable.load():
                self._replica.write(key, self._wire.read_durable(envelope))
            self._durable = durable
        state = self._cluster.state
        self._cluster.subscribe(self.context.ref)
        self._replica.begin(state.members.values(), state.judged_reachability.unreachable - {self._cluster.own})
        timers, settings, replica = self.context.timers, self._settings, self._replica
        for name, call, every_s in (
            ("gossip", replica.gossip_tick, settings.gossip_s),
            ("deltas", replica.delta_tick, settings.delta_s),
            ("notify", self._notify, settings.notify_s),
            ("pruning", replica.pruning_tick, settings.pruning_s),
        ):
            timers.start_with_fixed_delay(name, _Tick(call), every_s)

    def post_stop(self) -> None:
        self._cluster.unsubscribe(self.context.ref)
        if self._durable is not None:
            self._durable.close()

    def _store(self, key: str, envelope: DataEnvelope) -> None:
        if self._durable is not None:
            self._durable.store(key, self._wire.write_durable(envelope))

    def receive(self, message: Any) -> Any:
        sender = self.context.sender
        match message:
            case _Tick():
                message.call()
            case ReplicatorMessage():
                self._replica.receive(message, lambda answer: sender.tell(answer, self.context.ref))
            case DomainEvent():
                self._replica.cluster_event(message)
            case Get():
                self._get(message, sender)
            case Update():
                self._update(message, sender)
            case Delete():
                self._delete(message, sender)
            case Subscribe(key, subscriber):
                self._new.setdefault(key.id, set()).add(self.context.watch(subscriber))
            case Unsubscribe(key, subscriber):
                self._forget(subscriber, key.id)
            case _:
                return UNHANDLED
        return None

    def on_signal(self, signal: Signal) -> None:
        if isinstance(signal, Terminated):
            for key in [*self._subscribers, *self._new]:
                self._forget(signal.ref, key)

    # -- commands

    def _get(self, command: Get, sender: ActorRef[Any]) -> None:
        key, consistency, request = command.key, command.consistency, command.request
        local = self._replica.get(key.id)
        if consistency.is_local:
            sender.tell(_found(key, None if local is None else local.data, request))
            return
        nodes, _ = self._replica.ordered_nodes(exclude_exiting=consistency.excludes_exiting, keep_order=False)
        read = Read(key.id, self._cluster.own)

        def make(send: Send) -> ReadAggregation:
            return ReadAggregation(nodes, consistency, send, read=read, local=local, now_ms=_wall_ms())

        def done(aggregation: Aggregation) -> None:
            assert isinstance(aggregation, ReadAggregation)
            if not aggregation.done:
                sender.tell(GetFailure(key, request))
                return
            if aggregation.result is not None:
                self._replica.write(key.id, aggregation.result)
            sender.tell(_found(key, None if aggregation.result is None else aggregation.result.data, request))

        self._aggregate(make, done, consistency)

    def _update(self, command: Update, sender: ActorRef[Any]) -> None:
        key, consistency, request = command.key, command.consistency, command.request
        try:
            envelope, delta = self._replica.update(key.id, command.initial, command.change)
        except Exception as error:
            sender.tell(ModifyFailure(key, request, error))
            return
        if envelope.data is DELETED:
            sender.tell(DataDeleted(key, request))
            return
        if consistency.is_local:
            sender.tell(UpdateSuccess(key, request))
            return
        deltas = None
        if delta is not None and delta.ordered_deltas:
            deltas = Deltas(self._cluster.own, True, {key.id: self._replica.ranged(key.id, envelope, delta)})
        write = Write(key.id, envelope, self._cluster.own)
        self._write(write, deltas, consistency, sender, UpdateSuccess(key, request), UpdateTimeout(key, request))

    def _delete(self, command: Delete, sender: ActorRef[Any]) -> None:
        key, consistency, request = command.key, command.consistency, command.request
        old = self._replica.get(key.id)
        if old is not None and old.data is DELETED:
            sender.tell(DataDeleted(key, request))
            return
        self._replica.delete(key.id)
        if consistency.is_local:
            sender.tell(DeleteSuccess(key, request))
            return
        write = Write(key.id, DELETED_ENVELOPE, self._cluster.own)
        self._write(write, None, consistency, sender, DeleteSuccess(key, request), DeleteFailure(key, request))

    def _write(
        self,
        write: Write,
        deltas: Deltas | None,
        consistency: Consistency,
        sender: ActorRef[Any],
        success: Answer,
        failure: Answer,
    ) -> None:
        nodes, _ = self._replica.ordered_nodes(
            exclude_exiting=consistency.excludes_exiting, keep_order=deltas is not None
        )

        def make(send: Send) -> WriteAggregation:
            return WriteAggregation(nodes, consistency, send, write=write, deltas=deltas)

        def done(aggregation: Aggregation) -> None:
            sender.tell(success if aggregation.done else failure)

        self._aggregate(make, done, consistency)

    def _aggregate(
        self, make: Callable[[Send], Aggregation], done: Callable[[Aggregation], None], consistency: Consistency
    ) -> None:
        self.context.spawn(Props.of(_Aggregator, self, self._cluster, make, done, consistency.timeout_s))

    def sender_to(self, own: ActorRef[Any]) -> Send:
        """Sends to the replicators of other nodes, with `own` as the sender."""
        path = self.context.path.elements

        def send(node: UniqueAddress, message: ReplicatorMessage) -> None:
            self._cluster.select(ActorPath(node.address, path)).tell(message, own)

        return send

    # -- subscribers

    def _notify(self) -> None:
        changed, self._replica.changed = self._replica.changed, set()
        for key in changed:
            self._tell(key, self._subscribers.get(key, set()) - self._new.get(key, set()))
        new, self._new = self._new, {}
        for key, subscribers in new.items():
            self._tell(key, subscribers)
            self._subscribers.setdefault(key, set()).update(subscribers)

    def _tell(self, key: str, subscribers: set[ActorRef[Any]]) -> None:
        envelope = self._replica.get(key)
        if envelope is None:
            return
        deleted = envelope.data is DELETED
        news = Deleted(Key(key)) if deleted else Changed(Key(key), envelope.data)
        for subscriber in subscribers:
            subscriber.tell(news)

    def _forget(self, subscriber: ActorRef[Any], key: str) -> None:
        for table in (self._subscribers, self._new):
            subscribers = table.get(key, set())
            subscribers.discard(subscriber)
            if not subscribers:
                table.pop(key, None)


class _Aggregator(Actor[Any]):
    """One read or write of several nodes; their answers come to it."""

    def __init__(
        self,
        replicator: Replicator,
        cluster: Cluster,
        make: Callable[[Send], Aggregation],
        done: Callable[[Aggregation], None],
        timeout_s: float,
    ) -> None:
        self._cluster = cluster
        self._done = done
        self._aggregation = make(replicator.sender_to(self.context.ref))
        self._timeout_s = timeout_s

    def pre_start(self) -> None:
        timers, aggregation = self.context.timers, self._aggregation
        timers.start_single("more", _Tick(aggregation.ask_more), self._timeout_s * SECONDARY_AFTER)
        timers.start_single("timeout", _Tick(aggregation.timed_out), self._timeout_s)
        aggregation.begin()
        self._check()

    def receive(self, message: Any) -> Any:
        if isinstance(message, _Tick):
            message.call()
        elif isinstance(message, ReplicatorMessage):
            self._aggregation.receive(message, self._cluster.address_of(self.context.sender))
        else:
            return UNHANDLED
        self._check()
        return None

    def _check(self) -> None:
        if self._aggregation.done is not None:
            self._done(self._aggregation)
            self.context.stop()


class _Tick:
    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call


def _found(key: Key[Any], data: Data | None, request: Any) -> Answer:
    if data is None:
        return NotFound(key, request)
    return DataDeleted(key, request) if data is DELETED else GetSuccess(key, request, data)


def _wall_ms() -> int:
    return int(time.time() * 1_000)
