"""`ProducerController`: beside a producer; sends its messages to a consumer's controller, at least once and in order.

    controller = context.spawn(ProducerController.of("orders"))
    controller.tell(Start(producer))                     # the producer gets RequestNext, and answers with one message
    controller.tell(RegisterConsumer(consumer_controller))

With `durable_queue_id` messages are stored in the journal before they are sent, and what was not confirmed when the
process ended is sent by the next controller of that id.
"""

from __future__ import annotations

from typing import Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.persistence.delivery import durable_queue as queue
from smackbox.akka.persistence.delivery.messages import (
    Ack,
    MessageWithConfirmation,
    RegisterConsumer,
    Request,
    RequestNext,
    Resend,
    SequencedMessage,
    Start,
)
from smackbox.akka.persistence.delivery.producer_core import Numbered, ProducerCore
from smackbox.akka.persistence.extension import Persistence

RESEND_FIRST_S = 1.0
REQUEST_TIMEOUT_S = 3.0
RETRY_ATTEMPTS = 10
"""Pekko's `resend-first-interval`, `durable-queue.request-timeout` and `retry-attempts`."""


@record
class _Next:
    message: Any


@record
class _ResendFirst:
    """The timer of the first message."""


@record
class _Retry:
    """The durable queue has not answered."""

    attempt: int


@record
class _Stored:
    seq_nr: int


@record
class _Loaded:
    state: queue.QueueState


