"""What may be attached to a stream that is being built: a source, a flow or a sink, however it was made.

Pekko's operators take a `Graph[SourceShape[T], M]` for the same reason: who goes on with a source need not know how
sources are made.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from smackbox.akka.stream.blueprint import FoldSpec, Step
from smackbox.akka.stream.materializer import Out, Part

I = TypeVar("I", contravariant=True)  # noqa: E741, PLC0105 - the input's type
T = TypeVar("T")
M = TypeVar("M")
N = TypeVar("N")


class SinkShape(Generic[I, M]):
    """Takes elements of type I, and materializes an M."""

    fold_spec: FoldSpec | None
    """How it gathers, where that is all it does: it may be fused with what is before it."""

    @abstractmethod
    def attach(self, part: Part, out: Out) -> M:
        """Take what comes out of `out` in a part that is being built."""


class SourceShape(Generic[T, M]):
    """Gives elements of type T, and materializes an M."""

    @abstractmethod
    def attach(self, part: Part) -> tuple[Out, M]:
        """Add this source's stages to a part that is being built."""

    @abstractmethod
    def attach_to(self, sink: SinkShape[T, N], part: Part) -> tuple[M, N]:
        """Add this source's stages and `sink` behind them, as one stage where that can be."""


class FlowShape(Generic[I, T, M]):
    """Takes elements of type I, gives elements of type T, and materializes an M."""

    @abstractmethod
    def attach(self, part: Part, out: Out) -> tuple[Out, M]:
        """Go on from `out` in a part that is being built."""

    @abstractmethod
    def plain_steps(self) -> tuple[Step, ...] | None:
        """Its steps, where they materialize nothing: they may be fused with their neighbours."""
