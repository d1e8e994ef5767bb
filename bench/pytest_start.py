"""How long until a test has its servers: Kafka, and Kafka with Cassandra, in the process of pytest?"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 5
START = """
import time
started = time.perf_counter()
from smackbox.testing.fixtures import embedded
from smackbox.net.service import ServiceThread
servers = [ServiceThread(embedded(name)) for name in {names}]
for server in servers:
    server.start()
print(time.perf_counter() - started)
for server in servers:
    server.stop()
"""


def main() -> None:
    for names in (["kafka"], ["cassandra"], ["kafka", "cassandra"]):
        times = []
        for _ in range(ROUNDS):
            done = subprocess.run(
                [sys.executable, "-c", START.format(names=names)], capture_output=True, text=True, check=True
            )
            times.append(float(done.stdout))
        spread = f"{min(times):.2f} to {max(times):.2f}, {ROUNDS} rounds"
        print(f"{' and '.join(names)}: {statistics.median(times):.2f} s ({spread}), imports included")


if __name__ == "__main__":
    main()
