"""One association step by step, with time as an argument: handshake, system messages, quarantine, bounds."""

from __future__ import annotations

import random
from typing import Any

from smackbox.akka.actor.path import Address
from smackbox.akka.remote import control
from smackbox.akka.remote.association import QUEUE_LIMIT, Association
from smackbox.akka.remote.control import SystemMessageAck, SystemMessageEnvelope, UniqueAddress, WireAddress
from smackbox.akka.remote.frames import CONTROL, ORDINARY, Envelope
from smackbox.base.protobuf.message import decode, encode

HERE, THERE = Address("pekko", "lab", "127.0.0.1", 1), Address("pekko", "lab", "127.0.0.1", 2)


class Side:
    """An association whose wire is a list."""

    def __init__(self, here: Address = HERE, there: Address = THERE, uid: int = 7) -> None:
        self.sent: list[tuple[int, Envelope]] = []
        self.room = True
        self.given_up: list[str] = []
        self.own = UniqueAddress(WireAddress.of(here), uid)
        self.association = Association(self.own, there, self._send, lambda _, reason: self.given_up.append(reason))

    def _send(self, stream: int, envelope: Envelope) -> bool:
        if self.room:
            self.sent.append((stream, envelope))
        return self.room

    def take(self, manifest: str) -> list[Envelope]:
        """What was sent under a manifest; everything sent is forgotten."""
        found = [envelope for _, envelope in self.sent if envelope.manifest == manifest]
        self.sent.clear()
        return found


def message(number: int) -> Envelope:
    return Envelope(7, 20, "", "/user/x", "", b"%d" % number)


def never(reason: str) -> None:
    raise AssertionError(reason)


def test_messages_wait_for_the_handshake_and_go_in_order() -> None:
    side = Side()
    for number in range(3):
        side.association.tell(ORDINARY, message(number), never, 0.0)
    assert [(stream, envelope.manifest) for stream, envelope in side.sent] == [
        (CONTROL, control.HANDSHAKE_REQUEST),
        (ORDINARY, control.HANDSHAKE_REQUEST),
    ]
    side.sent.clear()
    side.association.tick(0.5)
    assert side.sent == []
    side.association.tick(1.5)
    assert len(side.take(control.HANDSHAKE_REQUEST)) == 2
    side.association.handshake_done(9)
    assert [envelope.payload for _, envelope in side.sent] == [b"0", b"1", b"2"]


def test_what_waits_is_bounded() -> None:
    side = Side()
    dropped: list[str] = []
    for number in range(QUEUE_LIMIT + 2):
        side.association.tell(ORDINARY, message(number), dropped.append, 0.0)
    assert len(dropped) == 2
    side.association.handshake_done(9)
    side.room = False
    side.association.tell(ORDINARY, message(0), dropped.append, 0.0)
    assert "queue" in dropped[2]


def test_system_messages_are_sent_again_until_they_are_acknowledged() -> None:
    side = Side()
    side.association.handshake_done(9)
    for number in range(3):
        assert side.association.tell_system("/user/x", 22, b"%d" % number, 0.0)
    side.take("")
    side.association.tick(1.0)
    sent = [decode(SystemMessageEnvelope, envelope.payload) for envelope in side.take(control.SYSTEM_MESSAGE)]
    assert [(one.sequence, one.message) for one in sent] == [(1, b"0"), (2, b"1"), (3, b"2")]
    other = UniqueAddress(WireAddress.of(THERE), 9)
    side.association.acknowledged(SystemMessageAck(2, other), resend=False)
    side.association.acknowledged(SystemMessageAck(3, UniqueAddress(WireAddress.of(THERE), 8)), resend=False)
    side.association.tick(2.0)
    assert len(side.take(control.SYSTEM_MESSAGE)) == 1
    side.association.acknowledged(SystemMessageAck(3, other), resend=False)
    side.association.tick(3.0)
    assert side.sent == []


def test_system_messages_arrive_in_order_and_once_over_a_wire_that_loses_and_doubles() -> None:
    for seed in range(200):
        dice = random.Random(seed)
        sender, receiver = Side(HERE, THERE, 7), Side(THERE, HERE, 9)
        sender.association.handshake_done(9)
        receiver.association.handshake_done(7)
        arrived: list[bytes] = []
        for number in range(10):
            sender.association.tell_system("/user/x", 22, b"%d" % number, 0.0)
        for second in range(1, 200):
            wire = [envelope for envelope in sender.take(control.SYSTEM_MESSAGE) if dice.random() < 0.6]
            wire += [envelope for envelope in wire if dice.random() < 0.3]
            dice.shuffle(wire)
            for envelope in wire:
                received = decode(SystemMessageEnvelope, envelope.payload)
                if receiver.association.system_message(received):
                    arrived.append(received.message)
            for _, envelope in receiver.sent:
                if dice.random() < 0.6:
                    nack = envelope.manifest == control.SYSTEM_MESSAGE_NACK
                    sender.association.acknowledged(decode(SystemMessageAck, envelope.payload), resend=nack)
            receiver.sent.clear()
            sender.association.tick(float(second))
            if sender.association.waiting["unacknowledged"] == 0:
                break
        assert arrived == [b"%d" % number for number in range(10)], seed


def test_a_quarantined_system_is_neither_heard_nor_told_until_it_is_another_one() -> None:
    side = Side()
    side.association.handshake_done(9)
    side.association.quarantine("it lied")
    assert side.given_up == ["it lied"]
    assert len(side.take(control.QUARANTINED)) == 1
    dropped: list[Any] = []
    side.association.tell(ORDINARY, message(1), dropped.append, 0.0)
    assert dropped == [f"{THERE} is quarantined"]
    assert not side.association.tell_system("/user/x", 22, b"", 0.0)
    assert not side.association.accepts(9)
    assert len(side.take(control.QUARANTINED)) == 1
    side.association.handshake_done(10)
    side.association.tell(ORDINARY, message(2), never, 0.0)
    assert [envelope.payload for _, envelope in side.sent] == [b"2"]
    assert side.association.accepts(10)


def test_another_uid_begins_its_numbers_anew() -> None:
    side = Side()
    side.association.handshake_done(9)
    side.association.tell_system("/user/x", 22, b"old", 0.0)
    side.association.handshake_done(10)
    side.sent.clear()
    side.association.tell_system("/user/x", 22, b"new", 0.0)
    (envelope,) = side.take(control.SYSTEM_MESSAGE)
    assert decode(SystemMessageEnvelope, envelope.payload).sequence == 1
    other = UniqueAddress(WireAddress.of(THERE), 10)
    first = SystemMessageEnvelope(message=b"", serializer=22, sequence=1, reply_to=other)
    assert side.association.system_message(first)
    assert not side.association.system_message(decode(SystemMessageEnvelope, encode(first)))
