"""A read from, or a write to, several nodes: who is asked, who has answered, whether that is enough.

The nodes that are needed are asked at once, the others after a fifth of the time. Plain and synchronous.
Source: `ReadAggregator` and `WriteAggregator` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from smackbox.akka.actor.path import Address
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.consistency import Consistency
from smackbox.akka.ddata.envelope import DataEnvelope
from smackbox.akka.ddata.messages import (
    DeltaNack,
    Deltas,
    Read,
    ReadResult,
    ReplicatorMessage,
    Write,
    WriteAck,
    WriteNack,
)

SECONDARY_NODES = 10
SECONDARY_AFTER = 0.2
"""The share of the timeout."""

Send = Callable[[UniqueAddress, ReplicatorMessage], None]


class Aggregation:
    """`done` is None while it waits, then whether enough nodes have answered."""

    def __init__(self, nodes: Sequence[UniqueAddress], consistency: Consistency, send: Send) -> None:
        self.done: bool | None = None
        self._nodes = list(nodes)
        self._send = send
        self._missing = consistency.needed(len(nodes) + 1) - 1
        """Answers that are needed still."""
        self._waiting = {node.address for node in nodes}
        self._primary = self._nodes[: self._missing]
        self._secondary = self._nodes[self._missing :][:SECONDARY_NODES]

    def begin(self) -> None:
        """Ask the nodes that are needed."""
        if self._missing > len(self._nodes):
            self.done = False
            return
        for node in self._primary:
            self._ask(node)
        self._check()

    def ask_more(self) -> None:
        """After a fifth of the time."""
        for node in self._secondary:
            self._ask(node)

    def timed_out(self) -> None:
        """Not enough nodes have answered in time."""
        if self.done is None:
            self.done = False

    def receive(self, message: ReplicatorMessage, node: Address) -> None:
        """An answer of a node."""
        raise NotImplementedError

    def _ask(self, node: UniqueAddress) -> None:
        raise NotImplementedError

    def _answered(self, node: Address) -> None:
        if node in self._waiting:
            self._waiting.discard(node)
            self._missing -= 1
            self._check()

    def _check(self) -> None:
        if self.done is None and self._missing <= 0:
            self.done = True


class WriteAggregation(Aggregation):
    """Sends `deltas` first, where there are, and the whole to those that miss some."""

    def __init__(
        self,
        nodes: Sequence[UniqueAddress],
        consistency: Consistency,
        send: Send,
        *,
        write: Write,
        deltas: Deltas | None = None,
    ) -> None:
        super().__init__(nodes, consistency, send)
        self._write = write
        self._deltas = deltas
        self._refused: set[Address] = set()

    def _ask(self, node: UniqueAddress) -> None:
        self._send(node, self._write if self._deltas is None else self._deltas)

    def ask_more(self) -> None:
        if self._deltas is not None:
            self._deltas = None
            for node in self._primary:
                if node.address in self._waiting:
                    self._ask(node)
        super().ask_more()

    def receive(self, message: ReplicatorMessage, node: Address) -> None:
        if isinstance(message, WriteAck):
            self._answered(node)
        elif isinstance(message, WriteNack):
            self._refused.add(node)
            if self.done is None and not self._waiting - self._refused:
                self.done = False
        elif isinstance(message, DeltaNack):
            for known in self._nodes:
                if known.address == node:
                    self._send(known, self._write)


class ReadAggregation(Aggregation):
    """`result` is what all have, merged."""

    def __init__(
        self,
        nodes: Sequence[UniqueAddress],
        consistency: Consistency,
        send: Send,
        *,
        read: Read,
        local: DataEnvelope | None,
        now_ms: int,
    ) -> None:
        super().__init__(nodes, consistency, send)
        self.result = local
        self._read = read
        self._now_ms = now_ms

    def _ask(self, node: UniqueAddress) -> None:
        self._send(node, self._read)

    def receive(self, message: ReplicatorMessage, node: Address) -> None:
        if not isinstance(message, ReadResult) or node not in self._waiting:
            return
        envelope = message.envelope
        if envelope is not None:
            self.result = envelope if self.result is None else self.result.merge(envelope, self._now_ms)
        self._answered(node)
