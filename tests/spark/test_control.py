"""Copies of a stream's checkpoint, by its own process and without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from smackbox.base.errors import StorageError, UserError
from smackbox.net.control import call
from smackbox.spark.streaming.checkpoint import Checkpoint
from smackbox.spark.streaming.control import CheckpointCopied, CopyCheckpoint, copy_closed

LIMIT_S = 10.0


def opened(path: Path) -> Checkpoint:
    return Checkpoint.open(path, stream="s", topic="t", unique_horizon=10, sync=False)


def commit(checkpoint: Checkpoint, end: int) -> None:
    plan = checkpoint.write_plan({0: (end - 1, end)}, 1, 1)
    checkpoint.commit(plan, {0: end}, {b"key": b"%d" % end}, [b"id%d" % end])


def test_a_copy_of_a_running_stream_has_its_last_commit(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path / "live")
    commit(checkpoint, 1)
    call(tmp_path / "live", CopyCheckpoint(str(tmp_path / "copy")), CheckpointCopied, LIMIT_S)
    commit(checkpoint, 2)
    checkpoint.close()
    copy = opened(tmp_path / "copy")
    assert (copy.offsets, copy.totals([b"key"]), copy.seen([b"id1", b"id2"])) == ({0: 1}, [b"1"], [True, False])
    copy.close()


def test_a_copy_has_the_plan_of_a_batch_under_way(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path / "live")
    plan = checkpoint.write_plan({0: (0, 5)}, 7, 5)
    call(tmp_path / "live", CopyCheckpoint(str(tmp_path / "copy")), CheckpointCopied, LIMIT_S)
    checkpoint.close()
    copy = opened(tmp_path / "copy")
    assert copy.plan() == plan
    copy.close()


def test_the_checkpoint_of_a_stream_that_does_not_run_is_copied_too(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path / "live")
    commit(checkpoint, 3)
    checkpoint.close()
    copy_closed(tmp_path / "live", tmp_path / "copy")
    copy = opened(tmp_path / "copy")
    assert copy.offsets == {0: 3}
    copy.close()


def test_a_copy_over_something_is_refused_and_the_stream_goes_on(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    checkpoint = opened(tmp_path / "live")
    with pytest.raises(UserError, match="cannot be copied"):
        call(tmp_path / "live", CopyCheckpoint(str(tmp_path / "copy")), CheckpointCopied, LIMIT_S)
    commit(checkpoint, 1)
    checkpoint.close()
    with pytest.raises(StorageError, match="cannot be copied"):
        copy_closed(tmp_path / "live", tmp_path / "copy")
