"""The roles of Reactive Streams 1.0 (https://github.com/reactive-streams/reactive-streams-jvm), for streams of others.

`Sink.as_publisher` and `Source.as_subscriber` make them, `Source.from_publisher` and `Sink.from_subscriber` use them.
All calls may come from any thread; calls of one subscription come one after another.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

DEMAND_MAX = 2**63 - 1
"""Demand of so much is no bound any more (rule 3.17)."""


class Subscription(Protocol):
    """A subscriber's hold on a publisher."""

    def request(self, n: int) -> None:
        """Let up to `n` more elements come. What is not positive fails the subscriber with `ValueError` (3.9)."""

    def cancel(self) -> None:
        """Want no more; elements that are on their way may still come (2.8)."""


class Subscriber(Protocol[T_contra]):
    """Receives elements, after it has asked for them."""

    def on_subscribe(self, subscription: Subscription) -> None:
        """First of all calls: ask for elements through `subscription`."""
        ...

    def on_next(self, element: T_contra) -> None:
        """An element that was asked for."""
        ...

    def on_error(self, error: BaseException) -> None:
        """The end, by a failure. No call follows."""
        ...

    def on_complete(self) -> None:
        """The end. No call follows."""
        ...


class Publisher(Protocol[T_co]):
    """Gives elements to its subscribers, as many as they asked for."""

    def subscribe(self, subscriber: Subscriber[Any]) -> None:
        """Raises `TypeError` for None (1.9)."""


def required(value: Any, name: str) -> Any:
    """Rule 2.13 and 1.9: None is refused at once, to the caller."""
    if value is None:
        raise TypeError(f"{name} must not be None")
    return value
