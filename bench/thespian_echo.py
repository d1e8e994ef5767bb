"""What does a Thespian actor cost that answers everything with itself? (For `bench.akka_vs_others`.)"""

from __future__ import annotations

from typing import Any

from thespian.actors import Actor  # type: ignore[import-not-found, unused-ignore]


class ThespianEcho(Actor):  # type: ignore[misc, unused-ignore]
    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802 - Thespian's name
        self.send(sender, message)
