"""Mailboxes: unbounded, bounded, with control messages first, or by priority.

A mailbox holds messages as they were sent: the message itself, or an `Envelope` that names its sender. `put` is False
when there is no room; the message is then a dead letter, and never an exception in the sender. `offer` of a reference
waits for room instead.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from smackbox.akka.actor.record import record
from smackbox.akka.actor.ref import Envelope


class ControlMessage:
    """Base class of messages that a control-aware mailbox puts before all others."""

    __slots__ = ()


class Mailbox(Protocol):
    """`append` and `popleft` are a deque's, for the unbounded one is a plain deque."""

    def append(self, item: Any, /) -> None: ...

    def appendleft(self, item: Any, /) -> None: ...

    def popleft(self) -> Any: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


@record
class MailboxType:
    """The kind of mailbox for an actor. `capacity` None: no bound."""

    make: Callable[[], Mailbox]
    capacity: int | None = None


def bounded(capacity: int) -> MailboxType:
    """At most `capacity` messages wait."""
    if capacity < 1:
        raise ValueError("a bounded mailbox holds at least one message")
    return MailboxType(deque, capacity)


def control_aware(capacity: int | None = None) -> MailboxType:
    """Messages of a `ControlMessage` type come first."""
    return MailboxType(ControlAwareMailbox, capacity)


def priority(key: Callable[[Any], Any], capacity: int | None = None) -> MailboxType:
    """The message with the least `key` comes first; of equal ones the first that was sent."""
    return MailboxType(lambda: PriorityMailbox(key), capacity)


UNBOUNDED = MailboxType(deque)


class ControlAwareMailbox:
    __slots__ = ("_control", "_ordinary")

    def __init__(self) -> None:
        self._control: deque[Any] = deque()
        self._ordinary: deque[Any] = deque()

    def append(self, item: Any) -> None:
        (self._control if isinstance(_message(item), ControlMessage) else self._ordinary).append(item)

    def appendleft(self, item: Any) -> None:
        (self._control if isinstance(_message(item), ControlMessage) else self._ordinary).appendleft(item)

    def popleft(self) -> Any:
        return (self._control or self._ordinary).popleft()

    def __len__(self) -> int:
        return len(self._control) + len(self._ordinary)

    def __iter__(self) -> Iterator[Any]:
        yield from self._control
        yield from self._ordinary


class PriorityMailbox:
    __slots__ = ("_first", "_heap", "_key", "_last")

    def __init__(self, key: Callable[[Any], Any]) -> None:
        self._key = key
        self._heap: list[tuple[Any, int, Any]] = []
        self._first = 0
        self._last = 0

    def append(self, item: Any) -> None:
        self._last += 1
        heapq.heappush(self._heap, (self._key(_message(item)), self._last, item))

    def appendleft(self, item: Any) -> None:
        self._first -= 1
        heapq.heappush(self._heap, (self._key(_message(item)), self._first, item))

    def popleft(self) -> Any:
        return heapq.heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Any]:
        return (item for _, _, item in sorted(self._heap, key=lambda entry: entry[:2]))


def _message(item: Any) -> Any:
    return item.message if type(item) is Envelope else item
