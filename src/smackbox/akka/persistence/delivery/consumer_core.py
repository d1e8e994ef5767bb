"""The receiving side: gives messages on one by one, in order, and asks again for what is missing.

Plain and synchronous. Methods return what is to be told: `Deliver` to the consumer, the others to the producer's
controller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from smackbox.akka.persistence.delivery.producer_core import Numbered

WINDOW = 50
"""Pekko's `flow-control-window`: messages that may be on their way."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give it to the consumer."""

    numbered: Numbered


@dataclass(frozen=True, slots=True)
class AskMore:
    """All up to `confirmed_seq_nr` were handled; there is room up to `up_to_seq_nr`."""

    confirmed_seq_nr: int
    up_to_seq_nr: int
    via_timeout: bool = False


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Something is missing: send again from there."""

    from_seq_nr: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """All up to there were handled; the sender waits for it."""

    confirmed_seq_nr: int


Told = Deliver | AskMore | AskAgain | Acknowledge


class ConsumerCore:
    """`producer` is whom the messages come from, as something to compare."""

    def __init__(self, window: int = WINDOW) -> None:
        if window < 2:
            raise ValueError(f"a window holds at least 2 messages, not {window}")
        self._window = window
        self.producer: Hashable = None
        self.received_seq_nr = 0
        self.confirmed_seq_nr = 0
        self.requested_seq_nr = 0
        self._delivered: Numbered | None = None
        self._resending = False
        self._waiting: deque[tuple[Hashable, Numbered]] = deque()

    def receive(self, producer: Hashable, numbered: Numbered) -> list[Told]:
        """A message has come from `producer`."""
        if self._delivered is not None:
            known = producer == self.producer and numbered.seq_nr <= self.received_seq_nr
            if not known and len(self._waiting) < self._window:
                self._waiting.append((producer, numbered))
            return []
        return self._take(producer, numbered)

    def confirmed(self) -> list[Told]:
        """The consumer has handled what was delivered."""
        done, self._delivered = self._delivered, None
        if done is None:
            return []
        self.confirmed_seq_nr = done.seq_nr
        told: list[Told] = []
        if done.first:
            told.append(AskMore(done.seq_nr, self.requested_seq_nr))
        elif self.requested_seq_nr - done.seq_nr <= self._window // 2:
            self.requested_seq_nr = done.seq_nr + self._window
            told.append(AskMore(done.seq_nr, self.requested_seq_nr))
        elif done.ack:
            told.append(Acknowledge(done.seq_nr))
        while self._waiting and self._delivered is None:
            told += self._take(*self._waiting.popleft())
        return told

    def retry(self) -> list[Told]:
        """Nothing came for a while: perhaps a request was lost."""
        if self._resending:
            return [AskAgain(self.received_seq_nr + 1 if self.received_seq_nr else 0)]
        if self._delivered is not None or self.producer is None:
            return []
        return [AskMore(self.confirmed_seq_nr, self.requested_seq_nr, via_timeout=True)]

    def _take(self, producer: Hashable, numbered: Numbered) -> list[Told]:
        if producer != self.producer:
            return self._take_from_other(producer, numbered)
        expected = self.received_seq_nr + 1
        if numbered.seq_nr == expected:
            return [self._deliver(numbered)]
        if numbered.seq_nr < expected:
            return [AskMore(self.confirmed_seq_nr, self.requested_seq_nr, via_timeout=True)] if numbered.first else []
        if self._resending:
            return []
        return self._ask_again(expected)

    def _take_from_other(self, producer: Hashable, numbered: Numbered) -> list[Told]:
        if not numbered.first:
            if self.producer is not None and self.received_seq_nr:
                return []  # of a producer that was replaced
            self.producer = producer
            return self._ask_again(0)
        self.producer = producer
        self.confirmed_seq_nr = 0
        self.requested_seq_nr = numbered.seq_nr - 1 + self._window
        self._waiting = deque(entry for entry in self._waiting if entry[0] == producer)
        return [AskMore(0, self.requested_seq_nr), self._deliver(numbered)]

    def _deliver(self, numbered: Numbered) -> Deliver:
        self._resending = False
        self.received_seq_nr = numbered.seq_nr
        self._delivered = numbered
        return Deliver(numbered)

    def _ask_again(self, from_seq_nr: int) -> list[Told]:
        self._resending = True
        return [AskAgain(from_seq_nr)]
