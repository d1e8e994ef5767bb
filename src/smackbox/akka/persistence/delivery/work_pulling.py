"""`WorkPullingController`: gives each message of a producer to one of several workers, to one that has room for it.

    key = ServiceKey("resize")
    controller = context.spawn(WorkPullingController.of("images", key))
    controller.tell(Start(producer))                     # it gets RequestNext whenever a worker has room
    worker_controller = context.spawn(ConsumerController.of(service_key=key))

A message is given to a worker at least once; what a worker has not confirmed when it ends goes to another one.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from smackbox.akka.actor.actor import UNHANDLED, Actor
from smackbox.akka.actor.messages import Signal
from smackbox.akka.actor.props import Props
from smackbox.akka.actor.receptionist import Listing, ServiceKey
from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.persistence.delivery.messages import (
    MessageWithConfirmation,
    RegisterConsumer,
    RequestNext,
    Start,
)
from smackbox.akka.persistence.delivery.producer import ProducerController


@record
class _Next:
    message: Any


@record
class _Asks:
    """The controller of a worker has room for one."""

    worker: ActorRef[Any]
    request: RequestNext


@record
class _Handled:
    worker: ActorRef[Any]
    seq_nr: int


@record
class _Gone:
    """The producer has terminated."""


class _Worker:
    """`open` is what it was given and has not confirmed, by its controller's numbers."""

    __slots__ = ("controller", "open", "request")

    def __init__(self, controller: ActorRef[Any]) -> None:
        self.controller = controller
        self.request: RequestNext | None = None
        self.open: dict[int, Any] = {}


class WorkPullingController(Actor[Any]):
    """Stops with its producer."""

    def __init__(self, producer_id: str, key: ServiceKey[Any]) -> None:
        self._id = producer_id
        self._key = key
        self._producer: ActorRef[Any] | None = None
        self._requested = False
        self._workers: dict[ActorRef[Any], _Worker] = {}
        self._again: deque[Any] = deque()
        self._count = 0
        self._next = self.context.message_adapter(_Next)

    @classmethod
    def of(cls, producer_id: str, key: ServiceKey[Any]) -> Props[Any]:
        """What `spawn` takes."""
        return Props(cls, (producer_id, key))

    def pre_start(self) -> None:
        self.context.system.receptionist.subscribe(self._key, self.context.ref)

    def on_signal(self, signal: Signal) -> Any:
        return UNHANDLED

    def receive(self, message: Any) -> Any:
        match message:
            case Start(producer):
                if self._producer is not None:
                    self.context.unwatch(self._producer)
                self.context.watch_with(producer, _Gone())
                self._producer, self._requested = producer, False
            case Listing():
                self._change(message.instances)
            case _Asks(worker, request):
                if worker in self._workers:
                    self._workers[worker].request = request
            case _Handled(worker, seq_nr):
                self._handled(worker, seq_nr)
            case _Next(given):
                self._requested = False
                self._again.append(given)
            case _Gone():
                self.context.stop()
            case _:
                return UNHANDLED
        self._give()
        return None

    def _change(self, instances: frozenset[ActorRef[Any]]) -> None:
        for ref in self._workers.keys() - instances:
            worker = self._workers.pop(ref)
            self.context.stop(worker.controller)
            self._again.extendleft(reversed(worker.open.values()))
        for ref in sorted(instances - self._workers.keys(), key=lambda one: str(one.path)):
            self._count += 1
            controller = self.context.spawn(ProducerController.of(f"{self._id}-{self._count}"))
            self._workers[ref] = _Worker(controller)
            adapter = self.context.message_adapter(_asks(ref))
            controller.tell(Start(adapter))
            controller.tell(RegisterConsumer(ref))

    def _handled(self, ref: ActorRef[Any], seq_nr: int) -> None:
        worker = self._workers.get(ref)
        given = None if worker is None else worker.open.pop(seq_nr, None)
        if isinstance(given, MessageWithConfirmation):
            given.reply_to.tell(seq_nr)

    def _give(self) -> None:
        """Messages to workers with room, those that were asked for first; then ask the producer."""
        ready = deque(ref for ref, worker in self._workers.items() if worker.request is not None)
        while ready and self._again:
            ref = ready.popleft()
            worker = self._workers.pop(ref)
            self._workers[ref] = worker  # to the end: workers take turns
            request, worker.request = worker.request, None
            assert request is not None
            given = self._again.popleft()
            worker.open[request.current_seq_nr] = given
            message = given.message if isinstance(given, MessageWithConfirmation) else given
            adapter = self.context.message_adapter(_handles(ref))
            request.send_next_to.tell(MessageWithConfirmation(message, adapter))
        if ready and self._producer is not None and not self._requested:
            self._requested = True
            self._producer.tell(RequestNext(self._id, 0, 0, self._next))


def _asks(ref: ActorRef[Any]) -> Any:
    return lambda request: _Asks(ref, request)


def _handles(ref: ActorRef[Any]) -> Any:
    return lambda seq_nr: _Handled(ref, seq_nr)
