"""Two lines through one stage, so that the end of one is the end of both."""

from __future__ import annotations

from smackbox.akka.stream.stage import Stage


class Coupled(Stage):
    """Two directions that end together."""

    ins = 2
    outs = 2

    def on_push_at(self, port: int) -> None:
        self.outlets[port].push(self.inlets[port].grab())

    def on_pull_at(self, port: int) -> None:
        self.inlets[port].try_pull()
