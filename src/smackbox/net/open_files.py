"""How many files and connections this process may have open: as many as the system allows."""

from __future__ import annotations

import resource


def raise_open_file_limit() -> None:
    """Raise the soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
