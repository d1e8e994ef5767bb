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
    """`subscriber` gets nothing more of this key."""

    subscriber: ActorRef[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """To a command; `request` is the command's."""

    key: Key[Any]
    request: Any = None


@dataclass(frozen=True, slots=True)
class GetSuccess(Answer):
    """`data` is what enough nodes have, merged."""

    data: Any = None


@dataclass(frozen=True, slots=True)
class NotFound(Answer):
    """There is no data."""


@dataclass(frozen=True, slots=True)
class GetFailure(Answer):
    """Not enough nodes answered in time."""


@dataclass(frozen=True, slots=True)
class UpdateSuccess(Answer):
    """The change is on enough nodes."""


@dataclass(frozen=True, slots=True)
class UpdateTimeout(Answer):
    """Not enough nodes answered in time; the change is made here, and spreads all the same."""


@dataclass(frozen=True, slots=True)
class ModifyFailure(Answer):
    """The function of an `Update` raised `error`; nothing is changed."""

    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class DeleteSuccess(Answer):
    """The key is deleted on enough nodes."""


@dataclass(frozen=True, slots=True)
class DeleteFailure(Answer):
    """Not enough nodes answered in time; it is deleted here, and that spreads all the same."""


@dataclass(frozen=True, slots=True)
class DataDeleted(Answer):
    """There was a `Delete`."""


@dataclass(frozen=True, slots=True)
class Changed:
    """To a subscriber: the data now."""

    key: Key[Any]
    data: Any


@dataclass(frozen=True, slots=True)
class Deleted:
    """To a subscriber: the key is deleted, for good."""

    key: Key[Any]


# -- between replicators


@dataclass(frozen=True, slots=True)
class ReplicatorMessage:
    """Between replicators."""


@dataclass(frozen=True, slots=True)
class Write(ReplicatorMessage):
    """Merge this, and answer `WriteAck` or `WriteNack`."""

    key: str
    envelope: DataEnvelope
    from_: UniqueAddress | None


@dataclass(frozen=True, slots=True)
class WriteAck(ReplicatorMessage):
    """A write, or a delta, is merged."""


@dataclass(frozen=True, slots=True)
class WriteNack(ReplicatorMessage):
    """A write is of another kind than the data here."""


@dataclass(frozen=True, slots=True)
class DeltaNack(ReplicatorMessage):
    """Deltas before this one are missing here."""


@dataclass(frozen=True, slots=True)
class Read(ReplicatorMessage):
    """Answered by `ReadResult`."""

    key: str
    from_: UniqueAddress | None


@dataclass(frozen=True, slots=True)
class ReadResult(ReplicatorMessage):
    """What a replica has; None where it has nothing."""

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
    """Whole data that differed; with `send_back` the receiver sends its own after merging."""

    data: Mapping[str, DataEnvelope]
    send_back: bool
    to_uid: int | None
    from_uid: int | None


@dataclass(frozen=True, slots=True)
class RangedDelta:
    """The changes of a node from number `first` to `last`."""

    envelope: DataEnvelope
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Deltas(ReplicatorMessage):
    """Changes by key; with `reply` each is answered."""

    from_: UniqueAddress
    reply: bool
    deltas: Mapping[str, RangedDelta]
