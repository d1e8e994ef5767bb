"""This machine's resources as an agent offers them (Mesos' own rules), and its boot id."""

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
    """cpus, mem and disk (MB), ports: 1 GB of memory and 5 GB of disk are left to the system, or half if there
    is less.
    """
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    disk_mb = shutil.disk_usage(work_dir).total // (1024 * 1024)
    return {
        "cpus": float(os.cpu_count() or 1),
        "mem": float(memory_mb - MEMORY_RESERVE_MB if memory_mb > 2 * MEMORY_RESERVE_MB else memory_mb // 2),
        "disk": float(disk_mb - DISK_RESERVE_MB if disk_mb > 2 * DISK_RESERVE_MB else disk_mb // 2),
        "ports": [PORTS],
    }


def boot_id() -> str:
    """The kernel's boot id, which changes with each boot."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        sysctl = subprocess.run(["sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=False)
        return sysctl.stdout.strip()


def hostname(ip: str) -> str:
    """The name of this machine for others: its host name if it listens beyond loopback, otherwise the address."""
    if ip.startswith("127.") or ip == "::1":
        return "localhost"
    return socket.getfqdn()


def outward_ip(host: str) -> str:
    """The address at which others reach this machine, when it listens on `host`."""
    if host == "localhost":
        return "127.0.0.1"
    if host not in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared with, not bound
        return host
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # nothing is sent: the kernel only selects the source address
            probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
