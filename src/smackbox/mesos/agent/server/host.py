"""What this machine has, as an agent would offer it (Mesos' own rules), and its boot's name."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

GIB_MB = 1024
DISK_RESERVE_MB = 5 * GIB_MB
MEMORY_RESERVE_MB = GIB_MB
PORTS = (31_000, 32_000)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def detect(work_dir: Path) -> dict[str, float | list[tuple[int, int]]]:
    """cpus, mem and disk (MB), ports: memory without 1 GB and disk without 5 GB for the system, or the half of less."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    disk_mb = shutil.disk_usage(work_dir).total // (1024 * 1024)
    return {
        "cpus": float(os.cpu_count() or 1),
        "mem": float(memory_mb - MEMORY_RESERVE_MB if memory_mb > 2 * MEMORY_RESERVE_MB else memory_mb // 2),
        "disk": float(disk_mb - DISK_RESERVE_MB if disk_mb > 2 * DISK_RESERVE_MB else disk_mb // 2),
        "ports": [PORTS],
    }


def boot_id() -> str:
    """Another one after each start of the kernel."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        asked = subprocess.run(["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=False)
        return asked.stdout.strip()


def hostname(ip: str) -> str:
    """How others may call this machine: its name where it listens beyond loopback, else the address."""
    if ip.startswith("127.") or ip == "::1":
        return "localhost"
    return socket.getfqdn()


def outward_ip(host: str) -> str:
    """The address that others reach this machine by, when it listens on `host`."""
    if host == "localhost":
        return "127.0.0.1"
    if host not in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared with, not bound
        return host
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # nothing is sent: the kernel only chooses the address that it would send from
            probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
