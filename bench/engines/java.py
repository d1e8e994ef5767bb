"""What the engines that run on Java share: finding it, asking its version, and picking ports for them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path


def java() -> str | None:
    """The `java` of JAVA_HOME, else the one on the PATH; None where there is none."""
    java_home = os.environ.get("JAVA_HOME")
    return str(Path(java_home) / "bin" / "java") if java_home else shutil.which("java")


def java_version() -> int:
    """Its major version; 0 when it does not say."""
    command = java()
    assert command is not None, "java() says whether there is one"
    done = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    return int(found[1]) if found else 0


def free_ports(count: int, held: ExitStack) -> list[int]:
    """Ports that nobody listens on; they are released together, so that they differ."""
    ports = []
    for _ in range(count):
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        ports.append(listener.getsockname()[1])
    return ports
