"""What users ask a replicator, what it answers, and what replicators tell each other.

Source: `Replicator` of Pekko 1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smackbox.akka.actor.ref import ActorRef
from smackbox.akka.cluster.member import UniqueAddress
from smackbox.akka.ddata.consistency import LOCAL, Consistency
from smackbox.akka.ddata.data import Data, Key
from smackbox.akka.ddata.envelope import DataEnvelope


@dataclass(frozen=True, slots=True)
class Command:
    """To the replicator; the answer goes to the sender. `request` comes back in it."""

    key: Key[Any]


@dataclass(frozen=True, slots=True)
class Get(Command):
    """Answered by `GetSuccess`, `NotFound`, `GetFailure` or `DataDeleted`."""

    consistency: Consistency = LOCAL
    request: Any = None


@dataclass(frozen=True, slots=True)
class Update(Command):
    """`change` gets the current value, `initial` where there is none. Answered by `UpdateSuccess`, `UpdateTimeout`,
    `ModifyFailure` or `DataDeleted`.
    """

    initial: Data
    change: Callable[[Any], Data]
    consistency: Consistency = LOCAL
    request: Any = None


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """For good: the key cannot be used again. Answered by `DeleteSuccess`, `DeleteFailure` or `DataDeleted`."""

    consistency: Consistency = LOCAL
    request: Any = None


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """`subscriber` gets `Changed` now, where there is data, and after each change, and `Deleted`."""

    subscriber: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    subscriber: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    key: Key[Any]
    request: Any = None


@dataclass(frozen=True, slots=True)
class GetSuccess(Answer):
    data: Any = None


@dataclass(frozen=True, slots=True)
class NotFound(Answer):
    pass


@dataclass(frozen=True, slots=True)
class GetFailure(Answer):
    """Not enough nodes answered in time."""


@dataclass(frozen=True, slots=True)
class UpdateSuccess(Answer):
    pass


@dataclass(frozen=True, slots=True)
class UpdateTimeout(Answer):
    """Not enough nodes answered in time; the change is made here, and spreads all the same."""


@dataclass(frozen=True, slots=True)
class ModifyFailure(Answer):
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class DeleteSuccess(Answer):
    pass


@dataclass(frozen=True, slots=True)
class DeleteFailure(Answer):
    """Not enough nodes answered in time; it is deleted here, and that spreads all the same."""


@dataclass(frozen=True, slots=True)
class DataDeleted(Answer):
    """There was a `Delete`."""


@dataclass(frozen=True, slots=True)
class Changed:
    key: Key[Any]
    data: Any


@dataclass(frozen=True, slots=True)
class Deleted:
    key: Key[Any]


# -- between replicators


@dataclass(frozen=True, slots=True)
class ReplicatorMessage:
    pass


@dataclass(frozen=True, slots=True)
class Write(ReplicatorMessage):
    key: str
    envelope: DataEnvelope
    from_: UniqueAddress | None


@dataclass(frozen=True, slots=True)
class WriteAck(ReplicatorMessage):
    pass


@dataclass(frozen=True, slots=True)
class WriteNack(ReplicatorMessage):
    pass


@dataclass(frozen=True, slots=True)
class DeltaNack(ReplicatorMessage):
    """Deltas before this one are missing here."""


@dataclass(frozen=True, slots=True)
class Read(ReplicatorMessage):
    key: str
    from_: UniqueAddress | None


@dataclass(frozen=True, slots=True)
class ReadResult(ReplicatorMessage):
    envelope: DataEnvelope | None


@dataclass(frozen=True, slots=True)
class Status(ReplicatorMessage):
    """Digests of the data of a share (`chunk` of `chunks`) of all keys."""

    digests: Mapping[str, bytes]
    chunk: int
    chunks: int
    to_uid: int | None
    from_uid: int | None


@dataclass(frozen=True, slots=True)
class Gossip(ReplicatorMessage):
    data: Mapping[str, DataEnvelope]
    send_back: bool
    to_uid: int | None
    from_uid: int | None


@dataclass(frozen=True, slots=True)
class RangedDelta:
    envelope: DataEnvelope
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Deltas(ReplicatorMessage):
    from_: UniqueAddress
    reply: bool
    deltas: Mapping[str, RangedDelta]
