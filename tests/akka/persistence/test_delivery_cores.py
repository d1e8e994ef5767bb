"""Reliable delivery: the two plain cores, over a wire that loses things."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smackbox.akka.persistence.delivery.consumer_core import Acknowledge, AskAgain, AskMore, ConsumerCore, Deliver
from smackbox.akka.persistence.delivery.producer_core import Numbered, ProducerCore


class Wire:
    """Both sides, and what is between them: what is sent may be lost, and timers fire when nothing else happens."""

    def __init__(self, total: int, window: int, chance: random.Random, loss: float) -> None:
        self.producer, self.consumer = ProducerCore(), ConsumerCore(window)
        self.total, self.window, self.chance, self.loss = total, window, chance, loss
        self.to_consumer: deque[Numbered] = deque()
        self.to_producer: deque[Any] = deque()
        self.delivered: list[int] = []
        self.outstanding = False
        self.most_unconfirmed = 0

    def run(self) -> None:
        for _ in range(200 * self.total + 2_000):
            if self.consumer.confirmed_seq_nr == self.total:
                return
            self.step()
        raise AssertionError(f"stuck after {self.delivered[-3:]} of {self.total}")

    def step(self) -> None:
        if self.producer.may_send and self.producer.current_seq_nr <= self.total:
            self.send([self.producer.send(self.producer.current_seq_nr)])
            unconfirmed = self.producer.current_seq_nr - 1 - self.consumer.confirmed_seq_nr
            self.most_unconfirmed = max(self.most_unconfirmed, unconfirmed)
        elif self.to_consumer:
            self.tell(self.consumer.receive("producer", self.to_consumer.popleft()))
        elif self.to_producer:
            self.answer(self.to_producer.popleft())
        elif self.outstanding:
            self.outstanding = False
            self.tell(self.consumer.confirmed())
        else:
            self.send(self.producer.resend_first())
            self.tell(self.consumer.retry())

    def send(self, messages: list[Numbered]) -> None:
        self.to_consumer.extend(one for one in messages if self.chance.random() >= self.loss)

    def tell(self, told: list[Any]) -> None:
        for one in told:
            if isinstance(one, Deliver):
                assert not self.outstanding, "one delivery at a time"
                self.outstanding = True
                self.delivered.append(one.numbered.message)
            elif self.chance.random() >= self.loss:
                self.to_producer.append(one)

    def answer(self, told: Any) -> None:
        if isinstance(told, AskMore):
            again = self.producer.request(told.confirmed_seq_nr, told.up_to_seq_nr, via_timeout=told.via_timeout)
            self.send(again)
        elif isinstance(told, AskAgain):
            self.send(self.producer.resend(told.from_seq_nr))
        else:
            self.producer.confirm(told.confirmed_seq_nr)


@given(st.integers(1, 120), st.integers(2, 60), st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.4]))
def test_everything_arrives_once_in_order_whatever_is_lost(total: int, window: int, seed: int, loss: float) -> None:
    wire = Wire(total, window, random.Random(seed), loss)
    wire.run()
    assert wire.delivered == list(range(1, total + 1))
    assert wire.most_unconfirmed <= window


def test_the_consumer_asks_for_half_a_window_at_a_time() -> None:
    consumer = ConsumerCore(10)
    assert consumer.receive("p", Numbered(1, "m", first=True)) == [AskMore(0, 10), Deliver(Numbered(1, "m", True))]
    assert consumer.confirmed() == [AskMore(1, 10)]
    asked = []
    for number in range(2, 11):
        consumer.receive("p", Numbered(number, "m"))
        asked.append(consumer.confirmed())
    assert asked == [[], [], [], [AskMore(5, 15)], [], [], [], [], [AskMore(10, 20)]]
    consumer.receive("p", Numbered(11, "m", ack=True))
    assert consumer.confirmed() == [Acknowledge(11)]


def test_a_gap_is_asked_for_once() -> None:
    consumer = ConsumerCore(10)
    consumer.receive("p", Numbered(1, "m", first=True))
    consumer.confirmed()
    assert consumer.receive("p", Numbered(3, "m")) == [AskAgain(2)]
    assert consumer.receive("p", Numbered(4, "m")) == []
    assert consumer.retry() == [AskAgain(2)]
    assert consumer.receive("p", Numbered(2, "m")) == [Deliver(Numbered(2, "m"))]


def test_a_producer_that_begins_again_is_another_one() -> None:
    consumer = ConsumerCore(10)
    consumer.receive("p", Numbered(1, "m", first=True))
    consumer.confirmed()
    assert consumer.receive("q", Numbered(8, "m")) == []
    assert consumer.receive("q", Numbered(7, "m", first=True)) == [AskMore(0, 16), Deliver(Numbered(7, "m", True))]
    unknown = ConsumerCore(10)
    assert unknown.receive("q", Numbered(8, "m")) == [AskAgain(0)]


def test_what_waits_for_a_confirmation_is_bounded() -> None:
    consumer = ConsumerCore(3)
    consumer.receive("p", Numbered(1, "m", first=True))
    for number in range(2, 20):
        consumer.receive("p", Numbered(number, "m"))
    delivered = [1]
    while told := [one for one in consumer.confirmed() if isinstance(one, Deliver)]:
        delivered += [one.numbered.seq_nr for one in told]
    assert delivered == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="window"):
        ConsumerCore(1)


def test_a_new_consumer_gets_the_oldest_unconfirmed_message_first() -> None:
    producer = ProducerCore()
    producer.send("a")
    producer.request(1, 50, via_timeout=False)
    for message in "bcd":
        producer.send(message)
    producer.confirm(2)
    assert producer.change_consumer() == [Numbered(3, "c", first=True)]
    assert producer.request(3, 52, via_timeout=False) == [Numbered(4, "d")]
