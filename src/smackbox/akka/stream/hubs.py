"""Streams that come and go at a running one: MergeHub (many producers), BroadcastHub and PartitionHub (many consumers).

Each end is a stream of its own, in an island of its own; a hub's core between them has a bounded buffer. All islands of
a system are on one thread, so the core needs no lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from smackbox.akka.stream.errors import NO_MORE_ELEMENTS, STAGE_WAS_COMPLETED, StreamDetachedError
from smackbox.akka.stream.stage import Stage

HUB_BUFFER_LIMIT = 4_096


class _MergeCore:
    """Each producer has up to `size` elements on their way."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.consumer: MergeHubSource | None = None
        self.producers: set[MergeHubSink] = set()
        self.buffer: deque[tuple[MergeHubSink, Any]] = deque()
        self.ended = False
        self.failure: BaseException | None = None
        self.draining = False


class DrainingControl:
    """Of `MergeHub.source_with_draining`: no new producer comes, and the source ends with the last."""

    def __init__(self, core: _MergeCore) -> None:
        self._core = core

    def drain_and_complete(self) -> None:
        """Take no new producer, and complete with the last of those there are."""
        self._core.draining = True
        if self._core.consumer is not None:
            self._core.consumer.poke()


class HubEnd(Stage):
    """One end of a hub. The other ends `poke` it when there may be something to do."""

    _poked = False

    def poke(self) -> None:
        """Call `move` in this stage's turn, once however often it is poked before."""
        if not self._poked:
            self._poked = True
            self.interpreter.calls.append((self, self._poked_move, ()))
            self.interpreter.wake()

    def _poked_move(self) -> None:
        self._poked = False
        self.move()

    def move(self) -> None:
        """Pass on what can be passed on."""
        raise NotImplementedError


class MergeHubSource(HubEnd):
    """The consumer's end."""

    ins = 0

    def __init__(self, core: _MergeCore) -> None:
        self._core = core
        core.consumer = self

    def pre_start(self) -> None:
        self._started = True
        self.move()

    _started = False

    def on_pull(self) -> None:
        self.move()

    def poke(self) -> None:
        if self._started:
            super().poke()

    def move(self) -> None:
        core = self._core
        if core.failure is not None:
            self.fail_stage(core.failure)
            return
        if core.buffer and self.outlet.is_wanted:
            producer, element = core.buffer.popleft()
            self.outlet.push(element)
            producer.taken()
        if core.draining and not core.producers and not core.buffer:
            self.complete_stage()

    def post_stop(self) -> None:
        core = self._core
        core.ended = True
        core.buffer.clear()
        core.failure = core.failure or self.interpreter.aborted
        for producer in tuple(core.producers):
            producer.ended()


class MergeHubSink(Stage):
    """One producer's end."""

    outs = 0

    def __init__(self, core: _MergeCore) -> None:
        self._core = core
        self._in_buffer = 0

    def pre_start(self) -> None:
        core = self._core
        if core.ended or core.draining:
            error = core.failure or StreamDetachedError("the source of the MergeHub is over, or drains")
            if core.failure is None and core.ended:
                self.cancel_stage(STAGE_WAS_COMPLETED)
            else:
                self.cancel_stage(error if core.failure is not None else NO_MORE_ELEMENTS)
            return
        core.producers.add(self)
        self.inlet.try_pull()

    def on_push(self) -> None:
        core = self._core
        core.buffer.append((self, self.inlet.grab()))
        self._in_buffer += 1
        if core.consumer is not None:
            core.consumer.poke()
        if self._in_buffer < core.size:
            self.inlet.pull()

    def on_upstream_failure(self, error: BaseException) -> None:
        """A producer's failure ends the hub, as in Pekko."""
        self._core.failure = self._core.failure or error
        if self._core.consumer is not None:
            self._core.consumer.poke()
        self.fail_stage(error)

    def post_stop(self) -> None:
        core = self._core
        core.producers.discard(self)
        if core.consumer is not None:
            core.consumer.poke()

    def taken(self) -> None:
        """The consumer took an element of this producer."""
        self._in_buffer -= 1
        if not self.stopped and self._in_buffer == self._core.size - 1:
            self.interpreter.calls.append((self, self.inlet.try_pull, ()))
            self.interpreter.wake()

    def ended(self) -> None:
        """The consumer has ended: this producer is cancelled."""
        cause = self._core.failure or NO_MORE_ELEMENTS
        self.interpreter.calls.append((self, self.cancel_stage, (cause,)))
        self.interpreter.wake()


class _FanCore:
    """What the producer's end and the consumers' ends know of each other."""

    def __init__(self, size: int, start_after: int) -> None:
        self.size = size
        self.start_after = start_after
        self.producer: Stage | None = None
        self.consumers: dict[int, HubConsumer] = {}
        self.next_id = 0
        self.ended = False
        self.failure: BaseException | None = None


