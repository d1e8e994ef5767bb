"""Compression tables: paths and manifests that often come from another system are sent as numbers instead.

The receiver counts what comes, and advertises the most frequent ones with a number each, as a table of a version. The
sender acknowledges it, and from then on writes numbers, with the version, instead of texts. Versions go from 1 to 127,
then from 0. A receiver keeps the tables of the last three versions, for messages that are on their way. Only
the ordinary stream is compressed.

Source: `InboundCompressions` and `CompressionProtocol` of Pekko's remoting.
Where Pekko estimates frequencies by a sketch, these are counts with a bound, halved at each advertisement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from smackbox.akka.remote.control import UniqueAddress
from smackbox.base.errors import RequestError
from smackbox.base.protobuf.message import Proto

TABLE_LIMIT = 256
"""Entries of a table that is advertised (`max` of Pekko's settings)."""
TAKEN_LIMIT = 4_096
"""Entries of a table that is taken from another system."""
COUNTED_LIMIT = 2_048
"""Texts that are counted; beyond them the rare ones are forgotten."""
HITS = 4
"""How often a text comes before it is worth an entry."""
OLD_TABLES = 3
RESENDS = 3
"""How often an advertisement without an acknowledgement is sent again."""
NUMBER_LIMIT = 0xFFFF
SAMPLED_FROM, SAMPLING = 1_024, 7
"""After so many messages, only one of eight is counted."""


class CompressionError(RequestError):
    """A number that no table explains: the message is dropped."""


class TableAdvertisement(msgspec.Struct, frozen=True):
    """`keys` and `values` are one sequence of pairs; `origin` is the uid of the system that is to use the table."""

    from_: Annotated[UniqueAddress, Proto(1)]
    origin: Annotated[int, Proto(2, "uint64")]
    version: Annotated[int, Proto(3, "uint32")]
    keys: Annotated[list[str], Proto(4)] = []
    values: Annotated[list[int], Proto(5, "uint32")] = []


class TableAck(msgspec.Struct, frozen=True):
    from_: Annotated[UniqueAddress, Proto(1)]
    version: Annotated[int, Proto(2, "uint32")]


@dataclass(slots=True)
class OutboundTables:
    """What another system has advertised to us, for paths and for manifests: a version and numbers by text.

    `heads` are headers that were written with these tables (`frames.encode`); they go with them.
    """

    refs: dict[str, int] = field(default_factory=dict)
    refs_version: int = 0
    manifests: dict[str, int] = field(default_factory=dict)
    manifests_version: int = 0
    heads: dict[tuple[str, str, str, int, int], bytes] = field(default_factory=dict, compare=False)


def checked_table(advertisement: TableAdvertisement) -> dict[str, int]:
    """Numbers by text. Raises `ValueError` for what is no table."""
    keys, values = advertisement.keys, advertisement.values
    if len(keys) != len(values) or len(keys) > TAKEN_LIMIT or advertisement.version > 127:
        raise ValueError(
            f"a compression table of {len(keys)} texts, {len(values)} numbers and version {advertisement.version}"
        )
    if any(value > NUMBER_LIMIT for value in values):
        raise ValueError(f"a compression table with numbers beyond {NUMBER_LIMIT}")
    return {key: value for key, value in zip(keys, values, strict=True) if key}


class InboundTable:
    """What one other system sends, of one kind. `advertise(version, texts)` sends a table: `texts[n]` is number n."""

    def __init__(self, advertise: Callable[[int, list[str]], None]) -> None:
        self._advertise = advertise
        self._counts: Counter[str] = Counter()
        self._tables: dict[int, list[str]] = {}
        self._active: list[str] = []
        self._version = 0
        self._next: list[str] | None = None
        self._sent = 0
        self._is_confirmed = True
        """Whether the other system is known to have the active table."""
        self.numbers_read = 0

    def hit(self, text: str) -> None:
        """A text has come, in full or as a number."""
        counts = self._counts
        counts[text] += 1
        if len(counts) > COUNTED_LIMIT:
            self._counts = Counter(dict(counts.most_common(COUNTED_LIMIT // 2)))

    def text(self, version: int, number: int) -> str:
        """Raises `CompressionError`. The first number of an advertised table confirms it."""
        if self._next is not None and version == self._next_version:
            self.confirm(version)
        table = self._tables.get(version)
        if table is None or number >= len(table):
            raise CompressionError(f"the number {number} of compression table {version} is not known")
        if version == self._version:
            self._is_confirmed = True
        self.numbers_read += 1
        return table[number]

    def confirm(self, version: int) -> None:
        """The other system has the advertised table."""
        if version == self._version:
            self._is_confirmed = True  # late, of a table that was given up
        if self._next is not None and version == self._next_version:
            self._use_next(is_confirmed=True)

    def _use_next(self, *, is_confirmed: bool) -> None:
        assert self._next is not None
        self._version = version = self._next_version
        self._active, self._next = self._next, None
        self._is_confirmed = is_confirmed
        self._tables[version] = self._active
        while len(self._tables) > OLD_TABLES + 1:
            del self._tables[next(iter(self._tables))]

    def tick(self) -> None:
        """Advertise a table where the active one is not what comes most; again where the last one is not confirmed.

        After `RESENDS` the table counts as advertised, for it may be in use; the next tick advertises a new version, as
        long as messages come (`runNextTableAdvertisement` of Pekko's `InboundCompression`).
        """
        if self._next is not None:
            self._sent += 1
            if self._sent <= RESENDS:
                self._advertise(self._next_version, self._next)
            else:
                self._use_next(is_confirmed=False)
            return
        wanted = [text for text, hits in self._counts.most_common(TABLE_LIMIT) if hits >= HITS]
        self._counts = Counter({text: hits // 2 for text, hits in self._counts.items() if hits > 1})
        # a table that holds all of it may stay, though it holds more
        if not set(wanted) <= set(self._active) or (wanted and not self._is_confirmed):
            self._next, self._sent = wanted, 0
            self._advertise(self._next_version, wanted)

    @property
    def _next_version(self) -> int:
        return 0 if self._version == 127 else self._version + 1


class InboundTables:
    """What one other system sends: paths of senders and recipients, and manifests."""

    def __init__(self, refs: Callable[[int, list[str]], None], manifests: Callable[[int, list[str]], None]) -> None:
        self.refs = InboundTable(refs)
        self.manifests = InboundTable(manifests)
        self._seen = 0

    def seen(self, sender: str, recipient: str, manifest: str) -> None:
        """A message has come. What is used once (promises) is not counted."""
        self._seen += 1
        if self._seen > SAMPLED_FROM and self._seen & SAMPLING:
            return
        for path in (sender, recipient):
            if path and "/temp/" not in path:
                self.refs.hit(path)
        if manifest:
            self.manifests.hit(manifest)

    def tick(self) -> None:
        """Time to advertise."""
        self.refs.tick()
        self.manifests.tick()
