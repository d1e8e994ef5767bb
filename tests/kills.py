"""Programs of tests that kill themselves at a step, and who starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def killing(kill: str) -> Callable[[str], None]:
    """What a program calls at each step: it kills the process when it comes to STEP for the TIMESth time.

    `kill` is STEP:TIMES; a step that never comes, such as `none`, kills nothing.
    """
    step, _, times = kill.partition(":")
    left = int(times or 0)

    def at(here: str) -> None:
        nonlocal left
        if here == step:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return at


def run_killed(module: str, *arguments: str, timeout_s: float) -> int:
    """The exit status of `python -m module`, which ends well or kills itself. Raises `AssertionError` otherwise."""
    process = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT, check=False, timeout=timeout_s, capture_output=True, text=True,
    )  # fmt: skip
    assert process.returncode in {0, -signal.SIGKILL}, process.stderr
    return process.returncode
