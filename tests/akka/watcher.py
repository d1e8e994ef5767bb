"""An actor that watches whoever it is told of, and keeps the signals that it gets."""

from __future__ import annotations

from typing import Any

from smackbox.akka import Actor, ActorRef


class Watcher(Actor[ActorRef[Any]]):
    def __init__(self, heard: list[Any]) -> None:
        self.heard = heard

    def receive(self, message: ActorRef[Any]) -> None:
        self.context.watch(message)

    def on_signal(self, signal: Any) -> None:
        self.heard.append(signal)
