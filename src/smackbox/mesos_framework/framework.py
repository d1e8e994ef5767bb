"""What Marathon and Chronos say of themselves to the server that runs them."""

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
    """Where a process is: `address` is its advertised URL. `abdicate` gives its leadership to another process."""

    address: str
    http_port: int
    abdicate: Callable[[], None]

    @property
    def host_port(self) -> str:
        """The address without its scheme."""
        return self.address.partition("://")[2]


class Framework(ABC, Generic[M]):
    """A framework's machine, and how it answers requests."""

    @abstractmethod
    def new_machine(self, driver: SchedulerDriver) -> M:
        """Its state, empty."""

    @abstractmethod
    def answer(self, term: Term[M], place: Place, request: HttpRequest) -> Answer:
        """A request to the leader."""

    def local_answer(self, machine: M | None, request: HttpRequest) -> Answer | None:
        """What every process answers by itself; None where the leader has to. `machine` is there while it leads."""
        return HttpResponse.text("pong") if request.path == "/ping" else None

    def begin_term(self, term: Term[M]) -> EndTerm:
        """Start what runs while this process leads; the result stops it."""
        return nothing

    def close(self) -> None:
        """End what outlives a term."""


async def nothing() -> None:
    """For a framework that starts nothing beside a term."""
