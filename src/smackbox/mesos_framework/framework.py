"""The interface of Marathon and Chronos to the server that runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

from smackbox.mesos_framework.driver import SchedulerDriver
from smackbox.mesos_framework.term import M, Term
from smackbox.net.http import Answer, HttpRequest, HttpResponse

EndTerm = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a process: `address` is its advertised URL. `abdicate` passes its leadership to another
    process.
    """

    address: str
    http_port: int
    abdicate: Callable[[], None]

    @property
    def host_port(self) -> str:
        """The address without its scheme."""
        return self.address.partition("://")[2]


class Framework(ABC, Generic[M]):
    """A framework's state machine, and its request handlers."""

    @abstractmethod
    def new_machine(self, driver: SchedulerDriver) -> M:
        """A new, empty state machine."""

    @abstractmethod
    def answer(self, term: Term[M], place: Place, request: HttpRequest) -> Answer:
        """Answer a request to the leader."""

    def local_answer(self, machine: M | None, request: HttpRequest) -> Answer | None:
        """The answers that every process gives itself; None if only the leader can. `machine` is set while it leads."""
        return HttpResponse.text("pong") if request.path == "/ping" else None

    def begin_term(self, term: Term[M]) -> EndTerm:
        """Start what runs while this process leads; returns the function that stops it."""
        return nothing

    def close(self) -> None:
        """Close what outlives a term."""


async def nothing() -> None:
    """For a framework that starts nothing besides a term."""
