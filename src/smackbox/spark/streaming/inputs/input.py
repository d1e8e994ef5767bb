"""What a source of a stream does: it gives records with a plan, as JSON, by which they can be read again exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

Stopped = Callable[[], bool]
Known = Callable[[Sequence[bytes]], list[bool]]
"""Which items were taken by an earlier batch that was committed."""


class Bounds(NamedTuple):
    """How much of a source one batch takes: until `deadline` (monotonic), at most about `rows` and `size` bytes.

    `eager`: what has come is taken at once, and only nothing is waited for.
    """

    deadline: float
    rows: int
    size: int
    eager: bool = False


class Taken(NamedTuple):
    """Records that came, and the plan by which they are read again."""

    records: list[Any]
    plan: Any


class Done(NamedTuple):
    """What is committed with a batch: where the source goes on, and items that it does not take again."""

    state: Any
    items: Sequence[bytes] = ()


class OwnRecord(NamedTuple):
    """A record of a source that is not Kafka, with the methods of a Kafka message that are used here.

    `problem` says why it cannot be read; then `data` says where it was.
    """

    data: bytes
    source: str
    part: str | int
    place: str | int
    record_key: bytes | None = None
    problem: str | None = None

    def value(self) -> bytes:
        """The event's bytes. Raises `ValueError` where there is none."""
        if self.problem is not None:
            raise ValueError(self.problem)
        return self.data

    def key(self) -> bytes | None:
        """The key that it came with."""
        return self.record_key

    def topic(self) -> str:
        """The source's name."""
        return self.source

    def partition(self) -> str | int:
        """The shard, file or connection."""
        return self.part

    def offset(self) -> str | int:
        """The place in it."""
        return self.place

    def timestamp(self) -> tuple[int, int]:
        """That there is none, as Kafka's client says it."""
        return (0, 0)

    def headers(self) -> None:
        """None, as a record of Kafka without headers."""
        return


class Input(Protocol):
    """One source. Raises `AwayError` for what is worth another attempt, `StreamError` for what is not."""

    name: str
    strict: bool
    """Whether numbers and the like must have their JSON type; texts of a CSV do not."""

    def open(self, saved: Any, known: Known) -> Any:
        """Go on at the saved state, None at the first start; the state to be saved before anything is read."""
        ...

    def take(self, bounds: Bounds, stopped: Stopped) -> Taken | None:
        """What comes within the bounds; at least what has come already. None for nothing."""
        ...

    def again(self, plan: Any, stopped: Stopped) -> list[Any]:
        """The records of a plan. Raises `DataLossError` where they are gone."""
        ...

    def done(self, plan: Any) -> Done:
        """The batch with this plan is processed and about to be committed."""
        ...

    def lag(self) -> int | None:
        """Records that wait; None where the source does not say."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...
