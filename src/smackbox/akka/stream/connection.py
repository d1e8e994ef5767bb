"""An edge between two stages: the producer's outlet and the consumer's inlet in one object.

    consumer: pull -> PULLING -> (event) on_pull of the producer, PULLED
    producer: push -> PUSHING -> (event) on_push of the consumer, IDLE; `grab` takes the element

One element at a time, and never without a pull. Either end may close: the producer by `complete` or `fail`, the
consumer by `cancel`; the other end is notified of it once, after the elements pushed before. None is never an element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, StageError

IDLE, PULLING, PULLED, PUSHING = range(4)


class Endpoint(Protocol):
    """A stage, as its connections and the interpreter see it."""

    interpreter: Any
    open_ports: int
    keep_going: bool
    stopped: bool

    @property
    def name(self) -> str: ...

    @property
    def reports_failure(self) -> bool: ...

    def port_closed(self) -> None: ...

    def pre_start(self) -> None: ...

    def fail_stage(self, error: BaseException) -> None: ...

    def cancel_timers(self) -> None: ...

    def post_stop(self) -> None: ...


class Connection:
    """One edge: an element at most, demand, and how it was closed."""

    __slots__ = (
        "_enqueue",
        "cause",
        "consumer",
        "failure",
        "in_closed",
        "on_cancel",
        "on_failure",
        "on_finish",
        "on_pull",
        "on_push",
        "out_closed",
        "producer",
        "slot",
        "state",
    )  # fmt: skip

    def __init__(self, enqueue: Callable[[Connection], None], producer: Endpoint, consumer: Endpoint) -> None:
        self._enqueue = enqueue
        self.producer = producer
        self.consumer = consumer
        self.slot: Any = None
        self.state = IDLE
        self.in_closed = False
        self.out_closed = False
        self.failure: BaseException | None = None
        self.cause: BaseException = NO_MORE_ELEMENTS
        self.on_push: Callable[[], None] = _unbound
        self.on_finish: Callable[[], None] = _unbound
        self.on_failure: Callable[[BaseException], None] = _unbound
        self.on_pull: Callable[[], None] = _unbound
        self.on_cancel: Callable[[BaseException], None] = _unbound

    # -- the consumer's end

    def pull(self) -> None:
        """Ask for one element. Raises `StageError` when one is asked for, or here, or the inlet is closed."""
        if self.state or self.in_closed or self.slot is not None:
            self._refuse_pull()
        self.state = PULLING
        if not self.out_closed:
            self._enqueue(self)

    def try_pull(self) -> None:
        """As `pull`, where that is allowed; else nothing."""
        if not (self.state or self.in_closed or self.slot is not None):
            self.state = PULLING
            if not self.out_closed:
                self._enqueue(self)

    def grab(self) -> Any:
        """Take the element that is here."""
        element = self.slot
        if element is None or self.state == PUSHING:
            raise StageError(f"{self.consumer.name} grabbed an element where none is")
        self.slot = None
        return element

    @property
    def has_element(self) -> bool:
        """Whether `grab` finds one."""
        return self.slot is not None and self.state != PUSHING

    @property
    def is_asked(self) -> bool:
        """Whether the consumer has pulled, and nothing has come."""
        return self.state != IDLE

    @property
    def is_drained(self) -> bool:
        """Whether the producer has ended and no element is left."""
        return self.in_closed and self.slot is None

    def cancel(self, cause: BaseException = NO_MORE_ELEMENTS) -> None:
        """Want no more. An element on its way is dropped."""
        if self.in_closed:
            return
        self.in_closed = True
        self.slot = None
        self.cause = cause
        self.consumer.port_closed()
        if not self.out_closed:
            self._enqueue(self)

    # -- the producer's end

    def push(self, element: Any) -> None:
        """Give one element. Raises `StageError` without demand, when closed, and for None."""
        if self.state != PULLED or element is None or self.out_closed:
            self._refuse_push(element)
        self.slot = element
        self.state = PUSHING
        self._enqueue(self)

    @property
    def is_wanted(self) -> bool:
        """Whether `push` is allowed."""
        return self.state == PULLED and not self.out_closed

    def complete(self) -> None:
        """No more will come."""
        if not self.out_closed:
            self.out_closed = True
            self.producer.port_closed()
            if not self.in_closed:
                self._enqueue(self)

    def fail(self, error: BaseException) -> None:
        """No more will come, because of `error`."""
        if not self.out_closed:
            self.failure = error
            self.complete()

    # -- what went wrong

    def _refuse_pull(self) -> None:
        why = "is closed" if self.in_closed else "was pulled already" if self.state else "holds an element"
        raise StageError(f"{self.consumer.name} pulled an inlet that {why}")

    def _refuse_push(self, element: Any) -> None:
        if element is None:
            raise StageError(f"{self.producer.name} pushed None, which is no element of a stream")
        why = "is closed" if self.out_closed else "was not pulled"
        raise StageError(f"{self.producer.name} pushed to an outlet that {why}")


def _unbound(*_: Any) -> None:
    raise StageError("a port that is not connected")
