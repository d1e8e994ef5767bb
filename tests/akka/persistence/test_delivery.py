"""Reliable delivery: controllers, restarts, the durable queue, work pulling."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from smackbox.akka import Actor, ActorRef, Props, ServiceKey
from smackbox.akka.persistence.delivery import durable_queue as queue
from smackbox.akka.persistence.delivery import wire
from smackbox.akka.persistence.delivery.consumer import ConsumerController
from smackbox.akka.persistence.delivery.messages import (
    CONFIRMED,
    Delivery,
    MessageWithConfirmation,
    RegisterConsumer,
    RegisterToProducerController,
    RequestNext,
    SequencedMessage,
    Start,
)
from smackbox.akka.persistence.delivery.producer import ProducerController
from smackbox.akka.persistence.delivery.work_pulling import WorkPullingController
from tests.akka.persistence.bank import Bank


class Producer(Actor[Any]):
    """Sends what it is told when it is asked."""

    def __init__(self, requests: list[RequestNext]) -> None:
        self._requests = requests
        self._waiting: deque[Any] = deque()
        self._next: RequestNext | None = None

    def receive(self, message: Any) -> None:
        if isinstance(message, RequestNext):
            self._requests.append(message)
            self._next = message
        else:
            self._waiting.append(message)
        if self._next is not None and self._waiting:
            asked, self._next = self._next, None
            asked.send_next_to.tell(self._waiting.popleft())


class Consumer(Actor[Any]):
    """Confirms at once, except what is in `held`, and fails on "fail"."""

    def __init__(self, got: list[Any], held: set[Any]) -> None:
        self._got = got
        self._held = held

    def receive(self, message: Delivery) -> None:
        self._got.append(message.message)
        if message.message not in self._held:
            message.confirm_to.tell(CONFIRMED)


class Lab(Bank):
    def __init__(self) -> None:
        super().__init__()
        wire.register(self.persistence.serialization)
        self.requests: list[RequestNext] = []
        self.got: list[Any] = []
        self.held: set[Any] = set()

    def producer(self, durable: str | None = None) -> tuple[ActorRef[Any], ActorRef[Any]]:
        controller = self.kit.spawn(ProducerController.of("p", durable_queue_id=durable))
        producer = self.kit.spawn(Props.of(Producer, self.requests))
        controller.tell(Start(producer))
        return producer, controller

    def consumer(self) -> tuple[ActorRef[Any], ActorRef[Any]]:
        controller = self.kit.spawn(ConsumerController.of())
        consumer = self.kit.spawn(Props.of(Consumer, self.got, self.held))
        controller.tell(Start(consumer))
        return consumer, controller

    def send(self, producer: ActorRef[Any], *messages: Any) -> None:
        for message in messages:
            producer.tell(message)
        self.kit.settle()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def test_messages_go_from_producer_to_consumer(lab: Lab) -> None:
    producer, controller = lab.producer()
    _, consumer_controller = lab.consumer()
    lab.send(producer, *range(200))
    assert lab.got == []
    consumer_controller.tell(RegisterToProducerController(controller))
    lab.kit.settle()
    assert lab.got == list(range(200))
    assert lab.requests[-1].current_seq_nr == 201


def test_a_slow_consumer_holds_the_producer_back(lab: Lab) -> None:
    lab.held = {3}
    producer, controller = lab.producer()
    controller.tell(RegisterConsumer(lab.consumer()[1]))
    lab.send(producer, *range(500))
    assert lab.got == [0, 1, 2, 3]
    assert lab.requests[-1].current_seq_nr <= 51


def test_a_consumer_that_comes_late_gets_the_first_message_again(lab: Lab) -> None:
    producer, controller = lab.producer()
    consumer_controller = lab.kit.spawn(ConsumerController.of())
    controller.tell(RegisterConsumer(consumer_controller))
    lab.send(producer, "a", "b")
    lab.kit.advance(3.5)
    consumer_controller.tell(Start(lab.kit.spawn(Props.of(Consumer, lab.got, lab.held))))
    lab.kit.settle()
    assert lab.got == ["a", "b"]


def test_a_consumer_that_is_replaced_gets_the_unconfirmed_message_again(lab: Lab) -> None:
    lab.held = {"b"}
    producer, controller = lab.producer()
    consumer, consumer_controller = lab.consumer()
    controller.tell(RegisterConsumer(consumer_controller))
    lab.send(producer, "a", "b", "c")
    assert lab.got == ["a", "b"]
    lab.held.clear()
    consumer_controller.tell(Start(lab.kit.spawn(Props.of(Consumer, lab.got, lab.held))))
    lab.kit.settle()
    assert lab.got == ["a", "b", "b", "c"]
    lab.kit.stop(consumer)
    lab.send(producer, "d")
    assert lab.got[-1] == "d"


def test_a_controller_stops_with_its_consumer_and_another_one_takes_over(lab: Lab) -> None:
    lab.held = {"b"}
    producer, controller = lab.producer()
    consumer, consumer_controller = lab.consumer()
    controller.tell(RegisterConsumer(consumer_controller))
    lab.send(producer, "a", "b", "c")
    probe = lab.kit.probe()
    probe.watch(consumer_controller)
    lab.kit.system.stop(consumer)
    probe.expect_terminated(consumer_controller)
    lab.held.clear()
    lab.consumer()[1].tell(RegisterToProducerController(controller))
    lab.kit.settle()
    assert lab.got == ["a", "b", "b", "c"]


def test_a_lost_message_is_asked_for(lab: Lab) -> None:
    _, controller = lab.producer()
    consumer_controller = lab.consumer()[1]
    forged = [SequencedMessage("p", number, number, number == 1, False, controller) for number in (1, 2, 3)]
    consumer_controller.tell(forged[0])
    consumer_controller.tell(forged[2])
    lab.kit.settle()
    assert lab.got == [1]
    consumer_controller.tell(forged[1])
    consumer_controller.tell(forged[2])
    lab.kit.settle()
    assert lab.got == [1, 2, 3]


def test_a_confirmation_for_the_sender(lab: Lab) -> None:
    lab.held = {"b"}
    producer, controller = lab.producer()
    controller.tell(RegisterConsumer(lab.consumer()[1]))
    probe = lab.kit.probe()
    for message in "ab":
        lab.send(producer, MessageWithConfirmation(message, probe.ref))
    probe.expect_message(1)
    probe.expect_no_message(0.5)


def test_a_message_that_nobody_asked_for_stops_the_controller(lab: Lab) -> None:
    producer, controller = lab.producer()
    controller.tell(RegisterConsumer(lab.consumer()[1]))
    lab.send(producer, "a")
    probe = lab.kit.probe()
    probe.watch(controller)
    last = lab.requests[-1].send_next_to
    last.tell("b")
    last.tell("c")
    with lab.kit.expect_log("failed, and stops"):
        lab.kit.settle()
        lab.requests.clear()
        for _ in range(60):
            last.tell("too many")
        lab.kit.settle()
    probe.expect_terminated(controller)


def test_a_durable_queue_outlives_the_producer(lab: Lab) -> None:
    lab.held = {"b"}
    producer, controller = lab.producer("queue|p")
    controller.tell(RegisterConsumer(lab.consumer()[1]))
    lab.send(producer, "a", "b", "c", "d")
    assert lab.got == ["a", "b"]
    lab.kit.stop(controller)
    lab.held.clear()
    lab.got.clear()
    producer, controller = lab.producer("queue|p")
    lab.send(producer, "e")
    lab.consumer()[1].tell(RegisterToProducerController(controller))
    lab.kit.advance(5)
    assert lab.got == ["b", "c", "d", "e"]
    lab.kit.stop(controller)
    lab.got.clear()
    producer, controller = lab.producer("queue|p")
    lab.consumer()[1].tell(RegisterToProducerController(controller))
    lab.kit.advance(5)
    assert lab.got == []
    lab.send(producer, "f")
    lab.kit.advance(2)
    assert lab.got == ["f"]
    assert [request.current_seq_nr for request in lab.requests if request.current_seq_nr > 5] == [6, 6, 7]


def test_a_message_is_stored_before_it_is_sent(lab: Lab) -> None:
    producer, controller = lab.producer("queue|p")
    controller.tell(RegisterConsumer(lab.consumer()[1]))
    lab.kit.settle()
    lab.journal.hold()
    probe = lab.kit.probe()
    lab.send(producer, MessageWithConfirmation("a", probe.ref))
    probe.expect_no_message(0.5)
    assert lab.got == []
    lab.journal.resume()
    probe.expect_message(1)
    assert lab.got == ["a"]


def test_a_failed_write_of_the_queue_is_tried_again(lab: Lab) -> None:
    producer, controller = lab.producer("queue|p")
    controller.tell(RegisterConsumer(lab.consumer()[1]))
    lab.kit.settle()
    lab.journal.faults.writes = 1
    lab.send(producer, "a", "b")
    assert lab.got == []
    lab.kit.advance(4)
    assert lab.got == ["a", "b"]


def test_the_queue_keeps_what_is_not_confirmed(lab: Lab) -> None:
    ref = lab.kit.spawn(queue.durable_queue("queue|x"))
    probe = lab.kit.probe()
    for number in (1, 2, 3):
        ref.tell(queue.StoreSent(queue.MessageSent(number, "m"), probe.ref))
        probe.expect_message(number)
    ref.tell(queue.StoreSent(queue.MessageSent(3, "m"), probe.ref))
    probe.expect_message(3)
    ref.tell(queue.StoreSent(queue.MessageSent(9, "m"), probe.ref))
    probe.expect_no_message()
    ref.tell(queue.StoreConfirmed(queue.MessageConfirmed(2)))
    ref.tell(queue.StoreConfirmed(queue.MessageConfirmed(1)))
    ref = lab.restart(ref, queue.durable_queue("queue|x"))
    ref.tell(queue.LoadState(probe.ref))
    probe.expect_message(queue.QueueState(4, 2, (queue.MessageSent(3, "m"),), (queue.MessageConfirmed(2),)))


# -- work pulling


class Pool:
    """Workers that keep what they are given; those in `held` confirm nothing."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.key: ServiceKey[Any] = ServiceKey("work")
        self.done: dict[str, list[Any]] = {}
        self.controller = lab.kit.spawn(WorkPullingController.of("jobs", self.key))
        self.producer = lab.kit.spawn(Props.of(Producer, lab.requests))
        self.controller.tell(Start(self.producer))

    def worker(self, name: str, held: set[Any] | None = None) -> ActorRef[Any]:
        controller = self.lab.kit.spawn(ConsumerController.of(window=4, service_key=self.key))
        ref = self.lab.kit.spawn(Props.of(Consumer, self.done.setdefault(name, []), held or set()))
        controller.tell(Start(ref))
        self.lab.kit.settle()
        return ref

    @property
    def all_done(self) -> list[Any]:
        return sorted(one for done in self.done.values() for one in done)


