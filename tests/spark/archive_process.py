"""An archive in a process of its own, which kills itself at the step and the time that its arguments name.

    archive_process.py KAFKA TOPIC CHECKPOINT TEMPLATE RECORDS STEP:TIMES

It ends when it has read RECORDS records (over its whole checkpoint), or is dead before. STEP is `planned`, `put`,
`committed` or `none`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kills import killing

from smackbox.spark.streaming import archive
from smackbox.spark.streaming.archive import ArchiveRunner, ArchiveSettings

archive.MAX_ROWS = 100


def main() -> None:
    kafka, topic, checkpoint, template, records, kill = sys.argv[1:7]
    at = killing(kill)
    settings = ArchiveSettings(
        name="archive", kafka=kafka, topic=topic, to=template, checkpoint_dir=Path(checkpoint), group="g", every_s=0.05
    )
    with ArchiveRunner(settings, at=at) as runner:
        while sum(runner._checkpoint.offsets.values()) < int(records):
            runner.step()


if __name__ == "__main__":
    main()
