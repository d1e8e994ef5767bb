"""A replay in a process of its own, which kills itself at the step and the time that its arguments name.

replay_process.py APP DIR KAFKA CASSANDRA apply|undo|stream STEP:TIMES
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kills import killing

from smackbox.app.load import load_app
from smackbox.runtime.replay import StreamReplay
from smackbox.runtime.settings import BoxSettings, Urls


def main() -> None:
    file, directory, kafka, cassandra, verb, kill = sys.argv[1:7]
    at = killing(kill)
    app = load_app(Path(file))
    urls, settings = Urls(kafka=kafka, cassandra=cassandra), BoxSettings(dir=Path(directory))
    replay = StreamReplay(app, Path(file), app.streams[0], urls, settings, at=at)
    replay.apply(replay.begin(None, None) if verb == "apply" else replay.begin_undo())


if __name__ == "__main__":
    main()
