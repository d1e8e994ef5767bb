"""Windowed counts by key with quix-streams: `python quix_windows.py KAFKA TOPIC OUT WINDOW_MS STATE_DIR`.

Prints the events a second from the first record to the last; runs with any interpreter that has quixstreams.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from quixstreams import Application


def main() -> None:
    kafka, topic, out, window_ms, state_dir = sys.argv[1:6]
    app = Application(
        broker_address=kafka,
        consumer_group=f"quix-{out}",
        auto_offset_reset="earliest",
        auto_create_topics=True,
        use_changelog_topics=False,
        state_dir=state_dir,
        loglevel=logging.ERROR,
    )
    source = app.topic(topic, key_deserializer="str", value_deserializer="json")
    target = app.topic(out, key_serializer="str", value_serializer="json")
    first = last = 0.0
    count = 0

    def note(value: Any) -> Any:
        nonlocal first, last, count
        last = time.perf_counter()
        first = first or last
        count += 1
        return value

    app.dataframe(source).apply(note).tumbling_window(int(window_ms)).count().final().to_topic(target)
    app.run(timeout=5)
    print(f"{count} {count / (last - first):.1f}")


if __name__ == "__main__":
    main()