class HubConsumer(HubEnd):
    """One consumer's end: its elements wait in `queue`, which the producer's end fills and bounds."""

    ins = 0

    def __init__(self, core: _FanCore) -> None:
        self._core = core
        self.queue: deque[Any] = deque()
        self.id = -1
        self.over = False
        self.dynamic_end = False

    def pre_start(self) -> None:
        core = self._core
        if core.ended:
            if core.failure is not None:
                self.fail_stage(core.failure)
            else:
                self.complete_stage()
            return
        self.id = core.next_id
        core.next_id += 1
        core.consumers[self.id] = self
        self._tell_producer()

    def on_pull(self) -> None:
        self.move()

    def move(self) -> None:
        if self.queue and self.outlet.is_wanted:
            self.outlet.push(self.queue.popleft())
            self._tell_producer()
        if self._core.ended and (not self.queue or self._core.failure is not None):
            if self._core.failure is not None:
                self.fail_stage(self._core.failure)
            else:
                self.complete_stage()

    def post_stop(self) -> None:
        if self._core.consumers.pop(self.id, None) is not None:
            self._tell_producer()

    def _tell_producer(self) -> None:
        producer = self._core.producer
        if isinstance(producer, FanHubSink):
            producer.poke()


class FanHubSink(HubEnd):
    """The producer's end. A subclass says who gets an element, and whether there is room."""

    outs = 0

    def __init__(self, core: _FanCore) -> None:
        self._core = core
        self._held: Any = None
        self._began = False
        core.producer = self

    def pre_start(self) -> None:
        self.move()

    def on_push(self) -> None:
        self._held = self.inlet.grab()
        self.move()

    def on_upstream_finish(self) -> None:
        if self._held is None:
            self.complete_stage()
        else:
            self.move()

    def on_upstream_failure(self, error: BaseException) -> None:
        self._core.failure = error
        self.fail_stage(error)

    def fail_stage(self, error: BaseException) -> None:
        self._core.failure = self._core.failure or error
        super().fail_stage(error)

    keep_going = True

    def post_stop(self) -> None:
        core = self._core
        core.ended = True
        core.failure = core.failure or self.interpreter.aborted
        for consumer in tuple(core.consumers.values()):
            consumer.poke()

    def move(self) -> None:
        if not self._began:
            if len(self._core.consumers) < self._core.start_after:
                return
            self._began = True
        if self._held is not None and self.give(self._held):
            self._held = None
        if self._held is None:
            if self.inlet.in_closed:
                self.complete_stage()
            elif self.has_room():
                self.inlet.try_pull()

    def give(self, element: Any) -> bool:
        """Hand an element to whom it is for; False where there is no room."""
        raise NotImplementedError

    def has_room(self) -> bool:
        """Whether the next element is to be asked for."""
        raise NotImplementedError


class BroadcastHubSink(FanHubSink):
    """Each element to all consumers that are there, as fast as the slowest; what comes before the first waits."""

    def __init__(self, core: _FanCore) -> None:
        super().__init__(core)
        self._early: deque[Any] = deque()

    def give(self, element: Any) -> bool:
        consumers = self._core.consumers
        if not consumers:
            if len(self._early) >= self._core.size:
                return False
            self._early.append(element)
            return True
        self._deliver_early()
        if any(len(consumer.queue) >= self._core.size for consumer in consumers.values()):
            return False
        for consumer in consumers.values():
            consumer.queue.append(element)
            consumer.poke()
        return True

    def has_room(self) -> bool:
        consumers = self._core.consumers
        if not consumers:
            return len(self._early) < self._core.size
        self._deliver_early()
        return all(len(consumer.queue) < self._core.size for consumer in consumers.values())

    def _deliver_early(self) -> None:
        while self._early and all(len(one.queue) < self._core.size for one in self._core.consumers.values()):
            element = self._early.popleft()
            for consumer in self._core.consumers.values():
                consumer.queue.append(element)
                consumer.poke()

    def post_stop(self) -> None:
        self._core_early()
        super().post_stop()

    def _core_early(self) -> None:
        for consumer in self._core.consumers.values():
            consumer.queue.extend(self._early)
        self._early.clear()


class ConsumerInfo:
    """What a partitioner may ask: the ids of consumers, and how much waits for each."""

    def __init__(self, core: _FanCore) -> None:
        self._core = core

    @property
    def ids(self) -> list[int]:
        return list(self._core.consumers)

    @property
    def size(self) -> int:
        return len(self._core.consumers)

    def queue_size(self, consumer: int) -> int:
        return len(self._core.consumers[consumer].queue)


class PartitionHubSink(FanHubSink):
    """Each element to the consumer whose id the partitioner gives; a negative one drops it."""

    def __init__(self, core: _FanCore, partitioner: Callable[[ConsumerInfo, Any], int]) -> None:
        super().__init__(core)
        self._partitioner = partitioner
        self._info = ConsumerInfo(core)

    def give(self, element: Any) -> bool:
        consumers = self._core.consumers
        if not consumers:
            return False
        chosen = self._partitioner(self._info, element)
        if chosen < 0:
            return True
        consumer = consumers.get(chosen)
        if consumer is None:
            return True
        if len(consumer.queue) >= self._core.size:
            return False
        consumer.queue.append(element)
        consumer.poke()
        return True

    def has_room(self) -> bool:
        return bool(self._core.consumers)


def check_buffer(size: int) -> int:
    """Raises `ValueError`."""
    if not 1 <= size <= HUB_BUFFER_LIMIT:
        raise ValueError(f"the buffer of a hub holds 1 to {HUB_BUFFER_LIMIT} elements, not {size}")
    return size
