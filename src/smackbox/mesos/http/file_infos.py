"""A file as `FileInfo` messages and `/files/browse` describe it, on the master and on agents."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smackbox.mesos.wire.messages import FileInfo


def file_info(shown: str, facts: os.stat_result) -> FileInfo:
    """The `FileInfo` of a file; `shown` is its virtual path."""
    return {
        "path": shown,
        "nlink": facts.st_nlink,
        "size": facts.st_size,
        "mtime": {"nanoseconds": facts.st_mtime_ns},
        "mode": facts.st_mode,
        "uid": _user(facts.st_uid),
        "gid": _group(facts.st_gid),
    }


def classic(info: FileInfo) -> dict[str, object]:
    """The form of `ls -l`: the mode in letters, the time in seconds."""
    return {**info, "mode": stat.filemode(info["mode"]), "mtime": info["mtime"]["nanoseconds"] / 1e9}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
