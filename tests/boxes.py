"""What tests need that start `smack` as a process."""

from __future__ import annotations

import subprocess


def until_ready(process: subprocess.Popen[str], name: str) -> dict[str, str]:
    """The URLs that the process printed, by name, once it has printed `ready <name>`.

    Raises `AssertionError` with what was printed when it ends before.
    """
    assert process.stdout is not None
    urls: dict[str, str] = {}
    lines = []
    for line in process.stdout:
        lines.append(line)
        words = line.split()
        if words[:2] == ["ready", name]:
            return urls
        if words[:1] == ["ready"]:
            urls[words[1]] = words[2]
        elif len(words) > 1:
            urls.setdefault(words[0], words[1])
    raise AssertionError(f"ended with {process.wait()} before it was ready: {''.join(lines)}")
