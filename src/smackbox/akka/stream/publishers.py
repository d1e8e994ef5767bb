"""The stages at which a stream meets publishers and subscribers of others (`reactive.py`)."""

from __future__ import annotations

from collections import deque
from typing import Any

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, StreamError
from smackbox.akka.stream.reactive import DEMAND_MAX, Subscriber, Subscription, required
from smackbox.akka.stream.stage import Stage, log


class _OurSubscription:
    """One subscriber of a `PublisherSink`. Its methods only leave a note: they never call back (rule 3.3)."""

    def __init__(self, stage: PublisherSink, subscriber: Subscriber[Any]) -> None:
        self.stage = stage
        self.subscriber = subscriber
        self.demand = 0
        self.queue: deque[Any] = deque()
        self.is_over = False

    def request(self, n: int) -> None:
        if not self.is_over:
            self.stage.note(self.stage.requested, self, n)

    def cancel(self) -> None:
        if not self.is_over:
            self.is_over = True
            self.stage.note(self.stage.left, self)


class _Refused:
    """The subscription of one that gets nothing."""

    def request(self, n: int) -> None: ...

    def cancel(self) -> None: ...


class PublisherSink(Stage):
    """Gives elements to subscribers: to one alone, or (`fanout`) to several, as fast as the slowest.

    What is asked and cancelled comes in by `note`, from any thread, and is done in this stage's turn.
    """

    outs = 0
    keep_going = True
    reports_failure = False

    def __init__(self, fanout: bool, size: int) -> None:
        self._fanout = fanout
        self._size = size
        self._subscriptions: list[_OurSubscription] = []
        self._had_one = False
        self._ended = False
        self._failure: BaseException | None = None

    def note(self, call: Any, *arguments: Any) -> None:
        """Call this in the stage's turn, at once where it has stopped."""
        if self.stopped:
            call(*arguments)
            return
        self.interpreter.calls.append((self, call, arguments))
        self.interpreter.wake()

    def on_push(self) -> None:
        element = self.inlet.grab()
        for subscription in self._subscriptions:
            subscription.queue.append(element)
        self._move()

    def on_upstream_finish(self) -> None:
        self._ended = True
        self._move()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._ended = True
        self._failure = error
        self._move()

    def post_stop(self) -> None:
        if not self._ended:
            self._ended = True
            self._failure = self.interpreter.aborted
        self._deliver()

    def subscribe(self, subscriber: Subscriber[Any]) -> None:
        """In this stage's turn, or when it is over."""
        if self._had_one and not self._fanout:
            _signal(subscriber.on_subscribe, _Refused())
            _signal(subscriber.on_error, StreamError("this publisher has its one subscriber already"))
            return
        if any(one.subscriber is subscriber for one in self._subscriptions):
            _signal(subscriber.on_subscribe, _Refused())
            _signal(subscriber.on_error, StreamError("this subscriber has subscribed already"))
            return
        self._had_one = True
        subscription = _OurSubscription(self, subscriber)
        self._subscriptions.append(subscription)
        _signal(subscriber.on_subscribe, subscription)
        if self.stopped:
            self._deliver()
        else:
            self._move()

    def requested(self, subscription: _OurSubscription, n: int) -> None:
        """A subscriber asks for `n` more; rule 3.9: not positive fails it."""
        if subscription not in self._subscriptions:
            return
        if n <= 0:
            subscription.is_over = True
            self._subscriptions.remove(subscription)
            _signal(
                subscription.subscriber.on_error,
                ValueError(f"rule 3.9: a subscriber must request a positive number of elements, not {n}"),
            )
            self._after_leaving()
            return
        subscription.demand = min(DEMAND_MAX, subscription.demand + n)
        self._move()

    def left(self, subscription: _OurSubscription) -> None:
        """A subscriber has cancelled."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._after_leaving()

    def _after_leaving(self) -> None:
        if self.stopped:
            return
        if not self._subscriptions:
            self.cancel_stage(NO_MORE_ELEMENTS)
        else:
            self._move()

    def _move(self) -> None:
        self._deliver()
        if self._ended:
            if self._had_one and not self._subscriptions:
                self.complete_stage()
        elif self._subscriptions and not self.inlet.is_asked and self._has_room():
            self.inlet.try_pull()

    def _has_room(self) -> bool:
        if self._fanout:
            return all(len(subscription.queue) < self._size for subscription in self._subscriptions)
        return self._subscriptions[0].demand > 0

    def _deliver(self) -> None:
        for subscription in tuple(self._subscriptions):
            queue = subscription.queue
            while queue and subscription.demand > 0 and not subscription.is_over:
                subscription.demand -= 1
                _signal(subscription.subscriber.on_next, queue.popleft())
            if self._ended and not subscription.is_over and (not queue or self._failure is not None):
                subscription.is_over = True
                self._subscriptions.remove(subscription)
                if self._failure is not None:
                    _signal(subscription.subscriber.on_error, self._failure)
                else:
                    _signal(subscription.subscriber.on_complete)


class OurPublisher:
    """Materialized by `Sink.as_publisher`."""

    def __init__(self, stage: PublisherSink) -> None:
        self._stage = stage

    def subscribe(self, subscriber: Subscriber[Any]) -> None:
        """Raises `TypeError` for None (rule 1.9)."""
        self._stage.note(self._stage.subscribe, required(subscriber, "subscriber"))


class SubscriberSource(Stage):
    """Takes elements of a publisher, by batches of `size`."""

    ins = 0

    def __init__(self, size: int) -> None:
        self._size = size
        self._subscription: Subscription | None = None
        self._buffer: deque[Any] = deque()
        self._outstanding = 0
        self._ended = False

    def on_pull(self) -> None:
        self._move()

    def on_downstream_finish(self, cause: BaseException) -> None:
        self.cancel_stage(cause)

    def post_stop(self) -> None:
        if self._subscription is not None and not self._ended:
            self._subscription.cancel()

    def note(self, call: Any, *arguments: Any) -> None:
        """Call this in the stage's turn."""
        self.interpreter.calls.append((self, call, arguments))
        self.interpreter.wake()

    def subscribed(self, subscription: Subscription) -> None:
        """The publisher has subscribed us; rule 2.5: a second subscription is cancelled."""
        if self._subscription is not None:
            subscription.cancel()  # rule 2.5
            return
        self._subscription = subscription
        if not self._ended:
            self._outstanding = self._size
            subscription.request(self._size)

    def arrived(self, element: Any) -> None:
        """An element has come; one that was not asked for breaks rule 1.1."""
        self._outstanding -= 1
        if self._outstanding < 0:
            self._fail_upstream(StreamError("rule 1.1: the publisher gave more elements than were requested"))
            return
        self._buffer.append(element)
        self._move()

    def completed(self) -> None:
        """The publisher has completed; what came is still given."""
        self._ended = True
        if not self._buffer:
            self.complete_stage()

    def failed(self, error: BaseException) -> None:
        """The publisher has failed; what came is dropped."""
        self._ended = True
        self._buffer.clear()
        self.fail_stage(error)

    def _fail_upstream(self, error: BaseException) -> None:
        self._buffer.clear()
        self.fail_stage(error)

    def _move(self) -> None:
        if self._buffer and self.outlet.is_wanted:
            self.outlet.push(self._buffer.popleft())
        if self._ended:
            if not self._buffer:
                self.complete_stage()
        elif self._subscription is not None:
            room = self._size - len(self._buffer) - self._outstanding
            if room * 2 >= self._size:
                self._outstanding += room
                self._subscription.request(room)


class OurSubscriber:
    """Materialized by `Source.as_subscriber`. Its methods only leave a note (rule 2.2)."""

    def __init__(self, stage: SubscriberSource) -> None:
        self._stage = stage

    def on_subscribe(self, subscription: Subscription) -> None:
        required(subscription, "subscription")
        if self._stage.stopped:
            subscription.cancel()
        else:
            self._stage.note(self._stage.subscribed, subscription)

    def on_next(self, element: Any) -> None:
        self._stage.note(self._stage.arrived, required(element, "element"))

    def on_error(self, error: BaseException) -> None:
        self._stage.note(self._stage.failed, required(error, "error"))

    def on_complete(self) -> None:
        self._stage.note(self._stage.completed)


def _signal(call: Any, *arguments: Any) -> None:
    """A subscriber that raises has broken rule 2.13; nobody else suffers."""
    try:
        call(*arguments)
    except Exception as error:
        log.exception("a subscriber raised, which rule 2.13 forbids: %r", error)