def test_work_is_pulled_by_those_that_have_room(lab: Lab) -> None:
    pool = Pool(lab)
    lab.send(pool.producer, *range(5))
    assert lab.requests == []
    pool.worker("slow", {0, 1, 2, 3, 4})
    for name in ("b", "c"):
        pool.worker(name)
    lab.send(pool.producer, *range(5, 60))
    assert len(pool.done["slow"]) == 1
    assert len(pool.done["b"]) > 10 and len(pool.done["c"]) > 10
    assert sorted({*pool.all_done}) == pool.all_done and len(pool.all_done) >= 55


def test_what_a_worker_has_not_confirmed_goes_to_another(lab: Lab) -> None:
    pool = Pool(lab)
    slow = pool.worker("slow", set(range(100)))
    lab.send(pool.producer, *range(6))
    assert pool.done["slow"] == [0]
    pool.worker("other")
    lab.kit.system.stop(slow)
    lab.kit.settle()
    assert sorted(pool.done["other"]) == list(range(6))


def test_a_confirmation_of_work_comes_from_the_worker(lab: Lab) -> None:
    pool = Pool(lab)
    probe = lab.kit.probe()
    slow = pool.worker("slow", {"a"})
    lab.send(pool.producer, MessageWithConfirmation("a", probe.ref))
    probe.expect_no_message(0.5)
    lab.kit.system.stop(slow)
    pool.worker("other")
    probe.receive_message()
    assert pool.done == {"slow": ["a"], "other": ["a"]}


def test_it_stops_with_its_producer(lab: Lab) -> None:
    pool = Pool(lab)
    probe = lab.kit.probe()
    probe.watch(pool.controller)
    lab.kit.system.stop(pool.producer)
    probe.expect_terminated(pool.controller)
