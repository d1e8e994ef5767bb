"""Status updates by the clock: in order, one at a time, and again until they are acknowledged."""

from __future__ import annotations

from typing import Any

from smackbox.base.clock import FakeClock
from smackbox.mesos.agent.state.status_updates import PENDING_LIMIT, StatusUpdates
from smackbox.mesos.agent.state.timers import Timers

KEY = ("f", "t")


class Line:
    """The streams, and what they sent."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.timers = Timers(self.clock)
        self.sent: list[str] = []
        self.updates = StatusUpdates(self.timers, lambda _, status: self.sent.append(status["uuid"]))

    def add(self, *uuids: str, key: tuple[str, str] = KEY) -> None:
        for uuid in uuids:
            self.updates.add(key, status(uuid))

    def after(self, seconds: int) -> list[str]:
        """What is sent when time passes, a second at a time."""
        self.sent.clear()
        for _ in range(seconds):
            self.clock.advance_ms(1_000)
            self.timers.run_due()
        return self.sent


def status(uuid: str) -> dict[str, Any]:
    return {"uuid": uuid, "state": "TASK_RUNNING"}


def test_the_first_is_sent_and_the_others_wait() -> None:
    line = Line()
    line.add("a", "b")
    assert line.sent == ["a"]
    assert line.updates.acknowledge(KEY, "b") is None, "it was not sent"
    assert line.updates.acknowledge(KEY, "a") == status("a")
    assert line.sent == ["a", "b"]
    assert line.updates.acknowledge(KEY, "a") is None, "an acknowledgement that comes twice"
    assert line.updates.acknowledge(KEY, "b") == status("b")
    assert not line.updates.is_pending(KEY)
    assert line.after(3_600) == []


def test_it_is_repeated_after_10_seconds_and_up_to_10_minutes() -> None:
    line = Line()
    line.add("a")
    moments = [second for second in range(1, 3_000) if line.after(1) == ["a"]]
    assert moments == [10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430]


def test_the_next_one_begins_at_10_seconds_again() -> None:
    line = Line()
    line.add("a", "b")
    line.after(100)
    line.updates.acknowledge(KEY, "a")
    assert line.after(9) == []
    assert line.after(1) == ["b"]


def test_a_master_that_is_there_anew_hears_all_at_once() -> None:
    line = Line()
    line.add("a", "b")
    line.add("x", key=("f", "u"))
    line.after(100)
    line.sent.clear()
    line.updates.resend()
    assert line.sent == ["a", "x"]
    assert line.after(9) == []
    assert sorted(line.after(1)) == ["a", "x"]


def test_what_is_forgotten_is_not_sent() -> None:
    line = Line()
    line.add("a")
    line.updates.forget(KEY)
    assert line.after(100) == []


def test_a_line_has_a_limit_and_keeps_its_first_and_its_last() -> None:
    line = Line()
    line.add(*map(str, range(PENDING_LIMIT + 5)))
    assert line.updates.head(KEY) == status("0")
    assert line.updates.latest(KEY) == status(str(PENDING_LIMIT + 4))
    line.updates.acknowledge(KEY, "0")
    assert line.updates.head(KEY) == status("6")


def test_timers_may_be_cancelled_and_set_others() -> None:
    line = Line()
    done: list[str] = []
    line.timers.after(10, lambda: done.append("never")).cancel()
    line.timers.after(10, lambda: line.timers.after(0, lambda: done.append("second")))
    assert line.timers.next_ms() == 10
    line.clock.advance_ms(10)
    line.timers.run_due()
    assert done == []
    line.timers.run_due()
    assert done == ["second"]
    assert line.timers.next_ms() is None
