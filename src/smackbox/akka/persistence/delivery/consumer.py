"""`ConsumerController`: beside a consumer; gives it messages in order, each after the one before is confirmed.

    controller = context.spawn(ConsumerController.of())
    controller.tell(Start(consumer))                     # the consumer gets Delivery, and tells confirm_to CONFIRMED

A consumer that fails before it has confirmed gets the message again: handling must be idempotent.
"""

from __future__ import annotations

from typing import Any, cast

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.receptionist import ServiceKey
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.persistence.delivery.consumer_core import (
    WINDOW,
    Acknowledge,
    AskAgain,
    AskMore,
    ConsumerCore,
    Deliver,
    Told,
)
from smackbox.akka.persistence.delivery.messages import (
    Ack,
    Confirmed,
    Delivery,
    RegisterConsumer,
    RegisterToProducerController,
    Request,
    Resend,
    SequencedMessage,
    Start,
)
from smackbox.akka.persistence.delivery.producer_core import Numbered

RESEND_MIN_S = 2.0
RESEND_MAX_S = 30.0
GROWTH = 1.5
"""Pekko's `resend-interval-min` and `-max`."""


@record
class _Retry:
    """Nothing came for a while."""


@record
class _Gone:
    """The consumer has terminated."""


_GONE = _Gone()


class ConsumerController(Actor[Any]):
    """Stops with its consumer."""

    def __init__(self, window: int, service_key: ServiceKey[Any] | None = None) -> None:
        self._service_key = service_key
        self._core = ConsumerCore(window)
        self._window = window
        self._consumer: ActorRef[Any] | None = None
        self._registering: ActorRef[Any] | None = None
        self._delivered: Delivery | None = None
        self._early: list[SequencedMessage] = []
        self._interval_s = RESEND_MIN_S

    @classmethod
    def of(cls, *, window: int = WINDOW, service_key: ServiceKey[Any] | None = None) -> Props[Any]:
        """What `spawn` takes. `window` is how many messages may be on their way. With a key it registers itself with
        the receptionist, as a worker for `WorkPullingController`.
        """
        return Props(cls, (window, service_key))

    def pre_start(self) -> None:
        if self._service_key is not None:
            self.context.system.receptionist.register(self._service_key, self.context.ref)
        self._wait(RESEND_MIN_S)

    def receive(self, message: Any) -> Any:
        match message:
            case SequencedMessage():
                self._receive(message)
            case Confirmed():
                self._delivered = None
                self._tell(self._core.confirmed())
            case Start(consumer):
                self._start(consumer)
            case RegisterToProducerController(producer):
                self._registering = producer
                producer.tell(RegisterConsumer(self.context.ref))
            case _Retry():
                self._retry()
            case _Gone():
                self.context.stop()
            case _:
                return UNHANDLED
        return None

    def _start(self, consumer: ActorRef[Any]) -> None:
        """A consumer, or the one that replaces it, which gets the unconfirmed message again."""
        if self._consumer is not None:
            self.context.unwatch(self._consumer)
        self.context.watch_with(consumer, _GONE)
        self._consumer = consumer
        if self._delivered is not None:
            consumer.tell(self._delivered)
        early, self._early = self._early, []
        for message in early:
            self._receive(message)

    def _receive(self, message: SequencedMessage) -> None:
        if self._consumer is None:
            if len(self._early) < self._window:
                self._early.append(message)
            return
        if self._registering is not None:
            if message.producer_controller != self._registering:
                return
            self._registering = None
        self._wait(RESEND_MIN_S)
        numbered = Numbered(message.seq_nr, message.message, message.first, message.ack)
        self._tell(self._core.receive((message.producer_controller, message.producer_id), numbered))

    def _tell(self, told: list[Told]) -> None:
        for message in told:
            producer, producer_id = cast("tuple[ActorRef[Any], str]", self._core.producer)
            if isinstance(message, Deliver):
                assert self._consumer is not None
                numbered = message.numbered
                self._delivered = Delivery(numbered.message, self.context.ref, producer_id, numbered.seq_nr)
                self._consumer.tell(self._delivered)
            else:
                producer.tell(_wire(message), self.context.ref)

    def _retry(self) -> None:
        self._wait(min(RESEND_MAX_S, self._interval_s * GROWTH))
        if self._registering is not None:
            self._registering.tell(RegisterConsumer(self.context.ref))
        elif self._consumer is not None:
            self._tell(self._core.retry())

    def _wait(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self.context.timers.start_single("retry", _Retry(), interval_s)


def _wire(told: AskMore | AskAgain | Acknowledge) -> Any:
    if isinstance(told, AskMore):
        return Request(told.confirmed_seq_nr, told.up_to_seq_nr, told.via_timeout)
    return Resend(told.from_seq_nr) if isinstance(told, AskAgain) else Ack(told.confirmed_seq_nr)
