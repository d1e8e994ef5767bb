"""A stage: a state machine between its inlets and outlets. What happens at a port calls its handler; it answers by
pulling, pushing, closing. Time, chance and work of others come in as calls; nothing here waits.

    class Double(Stage):                     one inlet, one outlet
        def on_push(self) -> None:
            self.outlet.push(2 * self.inlet.grab())

By default a pull goes upstream, an end upstream completes the stage, a failure fails it, and a cancel cancels it. A
stage with several inlets or outlets has the handlers of `…_at`, which get the number of the port. Ports may come while
the stage runs (`inner_streams.py`).
Source: Pekko's `GraphStageLogic`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from smackbox.akka.actor.supervision import Directive
from smackbox.akka.stream.attributes import DEFAULT, Attributes
from smackbox.akka.stream.connection import Connection
from smackbox.akka.stream.errors import STAGE_WAS_COMPLETED, NonFailureCancellation

if TYPE_CHECKING:
    from smackbox.akka.actor.dispatcher import Cancellable
    from smackbox.akka.stream.interpreter import Interpreter

log = logging.getLogger("smackbox.akka.stream")


class InHandlers:
    """What an inlet that came later calls. The defaults are the stage's own."""

    __slots__ = ("on_failure", "on_finish", "on_push")

    def __init__(
        self,
        on_push: Callable[[], None],
        on_finish: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.on_push = on_push
        self.on_finish = on_finish
        self.on_failure = on_failure


class OutHandlers:
    """What an outlet that came later calls."""

    __slots__ = ("on_cancel", "on_pull")

    def __init__(self, on_pull: Callable[[], None], on_cancel: Callable[[BaseException], None]) -> None:
        self.on_pull = on_pull
        self.on_cancel = on_cancel


class Stage:
    """A stage of a stream: a subclass says how many `ins` and `outs` it has, and what happens at them."""

    ins: int = 1
    outs: int = 1
    reports_failure: ClassVar[bool] = True
    """Whether a failure of this stage itself is logged; not where failing is its task."""

    interpreter: Interpreter
    inlet: Connection
    outlet: Connection
    attributes: Attributes = DEFAULT
    open_ports = 0
    stopped = False
    keep_going = False
    """Whether the stage lives on when all of its ports are closed, until `complete_stage`."""
    _timers: dict[Hashable, Cancellable] | None = None
    _later: dict[int, InHandlers | OutHandlers] | None = None
    _later_ports = 0

    @property
    def name(self) -> str:
        """The name that the attributes give, else the class's."""
        return self.attributes.name or type(self).__name__

    @property
    def waiting(self) -> int:
        """How many elements wait in the stage."""
        return 0

    # -- handlers

    def pre_start(self) -> None:
        """Before any other handler."""

    def post_stop(self) -> None:
        """After all others."""

    def on_push(self) -> None:
        """An element is at the only inlet: `inlet.grab()` takes it."""
        raise NotImplementedError

    def on_upstream_finish(self) -> None:
        """The only inlet has ended. By default the stage completes."""
        self.complete_stage()

    def on_upstream_failure(self, error: BaseException) -> None:
        """The only inlet has failed. By default the stage fails."""
        self.fail_stage(error)

    def on_pull(self) -> None:
        """An element is wanted at the only outlet. By default one is asked for upstream."""
        self.inlet.pull()

    def on_downstream_finish(self, cause: BaseException) -> None:
        """The only outlet is cancelled. By default the stage is."""
        self.cancel_stage(cause)

    def on_push_at(self, port: int) -> None:
        """An element is at that inlet, of several."""
        raise NotImplementedError

    def on_finish_at(self, port: int) -> None:
        """That inlet has ended. By default the stage completes."""
        self.complete_stage()

    def on_failure_at(self, port: int, error: BaseException) -> None:
        """That inlet has failed. By default the stage fails."""
        self.fail_stage(error)

    def on_pull_at(self, port: int) -> None:
        """An element is wanted at that outlet, of several."""
        raise NotImplementedError

    def on_cancel_at(self, port: int, cause: BaseException) -> None:
        """That outlet is cancelled. By default the stage is."""
        self.cancel_stage(cause)

    def on_timer(self, key: Hashable) -> None:
        """The timer of that key has fired."""
        raise NotImplementedError

    # -- the end

    def complete_stage(self) -> None:
        """Complete all outlets, cancel all inlets."""
        self._close(None, STAGE_WAS_COMPLETED)

    def fail_stage(self, error: BaseException) -> None:
        """Fail all outlets, cancel all inlets."""
        self._close(error, error)

    def cancel_stage(self, cause: BaseException) -> None:
        """Downstream wants no more: cancel upstream for the same cause."""
        if isinstance(cause, NonFailureCancellation):
            self._close(None, cause)
        else:
            self._close(cause, cause)

    def _close(self, error: BaseException | None, cause: BaseException) -> None:
        self.keep_going = False
        for inlet in self.inlets:
            inlet.cancel(cause)
        for outlet in self.outlets:
            if error is None:
                outlet.complete()
            else:
                outlet.fail(error)
        if not self.open_ports:
            self.interpreter.ended.append(self)

    def port_closed(self) -> None:
        """A port is closed; with the last one the stage ends, unless it is kept going."""
        self.open_ports -= 1
        if not self.open_ports and not self.keep_going:
            self.interpreter.ended.append(self)

    # -- failures of functions that users gave

    def decide(self, error: Exception) -> Directive:
        """What the decider of the stream says; STOP fails the stage by raising `error` again."""
        directive = self.attributes.decider(error)
        if directive not in {Directive.RESUME, Directive.RESTART}:
            raise error
        log.debug("%s: an element is dropped: %r", self.name, error)
        return directive

    def pass_over(self, error: Exception) -> None:
        """Drop the element that has just come, unless the decider stops the stream, and ask for the next."""
        self.decide(error)
        self.inlet.pull()

    # -- time, chance, and what happens elsewhere

    def now_s(self) -> float:
        """Seconds of the system's clock, manual in tests."""
        return self.interpreter.clock.now_s()

    def callback(self, call: Callable[..., None]) -> Callable[..., None]:
        """A function that may be called from any thread, at any time; `call` gets its arguments in this stage's turn.
        Once the stage has stopped it does nothing.
        """
        interpreter = self.interpreter
        calls, wake = interpreter.calls, interpreter.wake

        def later(*arguments: Any) -> None:
            calls.append((self, call, arguments))
            wake()

        return later

    def schedule_once(self, key: Hashable, delay_s: float) -> None:
        """Call `on_timer(key)` after `delay_s`; a timer of that key is replaced."""
        self.cancel_timer(key)
        if self._timers is None:
            self._timers = {}
        self._timers[key] = self.interpreter.clock.call_later(max(0.0, delay_s), self._fire, key, None)

    def schedule_every(self, key: Hashable, first_s: float, every_s: float) -> None:
        """Call `on_timer(key)` after `first_s`, and then each `every_s`."""
        self.cancel_timer(key)
        if self._timers is None:
            self._timers = {}
        self._timers[key] = self.interpreter.clock.call_later(max(0.0, first_s), self._fire, key, every_s)

    def cancel_timer(self, key: Hashable) -> None:
        """Cancel the timer of that key, where there is one."""
        if self._timers is not None:
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()

    def is_timer_active(self, key: Hashable) -> bool:
        """Whether there is a timer of that key."""
        return self._timers is not None and key in self._timers

    def _fire(self, key: Hashable, every_s: float | None) -> None:
        assert self._timers is not None
        timer: Cancellable | None = None
        if every_s is not None:
            timer = self._timers[key] = self.interpreter.clock.call_later(every_s, self._fire, key, every_s)
        else:
            timer = self._timers[key]
        self.interpreter.calls.append((self, self._fired, (key, timer, every_s is None)))
        self.interpreter.wake()

    def _fired(self, key: Hashable, timer: Cancellable, single: bool) -> None:
        if self._timers is None or self._timers.get(key) is not timer:
            return
        if single:
            del self._timers[key]
        self.on_timer(key)

    def cancel_timers(self) -> None:
        """Cancel all timers: the stage has stopped."""
        timers, self._timers = self._timers, None
        for timer in (timers or {}).values():
            timer.cancel()

    # -- later ports

    def later_port(self, handlers: InHandlers | OutHandlers) -> int:
        """The number of a port that is to be connected while the stage runs."""
        if self._later is None:
            self._later = {}
        self._later_ports -= 1
        self._later[self._later_ports] = handlers
        return self._later_ports

    # -- wiring

    def __new__(cls, *_args: Any, **_options: Any) -> Any:
        stage = super().__new__(cls)
        stage.inlets = []
        stage.outlets = []
        return stage

    inlets: list[Connection]
    outlets: list[Connection]

    def bind_inlet(self, port: int, connection: Connection) -> None:
        """Connect an inlet; a negative port is one that came later."""
        if port < 0:
            assert self._later is not None
            handlers: Any = self._later.pop(port)
            connection.on_push, connection.on_finish = handlers.on_push, handlers.on_finish
            connection.on_failure = handlers.on_failure
            self._forget_closed()
        elif self.ins == 1:
            self.inlet = connection
            connection.on_push, connection.on_finish = self.on_push, self.on_upstream_finish
            connection.on_failure = self.on_upstream_failure
        else:
            connection.on_push = partial(self.on_push_at, port)
            connection.on_finish = partial(self.on_finish_at, port)
            connection.on_failure = partial(self.on_failure_at, port)
        _put(self.inlets, port, connection)
        self.open_ports += 1

    def bind_outlet(self, port: int, connection: Connection) -> None:
        """Connect an outlet; a negative port is one that came later."""
        if port < 0:
            assert self._later is not None
            handlers: Any = self._later.pop(port)
            connection.on_pull, connection.on_cancel = handlers.on_pull, handlers.on_cancel
            self._forget_closed()
        elif self.outs == 1:
            self.outlet = connection
            connection.on_pull, connection.on_cancel = self.on_pull, self.on_downstream_finish
        else:
            connection.on_pull = partial(self.on_pull_at, port)
            connection.on_cancel = partial(self.on_cancel_at, port)
        _put(self.outlets, port, connection)
        self.open_ports += 1

    def _forget_closed(self) -> None:
        """Ports of substreams that are over are not kept."""
        self.inlets[self.ins :] = [port for port in self.inlets[self.ins :] if not port.in_closed]
        self.outlets[self.outs :] = [port for port in self.outlets[self.outs :] if not port.out_closed]


class Emitter(Stage):
    """A stage that may have more elements to give than were asked for: they wait in `pending`, which `emit` fills.

    A subclass bounds what it emits for one element that comes in.
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        stage: Any = super().__new__(cls, *args, **options)
        stage.pending = deque()
        return stage

    pending: deque[Any]
    _is_finishing = False

    def emit(self, *elements: Any) -> None:
        """Give an element once it is wanted, behind those that wait."""
        self.emit_all(elements)

    def emit_all(self, elements: Iterable[Any]) -> None:
        """The same for several."""
        self.pending.extend(elements)
        if self.pending and self.outlet.is_wanted:
            self.outlet.push(self.pending.popleft())

    def finish(self) -> None:
        """Complete once all that waits is out."""
        self._is_finishing = True
        if not self.pending:
            self.complete_stage()

    def on_pull(self) -> None:
        if self.pending:
            self.outlet.push(self.pending.popleft())
            if self._is_finishing and not self.pending:
                self.complete_stage()
        elif not self.inlet.in_closed:
            self.inlet.try_pull()

    def on_upstream_finish(self) -> None:
        self.finish()

    def ask(self) -> None:
        """Pull the next element, where one is wanted and nothing waits."""
        if not self.pending and self.outlet.is_wanted:
            self.inlet.try_pull()


def _put(ports: list[Any], port: int, connection: Connection) -> None:
    """At the place of its number; ports that came later go to the end."""
    if port < 0:
        ports.append(connection)
        return
    ports.extend([None] * (port + 1 - len(ports)))
    assert ports[port] is None, f"port {port} is connected already"
    ports[port] = connection
