"""The start of a replay: in the topic or, if retention has deleted the records, in the topic's archive."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from smackbox.app.keeping import Archive
from smackbox.base.errors import StorageError, UserError
from smackbox.runtime.box_parts import copy_checkpoint
from smackbox.spark.replay.archive import archived_files
from smackbox.spark.replay.bounded_topic import BoundedTopic
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.spark.streaming.errors import AwayError, DataLossError
from smackbox.spark.streaming.settings import StreamSettings

Bounds = Mapping[int, tuple[int, int]]
"""By partition, the first offset that is there and the one after the last."""


class Origin(NamedTuple):
    """The `files` of the archive to read, then the topic from `offsets` on."""

    files: list[str]
    offsets: dict[int, int]


def find_origin(
    stream: StreamSettings,
    partitions: frozenset[int] | None,
    ends: Mapping[int, int],
    start_ms: int | None,
    archive: Archive | None,
    checkpoints: Path,
    scratch: Path,
) -> Origin:
    """The start for the records before `ends`; with `start_ms`, for those of that time and later.

    `checkpoints` has the archive's checkpoint. Raises `DataLossError` if records are in neither, and `UserError`.
    """
    topic = BoundedTopic(stream.kafka, stream.topic, partitions, stream.kafka_options)
    try:
        bounds = topic.bounds()
        starts = {number: low for number, (low, _) in bounds.items()}
        if start_ms is not None:
            starts = topic.offsets_at(start_ms)
    except AwayError as error:
        raise UserError(str(error)) from error
    finally:
        topic.close()
    # what the stream has not read yet of a partition, it reads from the first record that is there
    starts = {number: min(start, ends.get(number, bounds[number][0])) for number, start in starts.items()}
    lost = {number for number, start in starts.items() if number in ends and 0 < bounds[number][0] >= start}
    if not lost:
        return Origin([], starts)
    if archive is None:
        number = min(lost)
        raise DataLossError(
            f"retention took the records of {stream.topic} before offset {bounds[number][0]} of partition {number}, "
            "and the application keeps no archive of it (app.archive): choose a --from that is more than a day later "
            "than the first record that is there"
        )
    archived = _archived(archive, checkpoints / archive.name, scratch)
    _check_seam(stream, ends, archived, bounds)
    try:
        files = archived_files(archive.to, stream.topic, {n: archived.get(n, 0) for n in ends}, start_ms)
    except StorageError as error:
        raise UserError(str(error)) from error
    offsets = {number: archived.get(number, 0) if number in ends else low for number, (low, _) in bounds.items()}
    return Origin([file.key for file in files], offsets)


def _archived(archive: Archive, checkpoint_dir: Path, scratch: Path) -> dict[int, int]:
    """By partition, the offset up to which the archive has committed its files."""
    if not (checkpoint_dir / "state").exists():
        raise DataLossError(f"the archive of {archive.topic} has not run here: there is nothing in it")
    copy = scratch / "archive-copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy_checkpoint(checkpoint_dir, copy)
    checkpoint = Checkpoint.open(copy, stream=archive.name, topic=archive.topic, unique_horizon=1, sync=False)
    offsets = checkpoint.offsets
    checkpoint.close()
    shutil.rmtree(copy, ignore_errors=True)
    return offsets


def _check_seam(stream: StreamSettings, ends: Mapping[int, int], archived: Mapping[int, int], bounds: Bounds) -> None:
    """The archive must reach the topic's first record, but not go beyond the stream's position."""
    for number, end in ends.items():
        if number not in bounds:
            raise DataLossError(f"{stream.topic} has no partition {number} any more: was it re-created?")
        known = archived.get(number, 0)
        if known > end:
            raise UserError(
                f"the archive of {stream.topic} is further than the stream {stream.name} (partition {number}, {known} "
                f"and {end}): let the stream catch up first"
            )
        if known < bounds[number][0]:
            raise DataLossError(
                f"partition {number} of {stream.topic}: the archive ends at offset {known}, and the topic begins at "
                f"{bounds[number][0]}: what is between is gone"
            )
