"""The order in which a mailbox gives its messages (Akka's "Mailboxes"), without an actor."""

from __future__ import annotations

from collections import deque

import pytest

from smackbox.akka.actor.mailbox import (
    UNBOUNDED,
    ControlAwareMailbox,
    ControlMessage,
    PriorityMailbox,
    bounded,
    control_aware,
    priority,
)
from smackbox.akka.actor.ref import Envelope


class Stop(ControlMessage):
    def __init__(self, name: str) -> None:
        self.name = name


def drained(mailbox: ControlAwareMailbox | PriorityMailbox) -> list[object]:
    return [mailbox.popleft() for _ in range(len(mailbox))]


def test_which_mailbox_a_type_makes() -> None:
    assert (type(UNBOUNDED.make()), UNBOUNDED.capacity) == (deque, None)
    assert (type(bounded(1).make()), bounded(1).capacity) == (deque, 1)
    assert (type(control_aware(5).make()), control_aware(5).capacity, control_aware().capacity) == (
        ControlAwareMailbox,
        5,
        None,
    )
    assert (type(priority(len, 5).make()), priority(len, 5).capacity) == (PriorityMailbox, 5)
    with pytest.raises(ValueError, match="at least one"):
        bounded(0)


def test_control_messages_come_first_each_kind_in_its_order() -> None:
    mailbox = ControlAwareMailbox()
    first, second = Stop("first"), Envelope(Stop("second"), None)  # type: ignore[arg-type]
    third = Envelope("plain", None)  # type: ignore[arg-type]
    for item in ("a", first, third, second):
        mailbox.append(item)
    assert (len(mailbox), list(mailbox)) == (4, [first, second, "a", third])
    assert drained(mailbox) == [first, second, "a", third]


def test_what_is_put_back_is_first_of_its_kind() -> None:
    """Unstashing: a message comes again before those that were sent after it."""
    mailbox = ControlAwareMailbox()
    control, again = Stop("control"), Stop("again")
    for item in ("a", control):
        mailbox.append(item)
    mailbox.appendleft("b")
    mailbox.appendleft(again)
    assert drained(mailbox) == [again, control, "b", "a"]


def test_the_least_key_comes_first_and_equal_ones_in_their_order() -> None:
    mailbox = PriorityMailbox(len)
    enveloped = Envelope("z", None)  # type: ignore[arg-type]
    for item in ("bbb", "aa", "b", "a", enveloped):
        mailbox.append(item)
    assert (len(mailbox), list(mailbox)) == (5, ["b", "a", enveloped, "aa", "bbb"])
    mailbox.appendleft("x")
    mailbox.appendleft("y")
    assert drained(mailbox) == ["y", "x", "b", "a", enveloped, "aa", "bbb"]
