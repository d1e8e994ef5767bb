"""How many events a second go through the whole chain: HTTP, Kafka, both streams, Cassandra, on two cores?

The flights application with servers of its own; the client runs on the same cores. Events are posted as JSON lines, 250
a body, and the clock stops when both streams have committed the last one; then every figure is checked.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

ROUNDS = 3
FLIGHTS = 100_000
EXAMPLE = Path(__file__).parents[1] / "examples" / "flights"


def main() -> None:
    sys.path.insert(0, str(EXAMPLE))
    import demo

    accepted, through, ready = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as directory, demo.running_app(Path(directory)) as (urls, start_s):
            totals = demo.data.Totals()
            post_s, _, _ = demo.post_flights(urls["ingest"] + "/departures", FLIGHTS, totals)
            _, catch_up_s = demo.wait_for_streams(urls["kafka"], demo.GROUPS)
            with demo.cql(urls["cassandra"]) as session:
                differences = demo.check_tables(session, totals)
            if differences:
                raise SystemExit(f"{len(differences)} differences, the first: {differences[0]}")
            accepted.append(FLIGHTS / post_s)
            through.append(FLIGHTS / (post_s + catch_up_s))
            ready.append(start_s)
    for name, values in (("accepted, events/s", accepted), ("to the last total, events/s", through)):
        print(f"{name}: {statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f}, {ROUNDS} rounds)")
    print(f"the application with its servers is ready in {statistics.median(ready):.2f} s")


if __name__ == "__main__":
    main()
