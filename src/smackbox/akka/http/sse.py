"""Server-sent events (HTML standard, 9.2): a stream of events as an answer that goes on."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smackbox.akka.http.route import RequestContext, Result, Route, StreamedResponse

if TYPE_CHECKING:
    from smackbox.akka.stream.source import Source

EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """`data` may have lines. Raises `ValueError` for a line break in `event` or `id`."""

    data: str
    event: str | None = None
    id: str | None = None
    retry_ms: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("event", self.event), ("id", self.id)):
            if value is not None and ("\n" in value or "\r" in value):
                raise ValueError(f"the {name} of an event is one line, not {value!r}")

    def encode(self) -> bytes:
        lines = self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        out = "".join(f"data: {line}\n" for line in lines)
        if self.event is not None:
            out += f"event: {self.event}\n"
        if self.id is not None:
            out += f"id: {self.id}\n"
        if self.retry_ms is not None:
            out += f"retry: {self.retry_ms}\n"
        return (out + "\n").encode()


def complete_events(events: Source[ServerSentEvent, Any] | AsyncIterable[ServerSentEvent]) -> Route:
    """Answer with `events`, each in a chunk of its own."""
    chunks: Any
    chunks = _encoded(events) if isinstance(events, AsyncIterable) else events.map(ServerSentEvent.encode)
    response = StreamedResponse(chunks, EVENT_STREAM, headers={"Cache-Control": "no-cache"})

    async def run(_: RequestContext) -> Result:
        return response

    return Route(run)


async def _encoded(events: AsyncIterable[ServerSentEvent]) -> AsyncIterator[bytes]:
    async for event in events:
        yield event.encode()
