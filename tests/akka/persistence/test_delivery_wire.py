"""Reliable delivery over Artery, and serializer 36: literal bytes, round trips, two systems on a network."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from smackbox.akka import ActorSystem, Props
from smackbox.akka.persistence.delivery import wire
from smackbox.akka.persistence.delivery.consumer import ConsumerController
from smackbox.akka.persistence.delivery.durable_queue import CleanedUp, MessageConfirmed, MessageSent, QueueState
from smackbox.akka.persistence.delivery.messages import (
    Ack,
    RegisterConsumer,
    RegisterToProducerController,
    Request,
    Resend,
    SequencedMessage,
    Start,
)
from smackbox.akka.persistence.delivery.producer import ProducerController
from smackbox.akka.remote.remoting import Remoting
from smackbox.akka.remote.serialization import Serialization, SerializationError
from tests.akka.persistence.test_delivery import Consumer, Producer

LIMIT_S = 30.0


class _Ref:
    def __init__(self, path: str) -> None:
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ref) and other.path == self.path

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def serialization() -> Serialization:
    found = Serialization(_Ref, lambda ref: ref.path)  # type: ignore[arg-type, return-value]
    wire.register(found)
    return found


def test_literal_bytes(serialization: Serialization) -> None:
    cases: list[tuple[Any, str, str]] = [
        (Ack(5), "b", "0805"),
        (Request(1, 50, via_timeout=True), "c", "0801103218012001"),
        (Resend(300), "d", "08ac02"),
        (RegisterConsumer(_Ref("c")), "e", "0a0163"),  # type: ignore[arg-type]
        (SequencedMessage("p", 2, "hi", True, False, _Ref("x")), "a", "0a01701002180120002a017832060a0268691014"),  # type: ignore[arg-type]
        (MessageSent(3, "hi", True, "", 7), "f", "08031200180120072a060a0268691014"),
        (MessageConfirmed(3, "q", 7), "g", "08031201711807"),
    ]
    for value, manifest, literal in cases:
        data = bytes.fromhex(literal)
        assert serialization.write(value) == (36, manifest, data)
        assert serialization.read(36, manifest, data) == value
    assert serialization.read(36, "i", b"\x0a\x01q") == CleanedUp()


def test_round_trips_and_broken_bytes(serialization: Serialization) -> None:
    state = QueueState(5, 2, (MessageSent(3, "a"), MessageSent(4, b"b", True, "q", 9)), (MessageConfirmed(2, "", 8),))
    assert serialization.read(*serialization.write(state)) == state
    for manifest in "abcdefgh":
        with pytest.raises(SerializationError):
            serialization.read(36, manifest, b"\xff\xff")


def test_a_producer_and_a_consumer_in_two_systems() -> None:
    async def main() -> None:
        got: list[Any] = []
        async with asyncio.timeout(LIMIT_S), AsyncExitStack() as stack:
            sides = []
            for name in ("here", "there"):
                system = await stack.enter_async_context(ActorSystem(name))
                remoting = await Remoting.start(system)
                wire.register(remoting.serialization)
                sides.append((system, remoting))
            (here, near), (there, far) = sides
            controller = here.spawn(ProducerController.of("p"), "producer")
            producer = here.spawn(Props.of(Producer, []))
            controller.tell(Start(producer))
            consumer_controller = there.spawn(ConsumerController.of(window=10), "consumer")
            consumer_controller.tell(Start(there.spawn(Props.of(Consumer, got, set()))))
            remote = far.resolve(near.path_of(controller))
            consumer_controller.tell(RegisterToProducerController(remote))
            for number in range(300):
                producer.tell(number)
            while len(got) < 300:
                await asyncio.sleep(0.005)
        assert got == list(range(300))

    asyncio.run(main())
