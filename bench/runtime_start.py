"""How long until `smack up` is ready, with Spark and without, and how much memory does it take when idle?"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from smackbox.runtime.status import memory_mb
from smackbox.runtime.supervisor import RunFile, running

ROUNDS = 5
SETTLE_S = 1.0


def once(*flags: str) -> tuple[float, dict[str, float]]:
    """Seconds from the command to its `ready` line, and MB of each process a moment later."""
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        box = subprocess.Popen(
            [sys.executable, "-m", "smackbox", "up", "--free-ports", "--dir", directory, *flags],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert box.stdout is not None
        for line in box.stdout:
            if line.startswith("ready box"):
                break
        else:
            raise RuntimeError("the box ended before it was ready")
        ready_s = time.perf_counter() - started
        time.sleep(SETTLE_S)
        memory = memory_of(running(Path(directory))[0])
        box.send_signal(signal.SIGINT)
        box.communicate(timeout=30)
        return ready_s, memory


def memory_of(state: RunFile) -> dict[str, float]:
    """Of the platform's process, which is the supervisor's, and of each other one."""
    own = [process for process in state.processes if process.pid != state.pid]
    return {"platform": memory_mb(state.pid) or 0.0} | {one.name: memory_mb(one.pid) or 0.0 for one in own}


def main() -> None:
    for label, flags in (("without Spark", ("--no-spark",)), ("with Spark", ("--with-spark",))):
        results = [once(*flags) for _ in range(ROUNDS)]
        times = [ready_s for ready_s, _ in results]
        memory = results[-1][1]
        each = ", ".join(f"{name} {mb:.0f}" for name, mb in memory.items())
        print(
            f"smack up {label}: ready in {statistics.median(times):.2f} s "
            f"({min(times):.2f} to {max(times):.2f}, {ROUNDS} rounds), idle {sum(memory.values()):.0f} MB ({each})"
        )


if __name__ == "__main__":
    main()
