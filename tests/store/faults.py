"""Every way in which a disk can fail in the course of a workload: at each operation, at some bytes of it, once or for
ever. `survive` runs a workload under each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from smackbox.store.fs import FaultyDisk

FAIL_BYTES = (0, 1, 7, 40)

Workload = Callable[[Path, FaultyDisk], dict[str, object]]
Read = Callable[[Path], dict[str, object]]


def survive(tmp_path: Path, workload: Workload, read: Read, *, steps: int = 1) -> int:
    """Run `workload` on disks that fail at each `steps`-th operation, read what is there with `read`, and assert that
    everything that the workload gives back as acknowledged is. Gives the count of disks."""
    counted = FaultyDisk()
    (tmp_path / "whole").mkdir()
    acknowledged = workload(tmp_path / "whole", counted)
    assert acknowledged.items() <= read(tmp_path / "whole").items()
    disks = 0
    for number, (fail_at, fail_byte, once) in enumerate(_faults(counted.operations, steps)):
        directory = tmp_path / str(number)
        directory.mkdir()
        disk = FaultyDisk(fail_at=fail_at, fail_byte=fail_byte, once=once)
        acknowledged = workload(directory, disk)
        found = read(directory)
        lost = {key: value for key, value in acknowledged.items() if found.get(key) != value}
        assert not lost, f"operation {fail_at} failed at byte {fail_byte}, {once=}: {lost} of {found}"
        disks += 1
    return disks


def _faults(operations: int, steps: int) -> Iterator[tuple[int, int, bool]]:
    for fail_at in range(0, operations, steps):
        yield from product([fail_at], FAIL_BYTES, [True, False])
