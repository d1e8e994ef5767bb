"""Runs the stages of one island: takes events from a queue and calls the handlers that they are for.

Plain and synchronous. `wake` asks the owner to call `run` soon; `clock` gives time and timers. An event is a connection
to look at: what happened there follows from its state (see `connection.py`), so that order is kept without a lock and a
deep stream needs no deep stack. A handler that raises fails its own stage.
Source: Pekko's `GraphInterpreter`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from smackbox.akka.stream.attributes import Attributes
from smackbox.akka.stream.connection import IDLE, PULLED, PULLING, PUSHING, Connection, Endpoint
from smackbox.akka.stream.errors import AbruptTerminationError, StreamError

if TYPE_CHECKING:
    from smackbox.akka.actor.dispatcher import Cancellable
    from smackbox.akka.actor.system import ActorSystem

EVENTS = 2_000
"""Events in one turn; then other actors have theirs."""

log = logging.getLogger("smackbox.akka.stream")


class Clock(Protocol):
    """Time as stages see it."""

    def now_s(self) -> float:
        """Seconds; they never go back."""
        ...

    def call_later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> Cancellable:
        """Call after so many seconds, in the system's thread."""
        ...


class Interpreter:
    """Runs the stages of one island: a queue of events at their edges."""

    def __init__(
        self,
        clock: Clock,
        wake: Callable[[], None],
        materializer: Callable[[Attributes], Any],
        system: ActorSystem | None = None,
    ) -> None:
        self.clock = clock
        self.wake = wake
        self.materializer = materializer
        """Makes what connects further stages to those of this island."""
        self._system = system
        self.queue: deque[Connection] = deque()
        self.calls: deque[tuple[Endpoint, Callable[..., None], tuple[Any, ...]]] = deque()
        """What happened elsewhere and is to be done in a stage's turn; may be filled by any thread."""
        self.ended: list[Endpoint] = []
        self.stages: set[Endpoint] = set()
        self.aborted: BaseException | None = None
        self.spent = 0
        """What a stage did in one call that is worth so many events."""

    @property
    def system(self) -> ActorSystem:
        """The actor system that the stream runs in."""
        assert self._system is not None, "this stage needs an actor system"
        return self._system

    def add(self, stage: Endpoint) -> None:
        """Take a stage into this island."""
        stage.interpreter = self
        self.stages.add(stage)

    def start(self, stages: Iterable[Endpoint]) -> None:
        """Call `pre_start` of stages that were added and connected."""
        for stage in stages:
            self._call(stage, stage.pre_start, ())
            if not stage.open_ports and not stage.keep_going:
                self.ended.append(stage)
        self._end_stages()

    def run(self, events: int = EVENTS) -> bool:
        """Handle up to so many events. True when more wait."""
        queue, calls, ended = self.queue, self.calls, self.ended
        popleft = queue.popleft
        stage: Endpoint | None
        while events > 0 and (calls or queue):
            for _ in range(min(len(calls), events)):
                stage, call, arguments = calls.popleft()
                events -= 1
                if not stage.stopped:
                    self._call(stage, call, arguments)
            events -= self.spent
            self.spent = 0
            if ended:
                self._end_stages()
            stage = None
            try:
                while queue:
                    connection = popleft()
                    events -= 1
                    state = connection.state
                    if connection.in_closed:
                        if not connection.out_closed:
                            stage = connection.producer
                            connection.out_closed = True
                            connection.slot = None
                            stage.open_ports -= 1
                            connection.on_cancel(connection.cause)
                            if not stage.open_ports and not stage.keep_going:
                                ended.append(stage)
                    elif state == PUSHING:
                        stage = connection.consumer
                        connection.state = IDLE
                        connection.on_push()
                    elif connection.out_closed:
                        stage = connection.consumer
                        connection.in_closed = True
                        stage.open_ports -= 1
                        if connection.failure is None:
                            connection.on_finish()
                        else:
                            connection.on_failure(connection.failure)
                        if not stage.open_ports and not stage.keep_going:
                            ended.append(stage)
                    elif state == PULLING:
                        stage = connection.producer
                        connection.state = PULLED
                        connection.on_pull()
                    if ended:
                        self._end_stages()
                    if events <= 0:
                        break
            except Exception as error:
                assert stage is not None
                self._stage_failed(stage, error)
        return bool(calls or queue)

    @property
    def is_over(self) -> bool:
        """Whether every stage has ended."""
        return not self.stages

    def abort(self, error: BaseException) -> None:
        """The owner stops: every stage that is left fails, and its `post_stop` is called."""
        self.aborted = error
        for stage in list(self.stages):
            self._call(stage, stage.fail_stage, (error,))
        while self.run():
            pass
        for stage in list(self.stages):
            stage.keep_going = False
            self.ended.append(stage)
        self._end_stages()

    def _call(self, stage: Endpoint, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            call(*arguments)
        except Exception as error:
            self._stage_failed(stage, error)

    def _stage_failed(self, stage: Endpoint, error: Exception) -> None:
        if stage.reports_failure and not isinstance(error, AbruptTerminationError):
            level = logging.DEBUG if isinstance(error, StreamError) else logging.ERROR
            log.log(level, "stage %s failed: %r", stage.name, error, exc_info=error)
        if not stage.stopped:
            stage.fail_stage(error)
        self._end_stages()

    def _end_stages(self) -> None:
        ended = self.ended
        while ended:
            stage = ended.pop()
            if stage.stopped:
                continue
            stage.stopped = True
            self.stages.discard(stage)
            stage.cancel_timers()
            try:
                stage.post_stop()
            except Exception as error:
                log.exception("post_stop of %s failed: %r", stage.name, error)
