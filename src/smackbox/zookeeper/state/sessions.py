"""Sessions: alive while their client sends packets, and ended by the clock alone."""

from __future__ import annotations

import hmac
from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """`deadline_ms` is by the monotonic clock: silence until then ends the session."""

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
        """The session of that id, None when it has ended."""
        return self._by_id.get(session_id)

    def add(self, session_id: int, timeout_ms: int, password: bytes, now_ms: int) -> Session:
        """Begin a session, whose first deadline is `timeout_ms` from now."""
        session = Session(session_id, timeout_ms, password, now_ms + timeout_ms)
        self._by_id[session_id] = session
        return session

    def remove(self, session_id: int) -> None:
        """The session has ended."""
        self._by_id.pop(session_id, None)

    def touch(self, session: Session, now_ms: int) -> None:
        """The client has been heard: its deadline moves."""
        session.deadline_ms = now_ms + session.timeout_ms

    def resume(self, session_id: int, password: bytes, timeout_ms: int, now_ms: int) -> Session | None:
        """The session, with the time-out of its newest connection; None when it is not there or not the caller's."""
        session = self._by_id.get(session_id)
        if session is None or not hmac.compare_digest(session.password, password):
            return None
        session.timeout_ms = timeout_ms
        self.touch(session, now_ms)
        return session

    def expired(self, now_ms: int) -> list[Session]:
        """Those whose deadline is past."""
        return [session for session in self._by_id.values() if session.deadline_ms < now_ms]