class ProducerController(Actor[Any]):
    """Stops with its producer."""

    def __init__(self, producer_id: str, durable_queue_id: str | None) -> None:
        self._id = producer_id
        self._core: ProducerCore | None = None
        self._producer: ActorRef[Any] | None = None
        self._consumer: ActorRef[Any] | None = None
        self._requested = False
        self._replies: dict[int, ActorRef[int]] = {}
        self._storing: queue.MessageSent | None = None
        self._next = self.context.message_adapter(_Next)
        self._queue: ActorRef[Any] | None = None
        if durable_queue_id is None:
            self._core = ProducerCore()
        else:
            self._queue = self.context.spawn(queue.durable_queue(durable_queue_id), "durable")
            self.context.watch(self._queue)

    @classmethod
    def of(cls, producer_id: str, *, durable_queue_id: str | None = None) -> Props[Any]:
        """What `spawn` takes. A durable queue needs `wire.register(persistence.serialization)` before."""
        return Props(cls, (producer_id, durable_queue_id))

    def pre_start(self) -> None:
        if self._queue is not None:
            self._ask_queue(1)

    def on_signal(self, signal: Signal) -> Any:
        return UNHANDLED  # the durable queue ended for good, or the producer: so does this

    def receive(self, message: Any) -> Any:
        try:
            return self._receive(message)
        except Exception:
            # a restart would begin again at number 1, and the consumer would take that for a repetition
            self.context.log.exception("the controller of producer %s failed, and stops", self._id)
            self.context.stop()
            return None

    def _receive(self, message: Any) -> Any:
        match message:
            case Start(producer):
                self._start(producer)
            case RegisterConsumer(consumer):
                self._register(consumer)
            case _Next(given):
                self._take(given)
            case Request(confirmed, up_to, via_timeout):
                self._request(confirmed, up_to, via_timeout)
            case Ack(confirmed):
                self._confirm(confirmed)
            case Resend(from_seq_nr):
                self._send_all(self._active.resend(from_seq_nr))
            case _ResendFirst():
                self._resend_first()
            case _Loaded(state):
                self._load(state)
            case _Stored(seq_nr):
                self._send_stored(seq_nr)
            case _Retry(attempt):
                self._ask_queue(attempt + 1)
            case _Gone():
                self.context.stop()
            case _:
                return UNHANDLED
        return None

    # -- from the producer

    def _start(self, producer: ActorRef[Any]) -> None:
        """A producer, or the one that replaces it, which is asked for the next message again."""
        if self._producer is not None:
            self.context.unwatch(self._producer)
        self.context.watch_with(producer, _GONE)
        self._producer = producer
        self._requested = False
        self._ask_next()

    @property
    def _active(self) -> ProducerCore:
        if self._core is None:
            raise AssertionError("the durable queue is not loaded, and nobody was asked for a message")
        return self._core

    def _ask_next(self) -> None:
        core, producer = self._core, self._producer
        if core is None or producer is None or self._requested or self._consumer is None or self._storing is not None:
            return
        if core.may_send:
            self._requested = True
            producer.tell(RequestNext(self._id, core.current_seq_nr, core.confirmed_seq_nr, self._next))

    def _take(self, given: Any) -> None:
        if not self._requested:
            raise RuntimeError(f"the producer {self._id} sent a message that it was not asked for")
        self._requested = False
        core = self._active
        message, ack = given, False
        if isinstance(given, MessageWithConfirmation):
            message, ack = given.message, True
            self._replies[core.current_seq_nr] = given.reply_to
        if self._queue is None:
            self._send_all([core.send(message, ack=ack)])
            self._ask_next()
            return
        self._storing = queue.MessageSent(core.current_seq_nr, message, ack, timestamp_ms=self._wall_ms())
        self._ask_queue(1)

    # -- the durable queue

    def _wall_ms(self) -> int:
        return Persistence.of(self.context.system).wall_ms()

    def _ask_queue(self, attempt: int) -> None:
        if attempt > RETRY_ATTEMPTS:
            raise TimeoutError(f"the durable queue of {self._id} did not answer {RETRY_ATTEMPTS} times")
        assert self._queue is not None
        adapter = self.context.message_adapter
        if self._core is None:
            self._queue.tell(queue.LoadState(adapter(_Loaded)))
        elif self._storing is not None:
            self._queue.tell(queue.StoreSent(self._storing, adapter(_Stored)))
        self.context.timers.start_single("queue", _Retry(attempt), REQUEST_TIMEOUT_S)

    def _load(self, state: queue.QueueState) -> None:
        if self._core is not None:
            return
        self.context.timers.cancel("queue")
        kept = [
            Numbered(sent.seq_nr, sent.message, place == 0, sent.ack) for place, sent in enumerate(state.unconfirmed)
        ]
        self._core = ProducerCore(state.current_seq_nr, state.confirmed_seq_nr, tuple(kept))
        self._resend_first()
        self._ask_next()

    def _send_stored(self, seq_nr: int) -> None:
        sent, self._storing = self._storing, None
        if sent is None or sent.seq_nr != seq_nr:
            self._storing = sent
            return
        self.context.timers.cancel("queue")
        self._send_all([self._active.send(sent.message, ack=sent.ack)])
        reply_to = self._replies.pop(seq_nr, None)
        if reply_to is not None:
            reply_to.tell(seq_nr)
        self._ask_next()

    # -- to and from the consumer

    def _register(self, consumer: ActorRef[Any]) -> None:
        changed = consumer != self._consumer
        self._consumer = consumer
        if self._core is not None and changed:
            self._send_all(self._core.change_consumer())
        self._ask_next()

    def _request(self, confirmed: int, up_to: int, via_timeout: bool) -> None:
        before = self._active.confirmed_seq_nr
        again = self._active.request(confirmed, up_to, via_timeout=via_timeout)
        if self._active.confirmed_seq_nr > before:
            self._note_confirmed()
        self._send_all(again)
        self._ask_next()

    def _confirm(self, confirmed: int) -> None:
        if self._active.confirm(confirmed):
            self._note_confirmed()

    def _note_confirmed(self) -> None:
        confirmed = self._active.confirmed_seq_nr
        for seq_nr in [number for number in self._replies if number <= confirmed]:
            self._replies.pop(seq_nr).tell(seq_nr)
        if self._queue is not None:
            self._queue.tell(queue.StoreConfirmed(queue.MessageConfirmed(confirmed, "", self._wall_ms())))

    def _resend_first(self) -> None:
        self._send_all(self._active.resend_first())

    def _send_all(self, messages: list[Numbered]) -> None:
        if self._consumer is None:
            return
        for message in messages:
            self._consumer.tell(
                SequencedMessage(
                    self._id, message.seq_nr, message.message, message.first, message.ack, self.context.ref
                )
            )
        if self._active.first_is_unconfirmed:
            if not self.context.timers.is_active("first"):
                self.context.timers.start_with_fixed_delay("first", _ResendFirst(), RESEND_FIRST_S)
        else:
            self.context.timers.cancel("first")


@record
class _Gone:
    """The producer has terminated."""


_GONE = _Gone()
