"""Dead letters: published on the event stream, counted, and logged up to a limit.

After `LOGGED` lines logging pauses for `SILENCE_S`, and then reports how many there were. Pekko's settings for these
are `log-dead-letters` and `log-dead-letters-suspend-duration`.
"""

from __future__ import annotations

import logging
from typing import Any

from smackbox.akka.actor.dispatcher import Dispatcher
from smackbox.akka.actor.errors import AskTimeoutError
from smackbox.akka.actor.events import EventStream
from smackbox.akka.actor.messages import DeadLetter
from smackbox.akka.actor.ref import ActorRef, Envelope, PromiseRef

LOGGED = 10
SILENCE_S = 300.0
TEXT_LIMIT = 200

log = logging.getLogger("smackbox.akka.dead_letters")


class DeadLetters:
    """The dead letters of one actor system. `count` is their number."""

    def __init__(self, events: EventStream, dispatcher: Dispatcher) -> None:
        self._events = events
        self._dispatcher = dispatcher
        self.count = 0
        self._logged = 0
        self._silent_until_s: float | None = None
        self._unlogged = 0

    def add(self, item: Any, recipient: ActorRef[Any], reason: str) -> None:
        """`item` is in its mailbox form. If an asker waits for the reply, its ask fails at once."""
        sender = item.sender if type(item) is Envelope else None
        message = item.message if type(item) is Envelope else item
        letter = DeadLetter(message, sender, str(recipient.path), reason)
        self.count += 1
        self._events.publish(letter)
        self._log(letter)
        if isinstance(sender, PromiseRef):
            sender.fail(AskTimeoutError(f"{recipient.path} does not reply: {reason}"))

    def _log(self, letter: DeadLetter) -> None:
        now_s = self._dispatcher.now_s()
        if self._silent_until_s is not None:
            if now_s < self._silent_until_s:
                self._unlogged += 1
                return
            log.info("%d more dead letters while the log was silent", self._unlogged)
            self._silent_until_s, self._logged, self._unlogged = None, 0, 0
        self._logged += 1
        log.info(
            "dead letter to %s from %s (%s): %s",
            letter.recipient,
            letter.sender.path if letter.sender is not None else "nobody",
            letter.reason,
            _shown(letter.message),
        )
        if self._logged >= LOGGED:
            self._silent_until_s = now_s + SILENCE_S
            log.info("no more dead letters are logged for %.0f s", SILENCE_S)


def _shown(message: Any) -> str:
    """A message as text for the log; a failing `repr` must not raise in the sender."""
    try:
        return repr(message)[:TEXT_LIMIT]
    except Exception as error:
        return f"a {type(message).__name__} whose repr raises {type(error).__name__}"
