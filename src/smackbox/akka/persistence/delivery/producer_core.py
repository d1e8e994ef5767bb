"""The sending side: numbers messages, keeps those that are not confirmed, and sends them again where they were lost.

Plain and synchronous. Methods return what is to be sent to the consumer's controller; `may_send` says whether the
producer may give another message. The first message goes out unasked, and again each second until it is confirmed, for
the consumer may not be there yet; after that the consumer says how many it takes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Numbered:
    """A message on its way."""

    seq_nr: int
    message: Any
    first: bool = False
    ack: bool = False


class ProducerCore:
    """Numbers begin at 1, or go on after what a durable queue has kept."""

    def __init__(self, current_seq_nr: int = 1, confirmed_seq_nr: int = 0, kept: tuple[Numbered, ...] = ()) -> None:
        self.current_seq_nr = current_seq_nr
        self.confirmed_seq_nr = confirmed_seq_nr
        self.requested_seq_nr = max(1, kept[-1].seq_nr if kept else current_seq_nr)
        self._first_seq_nr = confirmed_seq_nr + 1
        self._unconfirmed = deque(kept)

    @property
    def may_send(self) -> bool:
        """Whether the producer may give another message."""
        return self.current_seq_nr <= self.requested_seq_nr

    @property
    def first_is_unconfirmed(self) -> bool:
        """Whether the first message is to be sent again from time to time."""
        return bool(self._unconfirmed) and self._unconfirmed[0].seq_nr == self._first_seq_nr

    def send(self, message: Any, *, ack: bool = False) -> Numbered:
        """Number a message that the producer was asked for."""
        assert self.may_send, "the producer was not asked for a message"
        number = self.current_seq_nr
        numbered = Numbered(number, message, number == self._first_seq_nr, ack)
        self._unconfirmed.append(numbered)
        self.current_seq_nr += 1
        return numbered

    def request(self, confirmed_seq_nr: int, up_to_seq_nr: int, *, via_timeout: bool) -> list[Numbered]:
        """The consumer has room. What was perhaps lost is sent again."""
        was_first = confirmed_seq_nr == self._first_seq_nr
        self.confirm(confirmed_seq_nr)
        self.requested_seq_nr = max(self.requested_seq_nr, up_to_seq_nr)
        return list(self._unconfirmed) if via_timeout or was_first else []

    def confirm(self, confirmed_seq_nr: int) -> bool:
        """All up to there were handled. Whether that is news."""
        while self._unconfirmed and self._unconfirmed[0].seq_nr <= confirmed_seq_nr:
            self._unconfirmed.popleft()
        if confirmed_seq_nr <= self.confirmed_seq_nr or confirmed_seq_nr >= self.current_seq_nr:
            return False
        self.confirmed_seq_nr = confirmed_seq_nr
        return True

    def resend(self, from_seq_nr: int) -> list[Numbered]:
        """The consumer misses what begins there. From 0: it knows nothing of this producer."""
        if from_seq_nr == 0:
            self._mark_first()
        return [numbered for numbered in self._unconfirmed if numbered.seq_nr >= from_seq_nr]

    def resend_first(self) -> list[Numbered]:
        """The first message, where it is not confirmed."""
        return [self._unconfirmed[0]] if self.first_is_unconfirmed else []

    def change_consumer(self) -> list[Numbered]:
        """Another consumer takes over: it gets the oldest unconfirmed message first."""
        self._first_seq_nr = self._unconfirmed[0].seq_nr if self._unconfirmed else self.current_seq_nr
        self._mark_first()
        return self.resend_first()

    def _mark_first(self) -> None:
        if self._unconfirmed:
            oldest = self._unconfirmed.popleft()
            self._first_seq_nr = oldest.seq_nr
            self._unconfirmed.appendleft(Numbered(oldest.seq_nr, oldest.message, True, oldest.ack))
