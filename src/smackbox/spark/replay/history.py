"""What a replayed stream reads: the archive's files where retention was faster, then the topic, up to given offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smackbox.spark.replay.archive import ArchiveReader, PlaceInFiles
from smackbox.spark.replay.bounded_topic import BoundedTopic
from smackbox.spark.streaming.checkpoint import Checkpoint, Plan
from smackbox.spark.streaming.feed import Batch
from smackbox.spark.streaming.inputs.input import Bounds, Done, Stopped

ARCHIVE = "archive"


class HistoryFeed:
    """The records of `topic` for a `MicroBatchRunner`. Where it begins is in the checkpoint."""

    def __init__(self, name: str, topic: BoundedTopic, archive: ArchiveReader | None) -> None:
        self.name = name
        self.topic = topic
        self._archive = archive
        self._place: PlaceInFiles = (0, 0)

    def open(self, checkpoint: Checkpoint) -> None:
        """Go on where the checkpoint ends."""
        saved = checkpoint.inputs.get(ARCHIVE)
        self._place = (saved[0], saved[1]) if saved else (0, 0)
        self.topic.seek(checkpoint.offsets)

    def bound(self, ends: Mapping[int, int]) -> None:
        """Read the topic up to these offsets. Raises `DataLossError` for a partition whose first records are gone."""
        self.topic.begin([number for number in ends if number not in self.topic.next_offsets])
        self.topic.bound(ends)

    def is_end(self) -> bool:
        """Whether all is read."""
        return not self._reads_archive() and not self.topic.left()

    def take(self, bounds: Bounds, stopped: Stopped) -> Batch | None:
        """The next records; None at the end."""
        if self._reads_archive():
            assert self._archive is not None
            first = self._place
            records, self._place = self._archive.take(first, bounds.rows)
            return Batch({self.name: records}, {}, {ARCHIVE: [*first, *self._place]})
        messages, ranges = self.topic.take(bounds.rows, stopped)
        return Batch({self.name: messages}, ranges, {}) if ranges else None

    def again(self, plan: Plan, stopped: Stopped) -> dict[str, Sequence[Any]]:
        """The records of a plan."""
        if (places := plan.inputs.get(ARCHIVE)) is not None:
            assert self._archive is not None
            self._place = (places[2], places[3])
            return {self.name: self._archive.read((places[0], places[1]), self._place)}
        return {self.name: self.topic.read(plan.ranges, stopped)}

    def done(self, plan: Plan) -> dict[str, Done]:
        """What is committed beside the offsets: how far the archive is read."""
        places = plan.inputs.get(ARCHIVE)
        return {} if places is None else {ARCHIVE: Done([places[2], places[3]])}

    def show_progress(self, offsets: dict[int, int]) -> None:
        """Nobody else follows a replay."""

    @property
    def is_away(self) -> bool:
        """A replay listens to nobody: `take` raises."""
        return False

    def lag(self) -> int:
        """Offsets of the topic that are still to be read."""
        return self.topic.left()

    def close(self) -> None:
        """Disconnect."""
        self.topic.close()

    def _reads_archive(self) -> bool:
        return self._archive is not None and not self._archive.is_end(self._place)
