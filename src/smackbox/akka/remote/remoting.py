"""An actor system on the network: references to actors of others, and others' references to ours.

async with ActorSystem("lab") as system:
    remoting = await Remoting.start(system, "127.0.0.1", 25520)
    remoting.serialization.register("lab.Hello", Hello)
    system.resolve("pekko://lab@127.0.0.1:25521/user/echo").tell("hello", me)
"""

from __future__ import annotations

import fnmatch
import logging
import ssl
from typing import Any, Self

from smackbox.akka.actor.cell_state import STOPPED
from smackbox.akka.actor.local_ref import DeadLetterRef, LocalRef
from smackbox.akka.actor.messages import ActorIdentity, Identify
from smackbox.akka.actor.path import PROTOCOL, ActorPath, Address
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.actor.shutdown import ACTOR_SYSTEM_TERMINATE
from smackbox.akka.actor.system import ActorSystem
from smackbox.akka.remote import compressions, control, stream_refs
from smackbox.akka.remote.association import Association
from smackbox.akka.remote.containers import (
    SELECTION_SERIALIZER,
    SYSTEM_SERIALIZER,
    DeathWatchNotificationData,
    PatternType,
    RefData,
    SelectionEnvelope,
    SelectionStep,
    SystemMessage,
    SystemMessageType,
    WatchData,
)
from smackbox.akka.remote.control import (
    HandshakeRequest,
    HeartbeatResponse,
    MessageWithAddress,
    Quarantined,
    SystemMessageAck,
    SystemMessageEnvelope,
    UniqueAddress,
    WireAddress,
)
from smackbox.akka.remote.events import SystemQuarantined, ThisSystemQuarantined
from smackbox.akka.remote.failure_detector import PhiAccrualDetector
from smackbox.akka.remote.frames import CONTROL, LARGE, ORDINARY, Envelope
from smackbox.akka.remote.serialization import Serialization, SerializationError
from smackbox.akka.remote.transport import FRAME_LIMIT, Transport
from smackbox.base.protobuf.message import decode, encode
from smackbox.base.protobuf.wire import MASK64, WireError

TICK_S = 1.0
REFS_LIMIT = 10_000
"""References whose paths are not parsed or written again; beyond them the cache is cleared."""
REMOTE_WATCHER = "/system/remote-watcher"
CLUSTER_ACTORS = ("system", "cluster")
"""Messages to them go before those of users, on the control stream, as in Pekko."""

log = logging.getLogger("smackbox.akka.remote")


class RemoteRef(ActorRef[Any]):
    """An actor of another system."""

    __slots__ = ("_path", "_remoting", "association", "stream", "text")

    def __init__(self, remoting: Remoting, path: ActorPath) -> None:
        self._remoting = remoting
        self._path = path
        self.text = str(path)
        self.stream = CONTROL if path.elements[:2] == CLUSTER_ACTORS else ORDINARY
        self.association: Association | None = None
        """With its system, once a message has been sent."""

    @property
    def path(self) -> ActorPath:
        return self._path

    @property
    def system(self) -> ActorSystem:
        return self._remoting.system

    def tell(self, message: Any, sender: ActorRef[Any] | None = None) -> None:
        self.system.dispatcher.on_loop(self._remoting.send, self, message, sender)

    def _watched_by(self, watcher: ActorRef[Any]) -> None:
        self._remoting.watch(self, watcher)

    def _unwatched_by(self, watcher: ActorRef[Any]) -> None:
        self._remoting.unwatch(self, watcher)

    def _hear_death(self, ref: ActorRef[Any], cause: BaseException | None) -> None:
        self._remoting.notify_death(self, ref)


class ActorSelection:
    """A path with patterns (`*`, `?`), here or in another system. A message finds what it matches when it arrives."""

    def __init__(self, remoting: Remoting, path: ActorPath) -> None:
        self._remoting = remoting
        self.path = path

    def tell(self, message: Any, sender: ActorRef[Any] | None = None) -> None:
        self._remoting.send_selection(self.path, message, sender)

    async def resolve(self, timeout_s: float) -> ActorRef[Any]:
        """The one actor that is there. Raises `AskTimeoutError`, and `LookupError` where there is none."""
        from smackbox.akka.actor.ref import PromiseRef

        promise: PromiseRef[Any] = PromiseRef(self._remoting.system, self.path, timeout_s)
        self._remoting.register_temporary(promise)
        self.tell(Identify(str(self.path)), promise)
        identity: ActorIdentity = await promise.future
        if identity.ref is None:
            raise LookupError(f"there is no actor {self.path}")
        return identity.ref


