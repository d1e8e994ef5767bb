"""The example of two ways to share a pool says what happens on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

POOL = Path(__file__).parents[2] / "examples" / "pool" / "pool.py"


def test_the_pool_is_shared_in_two_ways() -> None:
    done = subprocess.run([sys.executable, str(POOL)], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "dynamic allocation: two agents of 2 CPUs, nothing belongs to anybody",
        "  a service of 3 CPUs runs; of three jobs of 1 CPU one runs and two wait",
        "  the service is scaled down to 1: the two jobs that waited run",
        "static allocation: a third agent, its 2 CPUs reserved for the role web",
        "  three more jobs wait: the reserved CPUs are not for them",
        "  the Marathon of the role web starts a service of 2 CPUs on them at once; the jobs still wait",
    ]
