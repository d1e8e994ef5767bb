"""A patch in a process of its own, which kills itself at the step and the time that its arguments name.

patch_process.py APP NAME KAFKA CASSANDRA STEP:TIMES
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kills import killing

from smackbox.app.load import load_app
from smackbox.runtime.patch import TablePatch
from smackbox.runtime.settings import BoxSettings, Urls


def main() -> None:
    file, name, kafka, cassandra, kill = sys.argv[1:6]
    at = killing(kill)
    app = load_app(Path(file))
    patch = TablePatch(app, app.find_patch(name), Urls(kafka=kafka, cassandra=cassandra), BoxSettings(), at=at)
    patch.run()


if __name__ == "__main__":
    main()