class Remoting:
    """Of one actor system; made by `start`, ended with the system's shutdown."""

    def __init__(self, system: ActorSystem, address: Address, uid: int, transport: Transport) -> None:
        self.system = system
        self.address = address
        self.own = UniqueAddress(WireAddress.of(address), uid)
        self.serialization = Serialization(self.resolve, self.path_of)
        self.serialization.add(stream_refs.WRITERS, stream_refs.READERS)
        self.associations: dict[Address, Association] = {}
        self._by_uid: dict[int, Association] = {}
        self._transport = transport
        self._refs: dict[str, ActorRef[Any]] = {}
        self._local_paths: dict[int, str] = {}
        self._temporary: dict[str, ActorRef[Any]] = {}
        self._watching: dict[RemoteRef, set[ActorRef[Any]]] = {}
        self._detectors: dict[Address, PhiAccrualDetector] = {}
        self._members: set[Address] = set()
        self._timer: Any = None
        self.compression = compressions.Compressions(self.own, transport.tables, self._by_uid)

    @classmethod
    async def start(
        cls,
        system: ActorSystem,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        magic: bytes = b"AKKA",
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
        insecure: bool = False,
    ) -> Self:
        """Listen, and be reachable at `host:port`. Raises `StartError`."""
        holder: list[Self] = []
        transport = Transport(
            lambda stream, envelope: holder[0]._receive(stream, envelope),  # noqa: PLW0108 - it is not there yet
            magic=magic,
            server_tls=server_tls,
            client_tls=client_tls,
        )
        await transport.listen(host, port, insecure=insecure)
        address = Address(PROTOCOL, system.name, host, transport.port)
        remoting = cls(system, address, int(system.chance() * 2**62) + 1, transport)
        holder.append(remoting)
        system.address = address
        system.remote_resolve = remoting.resolve
        system.shutdown.add_task(ACTOR_SYSTEM_TERMINATE, "remoting", remoting.close)
        remoting._tick()
        return remoting

    async def close(self) -> None:
        """Stop listening, and close all connections."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.system.remote_resolve = None
        await self._transport.close()

    # -- paths

    def resolve(self, text: str) -> ActorRef[Any]:
        """The reference of a path: a local actor, one of another system, or a reference to dead letters."""
        known = self._refs.get(text)
        if known is not None and (type(known) is not LocalRef or known.cell.state != STOPPED):
            return known
        path = ActorPath.parse(text)
        if path.address in {self.address, Address(PROTOCOL, self.system.name)}:
            temporary = self._temporary.get("/".join(path.elements))
            if temporary is not None:
                return temporary
            local = self.system.resolve_local(path)
            if type(local) is LocalRef:
                self._remember(text, local)
            return local
        if path.address.is_local:
            return DeadLetterRef(self.system, path)
        ref = RemoteRef(self, path)
        self._remember(text, ref)
        return ref

    def _remember(self, text: str, ref: ActorRef[Any]) -> None:
        if len(self._refs) >= REFS_LIMIT:
            self._refs.clear()
        self._refs[text] = ref

    def path_of(self, ref: ActorRef[Any]) -> str:
        """How others name a reference. A promise is known to us by it until it has its reply."""
        if type(ref) is LocalRef:
            uid = ref.cell.uid
            text = self._local_paths.get(uid)
            if text is None:
                if len(self._local_paths) >= REFS_LIMIT:
                    self._local_paths.clear()
                text = self._local_paths[uid] = str(ref.path.at(self.address))
            return text
        path = ref.path
        if path.elements[:1] == ("temp",):
            self.register_temporary(ref)
        return str(path.at(self.address) if path.address.is_local else path)

    def register_temporary(self, ref: ActorRef[Any]) -> None:
        """Let the reply to an ask find its promise."""
        name = "/".join(ref.path.elements)
        if name not in self._temporary:
            self._temporary[name] = ref
            future = getattr(ref, "future", None)
            if future is not None:
                future.add_done_callback(lambda _: self._temporary.pop(name, None))

    def select(self, path: str) -> ActorSelection:
        """Raises `ValueError` for an invalid path."""
        return ActorSelection(self, ActorPath.parse(path))

    # -- out

    def association(self, address: Address) -> Association:
        found = self.associations.get(address)
        if found is None:
            host, port = address.host, address.port
            assert host is not None and port is not None
            made = Association(
                self.own,
                address,
                lambda stream, envelope: self._transport.send(host, port, stream, envelope, made.tables),
                self._quarantined,
            )
            self.associations[address] = made
            return made
        return found

    def send(self, to: RemoteRef, message: Any, sender: ActorRef[Any] | None) -> None:
        try:
            serializer, manifest, payload = self.serialization.write(message)
        except SerializationError as error:
            log.warning("[%s] %s", to.path, error)
            self.system.dead_letter(message, to, str(error))
            return
        self._send(to, sender, serializer, manifest, payload, message, to)

    def send_selection(self, path: ActorPath, message: Any, sender: ActorRef[Any] | None) -> None:
        steps = [_step(element) for element in path.elements]
        if path.address == self.address or path.address.is_local:
            self._deliver_selection(steps, message, sender)
            return
        serializer, manifest, payload = self.serialization.write(message)
        fan_out = any(step.type is PatternType.CHILD_PATTERN for step in steps)
        body = encode(SelectionEnvelope(payload, serializer, steps, manifest.encode() or None, fan_out))
        root = RemoteRef(self, ActorPath(path.address, ()))
        self._send(root, sender, SELECTION_SERIALIZER, "", body, message, RemoteRef(self, path))

    def _send(
        self,
        to: RemoteRef,
        sender: ActorRef[Any] | None,
        serializer: int,
        manifest: str,
        payload: bytes,
        message: Any,
        meant: ActorRef[Any],
    ) -> None:
        """Send to an actor, or to the root of a system what a selection there is `meant` for."""
        from_path = "" if sender is None else self.path_of(sender)
        envelope = Envelope(self.own.uid, serializer, from_path, to.text, manifest, payload)
        stream = LARGE if len(payload) > FRAME_LIMIT else to.stream
        association = to.association
        if association is None:
            association = to.association = self.association(to.path.address)

        def dropped(reason: str) -> None:
            self.system.dead_letter(message, meant, reason)

        association.tell(stream, envelope, dropped, self._now_s())

    def _send_system(self, to: RemoteRef, message: SystemMessage) -> bool:
        association = self.association(to.path.address)
        return association.tell_system(str(to.path), SYSTEM_SERIALIZER, encode(message), self._now_s())

    # -- death watch

    def watch(self, ref: RemoteRef, watcher: ActorRef[Any]) -> None:
        self._watching.setdefault(ref, set()).add(watcher)
        data = WatchData(RefData(str(ref.path)), RefData(self.path_of(watcher)))
        if not self._send_system(ref, SystemMessage(SystemMessageType.WATCH, watch=data)):
            self._dead(ref)

    def unwatch(self, ref: RemoteRef, watcher: ActorRef[Any]) -> None:
        watchers = self._watching.get(ref)
        if watchers is None or watcher not in watchers:
            return
        watchers.discard(watcher)
        if not watchers:
            del self._watching[ref]
        data = WatchData(RefData(str(ref.path)), RefData(self.path_of(watcher)))
        self._send_system(ref, SystemMessage(SystemMessageType.UNWATCH, watch=data))

    def notify_death(self, watcher: RemoteRef, dead: ActorRef[Any]) -> None:
        """An actor of ours that a remote one watches is gone."""
        data = DeathWatchNotificationData(RefData(self.path_of(dead)), True, False)
        self._send_system(watcher, SystemMessage(SystemMessageType.DEATHWATCH_NOTIFICATION, death=data))

    def _dead(self, ref: RemoteRef) -> None:
        for watcher in self._watching.pop(ref, set()):
            watcher._hear_death(ref, None)

    def _address_dead(self, address: Address) -> None:
        for ref in [ref for ref in self._watching if ref.path.address == address]:
            self._dead(ref)

    def member_added(self, address: Address) -> None:
        """A member of this system's cluster: the cluster says when it is dead, not heartbeats of death watch."""
        self._members.add(address)
        self._detectors.pop(address, None)

    def member_removed(self, address: Address, uid: int, *, quarantine: bool) -> None:
        """What is watched there has terminated. `quarantine` the life `uid` where it was downed."""
        self._members.discard(address)
        association = self.associations.get(address)
        if association is not None and association.uid not in {None, uid & MASK64}:
            return  # another life is there already
        if quarantine and association is not None:
            association.quarantine("it was downed and removed from the cluster")
        self._address_dead(address)

    def _quarantined(self, association: Association, reason: str) -> None:
        log.warning(
            "%s is quarantined: %s. Restart one of the two systems to let them talk again", association.remote, reason
        )
        self._address_dead(association.remote)
        self._detectors.pop(association.remote, None)
        assert association.uid is not None
        self.system.events.publish(SystemQuarantined(association.remote, association.uid))

    # -- time

    def _now_s(self) -> float:
        return self.system.dispatcher.now_s()

    def _tick(self) -> None:
        now_s = self._now_s()
        for association in list(self.associations.values()):
            association.tick(now_s)
        self._watch_systems(now_s)
        self.compression.tick(now_s)
        self._timer = self.system.dispatcher.call_later(TICK_S, self._tick)

    def _watch_systems(self, now_s: float) -> None:
        """Heartbeats to the systems in which something is watched; who is silent is quarantined."""
        for address in {ref.path.address for ref in self._watching} - self._members:
            detector = self._detectors.setdefault(address, PhiAccrualDetector())
            if not detector.is_monitoring:
                detector.heartbeat(now_s)
            association = self.association(address)
            if not detector.is_available(now_s):
                log.warning("%s does not answer heartbeats: what was watched there counts as terminated", address)
                del self._detectors[address]
                association.quarantine("no heartbeats")
                self._address_dead(address)
                continue
            steps = [SelectionStep(PatternType.CHILD_NAME, name) for name in REMOTE_WATCHER.strip("/").split("/")]
            beat = encode(SelectionEnvelope(b"", control.SERIALIZER, steps, control.HEARTBEAT.encode(), False))
            sender = f"{self.address}{REMOTE_WATCHER}"
            root = str(ActorPath(address, ()))
            envelope = Envelope(self.own.uid, SELECTION_SERIALIZER, sender, root, "", beat)
            association.tell(ORDINARY, envelope, lambda _reason: None, now_s)

    # -- in

    def _receive(self, stream: int, envelope: Envelope) -> None:
        try:
            if envelope.serializer == control.SERIALIZER:
                self._receive_control(envelope)
                return
            association = self._by_uid.get(envelope.uid)
            if association is None or not association.accepts(envelope.uid):
                return  # before its handshake, or of a life that is given up
            if stream == ORDINARY:
                self.compression.seen(envelope)
            self._deliver(envelope)
        except (SerializationError, WireError, ValueError) as error:
            log.warning(
                "a message from %s to %s is dropped: %s", envelope.sender or "nobody", envelope.recipient, error
            )
            self.system.dead_letter(envelope, DeadLetterRef(self.system), str(error))

    def _deliver(self, envelope: Envelope) -> None:
        sender = self.resolve(envelope.sender) if envelope.sender else None
        if envelope.serializer == SELECTION_SERIALIZER:
            selection = decode(SelectionEnvelope, envelope.payload)
            manifest = (selection.manifest or b"").decode()
            if selection.serializer == control.SERIALIZER:
                inner = Envelope(envelope.uid, control.SERIALIZER, envelope.sender, "", manifest, selection.message)
                self._receive_control(inner)
                return
            message = self.serialization.read(selection.serializer, manifest, selection.message)
            self._deliver_selection(selection.pattern, message, sender)
            return
        message = self.serialization.read(envelope.serializer, envelope.manifest, envelope.payload)
        self.resolve(envelope.recipient).tell(message, sender)

    def _deliver_selection(self, steps: list[SelectionStep], message: Any, sender: ActorRef[Any] | None) -> None:
        cells = [self.system.root_cell]
        for step in steps:
            if step.type is PatternType.PARENT:
                cells = [cell.parent_cell for cell in cells if cell.parent_cell is not None]
            else:
                pattern = step.matcher or ""
                names = [(cell, name) for cell in cells for name in cell.children]
                if step.type is PatternType.CHILD_NAME:
                    names = [(cell, name) for cell, name in names if name == pattern]
                else:
                    names = [(cell, name) for cell, name in names if fnmatch.fnmatchcase(name, pattern)]
                cells = [child for cell, name in names if (child := cell.child(name)) is not None]
        for cell in cells:
            cell.ref.tell(message, sender)
        if cells:
            return
        if isinstance(message, Identify) and sender is not None:
            sender.tell(ActorIdentity(message.message_id, None))
        else:
            self.system.dead_letter(message, self.system.dead_letters, "the selection matches no actor")

    def _receive_control(self, envelope: Envelope) -> None:
        manifest, body = envelope.manifest, envelope.payload
        if manifest == control.HANDSHAKE_REQUEST:
            request = decode(HandshakeRequest, body)
            if request.to.address != self.address:
                log.warning(
                    "a handshake from %s for %s, and this is %s",
                    request.from_.address.address,
                    request.to.address,
                    self.address,
                )
                return
            self._heard_from(request.from_)
            self._known(request.from_).answer_handshake()
        elif manifest == control.HANDSHAKE_RESPONSE:
            self._known(decode(MessageWithAddress, body).address)
        elif manifest == control.SYSTEM_MESSAGE:
            self._receive_system(envelope)
        elif manifest in {control.SYSTEM_MESSAGE_ACK, control.SYSTEM_MESSAGE_NACK}:
            association = self._by_uid.get(envelope.uid)
            if association is not None:
                ack = decode(SystemMessageAck, body)
                association.acknowledged(ack, resend=manifest == control.SYSTEM_MESSAGE_NACK)
        elif manifest == control.QUARANTINED:
            self._we_are_quarantined(decode(Quarantined, body))
        elif manifest == control.HEARTBEAT:
            self._answer_heartbeat(envelope)
        elif manifest == control.HEARTBEAT_RESPONSE:
            self._heard_heartbeat(envelope, decode(HeartbeatResponse, body))
        elif manifest == control.TERMINATING:
            association = self._by_uid.get(envelope.uid)
            if association is not None:
                association.tell_control(control.TERMINATING_ACK, encode(MessageWithAddress(self.own)), envelope.sender)
        elif manifest in compressions.MANIFESTS:
            self.compression.receive(manifest, body)

    def _heard_from(self, other: UniqueAddress) -> None:
        association = self.associations.get(other.address.address)
        is_new = association is not None and association.uid not in {None, other.uid}
        self._transport.wake(other.address.host, other.address.port, is_new=is_new)

    def _known(self, other: UniqueAddress) -> Association:
        association = self.association(other.address.address)
        if association.uid is not None and association.uid != other.uid:
            self._by_uid.pop(association.uid, None)
            self._address_dead(association.remote)
            self._detectors.pop(association.remote, None)
        self._by_uid[other.uid] = association
        association.handshake_done(other.uid)
        return association

    def _receive_system(self, envelope: Envelope) -> None:
        message = decode(SystemMessageEnvelope, envelope.payload)
        association = self._by_uid.get(message.reply_to.uid)
        if (
            association is None
            or not association.accepts(message.reply_to.uid)
            or not association.system_message(message)
        ):
            return
        if message.serializer != SYSTEM_SERIALIZER:
            raise SerializationError(f"a system message of serializer {message.serializer}")
        system = decode(SystemMessage, message.message)
        if system.watch is not None and system.type in {SystemMessageType.WATCH, SystemMessageType.UNWATCH}:
            watchee, watcher = self.resolve(system.watch.watchee.path), self.resolve(system.watch.watcher.path)
            if system.type is SystemMessageType.WATCH:
                watchee._watched_by(watcher)
            else:
                watchee._unwatched_by(watcher)
        elif system.death is not None and system.type is SystemMessageType.DEATHWATCH_NOTIFICATION:
            dead = self.resolve(system.death.actor.path)
            if isinstance(dead, RemoteRef):
                self._dead(dead)
        else:
            log.warning("a system message %s from %s is not for us", system.type.name, association.remote)

    def _we_are_quarantined(self, news: Quarantined) -> None:
        association = self._by_uid.get(news.from_.uid)
        if association is not None and news.to.uid == self.own.uid:
            association.quarantine("the other system has quarantined this one")
            self.system.events.publish(ThisSystemQuarantined(association.remote, news.from_.uid))

    def _answer_heartbeat(self, envelope: Envelope) -> None:
        association = self._by_uid.get(envelope.uid)
        if association is not None:
            body = encode(HeartbeatResponse(self.own.uid & 0x7FFFFFFFFFFFFFFF))
            association.tell_control(
                control.HEARTBEAT_RESPONSE, body, envelope.sender, f"{self.address}{REMOTE_WATCHER}"
            )

    def _heard_heartbeat(self, envelope: Envelope, response: HeartbeatResponse) -> None:
        association = self._by_uid.get(envelope.uid)
        if association is not None and response.uid == association.uid:
            detector = self._detectors.get(association.remote)
            if detector is not None:
                detector.heartbeat(self._now_s())


def _step(element: str) -> SelectionStep:
    if element == "..":
        return SelectionStep(PatternType.PARENT)
    if any(mark in element for mark in "*?"):
        return SelectionStep(PatternType.CHILD_PATTERN, element)
    return SelectionStep(PatternType.CHILD_NAME, element)
