"""Sessions: alive while their clients send packets, and expired only by the clock."""

from __future__ import annotations

import hmac
from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """The session expires at `deadline_ms` of the monotonic clock, unless its client sends a packet before."""

    id: int
    timeout_ms: int
    password: bytes
    deadline_ms: int


class Sessions:
    """All sessions by id."""

    def __init__(self) -> None:
        self._by_id: dict[int, Session] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Session]:
        """All sessions that are alive."""
        return list(self._by_id.values())

    def get(self, session_id: int) -> Session | None:
        """The session of that id, or None when it has ended."""
        return self._by_id.get(session_id)

    def add(self, session_id: int, timeout_ms: int, password: bytes, now_ms: int) -> Session:
        """Open a session with its first deadline `timeout_ms` from now."""
        session = Session(session_id, timeout_ms, password, now_ms + timeout_ms)
        self._by_id[session_id] = session
        return session

    def remove(self, session_id: int) -> None:
        """The session has ended."""
        self._by_id.pop(session_id, None)

    def touch(self, session: Session, now_ms: int) -> None:
        """The client has sent a packet: extend its deadline."""
        session.deadline_ms = now_ms + session.timeout_ms

    def resume(self, session_id: int, password: bytes, timeout_ms: int, now_ms: int) -> Session | None:
        """The session, with the timeout of its newest connection; None when it does not exist or is not the
        caller's.
        """
        session = self._by_id.get(session_id)
        if session is None or not hmac.compare_digest(session.password, password):
            return None
        session.timeout_ms = timeout_ms
        self.touch(session, now_ms)
        return session

    def expired(self, now_ms: int) -> list[Session]:
        """The sessions whose deadline has passed."""
        return [session for session in self._by_id.values() if session.deadline_ms < now_ms]
