"""Stages that run whole sources and sinks beside themselves, and consume or feed them: substreams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smackbox.akka.stream.connection import Connection
from smackbox.akka.stream.materializer import Part
from smackbox.akka.stream.shape import SinkShape, SourceShape
from smackbox.akka.stream.stage import InHandlers, OutHandlers, Stage


class OuterStage(Stage):
    """A stage whose ports may come while it runs."""

    def new_part(self) -> Part:
        """What connects further stages to this one's island."""
        part: Part = self.interpreter.materializer(self.attributes)
        return part

    def run_source(
        self,
        source: SourceShape[Any, Any],
        on_push: Callable[[Connection], None],
        on_finish: Callable[[Connection], None],
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> tuple[Connection, Any]:
        """Run `source` beside this stage, which consumes it. The handlers get the connection. Returns it, with the
        source's materialized value.
        """
        part = self.new_part()
        out, value = source.attach(part)
        holder: list[Connection] = []
        handlers = InHandlers(lambda: on_push(holder[0]), lambda: on_finish(holder[0]), on_failure or self.fail_stage)
        holder.append(part.connect(out, self, self.later_port(handlers)))
        part.start()
        return holder[0], value

    def run_sink(
        self,
        sink: SinkShape[Any, Any],
        on_pull: Callable[[], None],
        on_cancel: Callable[[BaseException], None] | None = None,
    ) -> tuple[Connection, Any]:
        """Run `sink` beside this stage, which feeds it."""
        part = self.new_part()
        out = (self, self.later_port(OutHandlers(on_pull, on_cancel or self.cancel_stage)))
        value = sink.attach(part, out)
        connection = self.outlets[-1]
        part.start()
        return connection, value
