"""The state of a connection to another actor system: its uid, waiting messages, and acknowledged system messages.

Plain and synchronous: envelopes go out by `send(stream, envelope)`, time comes in as an argument.

    handshake    a request each second until the response names the other's uid; messages wait meanwhile, at most
                 `QUEUE_LIMIT` of them, and are dropped after that
    system       numbered from 1; sent again each second until acknowledged; the other side delivers them in order, once
    quarantine   of a uid: nothing more is sent to it or accepted from it, until another uid appears

Source: Pekko's `Association`, `OutboundHandshake` and `SystemMessageDelivery`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.remote import control
from smackbox.akka.remote.compression import OutboundTables
from smackbox.akka.remote.control import (
    HandshakeRequest,
    MessageWithAddress,
    Quarantined,
    SystemMessageAck,
    SystemMessageEnvelope,
    UniqueAddress,
    WireAddress,
)
from smackbox.akka.remote.frames import CONTROL, ORDINARY, Envelope
from smackbox.base.protobuf.message import encode

QUEUE_LIMIT = 3_072
SYSTEM_QUEUE_LIMIT = 20_000
RETRY_S = 1.0
GIVE_UP_SYSTEM_S = 6 * 3_600.0

Send = Callable[[int, Envelope], bool]
"""Stream and envelope to the transport. False when its own queue is full."""


@dataclass(slots=True)
class _Waiting:
    stream: int
    envelope: Envelope
    dropped: Callable[[str], None]


class Association:
    """`own` is this incarnation of the system; `quarantined` is called when the other's uid is quarantined."""

    def __init__(
        self, own: UniqueAddress, remote: Address, send: Send, quarantined: Callable[[Association, str], None]
    ) -> None:
        self.own = own
        self.remote = remote
        self.uid: int | None = None
        self._send = send
        self._tell_quarantined = quarantined
        self._queue: deque[_Waiting] = deque()
        self._asked_s: float | None = None
        self._unacknowledged: deque[tuple[int, Envelope, float]] = deque()
        self._next_sequence = 1
        self._resent_s = 0.0
        self._expected: dict[int, int] = {}
        self.tables = OutboundTables()
        self.quarantined_uids: set[int] = set()

    # -- out

    def tell(self, stream: int, envelope: Envelope, dropped: Callable[[str], None], now_s: float) -> None:
        """Send a message, or keep it until the handshake is done; else `dropped` gets the reason."""
        if self.uid is None:
            if len(self._queue) >= QUEUE_LIMIT:
                dropped(f"{QUEUE_LIMIT} messages wait for {self.remote} already")
                return
            self._queue.append(_Waiting(stream, envelope, dropped))
            self.ask_handshake(now_s)
        elif self.uid in self.quarantined_uids:
            dropped(f"{self.remote} is quarantined")
        elif not self._send(stream, envelope):
            dropped(f"the queue to {self.remote} is full")

    def tell_system(self, recipient: str, serializer: int, message: bytes, now_s: float) -> bool:
        """Send a system message, repeatedly until it is acknowledged. False when the other is quarantined."""
        if self.uid is not None and self.uid in self.quarantined_uids:
            return False
        if len(self._unacknowledged) >= SYSTEM_QUEUE_LIMIT:
            self.quarantine("too many system messages are not acknowledged")
            return False
        body = encode(
            SystemMessageEnvelope(
                message=message, serializer=serializer, sequence=self._next_sequence, reply_to=self.own
            )
        )
        envelope = self._control(control.SYSTEM_MESSAGE, body, recipient)
        self._unacknowledged.append((self._next_sequence, envelope, now_s))
        self._next_sequence += 1
        if self.uid is None:
            self.ask_handshake(now_s)
        else:
            self._send(CONTROL, envelope)
        return True

    def tell_control(self, manifest: str, body: bytes, recipient: str = "", sender: str = "") -> None:
        """Send one of Artery's own messages, at most once."""
        self._send(CONTROL, self._control(manifest, body, recipient, sender))

    def tick(self, now_s: float) -> None:
        """Called about once a second: repeats handshakes and system messages, or gives up."""
        if self.uid is None:
            if self._queue or self._unacknowledged:
                self.ask_handshake(now_s)
        elif self._unacknowledged and now_s - self._resent_s >= RETRY_S and self.uid not in self.quarantined_uids:
            self._resent_s = now_s
            for _, envelope, _ in self._unacknowledged:
                self._send(CONTROL, envelope)
        if self._unacknowledged and now_s - self._unacknowledged[0][2] > GIVE_UP_SYSTEM_S:
            self.quarantine("a system message was not acknowledged for hours")

    def ask_handshake(self, now_s: float) -> None:
        if self._asked_s is not None and now_s - self._asked_s < RETRY_S:
            return
        self._asked_s = now_s
        body = encode(HandshakeRequest(self.own, WireAddress.of(self.remote)))
        for stream in (CONTROL, ORDINARY):
            self._send(stream, self._control(control.HANDSHAKE_REQUEST, body))

    # -- in

    def handshake_done(self, uid: int) -> None:
        """Handle the other system's identity. A new uid is a new incarnation: the state of the last one is dropped."""
        if uid == self.uid:
            return
        if self.uid is not None:
            self.quarantined_uids.add(self.uid)
            self._expected.pop(self.uid, None)
            self._restart_sequence()
            self.tables = OutboundTables()
        self.uid = uid
        if uid in self.quarantined_uids:
            return
        for _, envelope, _ in self._unacknowledged:
            self._send(CONTROL, envelope)
        waiting, self._queue = self._queue, deque()
        for one in waiting:
            if not self._send(one.stream, one.envelope):
                one.dropped(f"the queue to {self.remote} is full")

    def accepts(self, uid: int) -> bool:
        """Whether messages of this uid are accepted; a quarantined system is notified."""
        if uid not in self.quarantined_uids:
            return True
        other = UniqueAddress(WireAddress.of(self.remote), uid)
        self.tell_control(control.QUARANTINED, encode(Quarantined(self.own, other)))
        return False

    def system_message(self, message: SystemMessageEnvelope) -> bool:
        """Acknowledge a received message. True if it is the next one and must be delivered."""
        uid = message.reply_to.uid
        expected = self._expected.get(uid, 1)
        if message.sequence == expected:
            self._expected[uid] = expected + 1
            self.tell_control(control.SYSTEM_MESSAGE_ACK, encode(SystemMessageAck(expected, self.own)))
            return True
        manifest = control.SYSTEM_MESSAGE_ACK if message.sequence < expected else control.SYSTEM_MESSAGE_NACK
        self.tell_control(manifest, encode(SystemMessageAck(expected - 1, self.own)))
        return False

    def acknowledged(self, ack: SystemMessageAck, *, resend: bool) -> None:
        """All up to a number were received; with `resend` the later ones are sent again at once."""
        if ack.from_.uid != self.uid:
            return
        while self._unacknowledged and self._unacknowledged[0][0] <= ack.sequence:
            self._unacknowledged.popleft()
        if resend:
            for _, envelope, _ in self._unacknowledged:
                self._send(CONTROL, envelope)

    def answer_handshake(self) -> None:
        self.tell_control(control.HANDSHAKE_RESPONSE, encode(MessageWithAddress(self.own)))

    # -- quarantine

    def quarantine(self, reason: str) -> None:
        """Quarantine this incarnation of the other system."""
        if self.uid is None or self.uid in self.quarantined_uids:
            return
        self.quarantined_uids.add(self.uid)
        self._restart_sequence()
        waiting, self._queue = self._queue, deque()
        for envelope in waiting:
            envelope.dropped(f"{self.remote} is quarantined")
        other = UniqueAddress(WireAddress.of(self.remote), self.uid)
        self.tell_control(control.QUARANTINED, encode(Quarantined(self.own, other)))
        self._tell_quarantined(self, reason)

    def _restart_sequence(self) -> None:
        self._unacknowledged.clear()
        self._next_sequence = 1

    def _control(self, manifest: str, body: bytes, recipient: str = "", sender: str = "") -> Envelope:
        return Envelope(self.own.uid, control.SERIALIZER, sender, recipient, manifest, body)

    @property
    def waiting(self) -> dict[str, Any]:
        """Counts, for metrics."""
        return {"queued": len(self._queue), "unacknowledged": len(self._unacknowledged)}
