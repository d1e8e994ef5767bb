"""Who writes bytes to disk: `store.fs`, RocksDB and SQLite behind their wrappers, and those named here."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "smackbox"
WRITING_MODES = set("wax+")

# what is written there is nobody's acknowledged state
OTHERS = {
    "store/fs.py": "it is the piece",
    "store/data_dir.py": "the lock file",
    "net/control.py": "where the control socket lies, written again at each start",
    "store/object_files.py": "an export, written beside its name, synced and renamed",
    "backup/fetch.py": "a restore, written beside its place, synced and renamed; one that was killed is begun again",
    "akka/http/uploads.py": "a form's files in a temporary file without a name; the client sends them again",
    "akka/stream/connectors/files.py": "a stream's output, a file of the user's",
    "spark/front/artifacts.py": "a session's files in its temporary directory; a client sends them again",
    "spark/rdd/cluster/blocks.py": "a copy of another executor's file; it is fetched again",
    "spark/rdd/context.py": "a driver's data in the context's temporary directory",
    "spark/rdd/lineage.py": "a checkpoint, written beside its name and renamed; else it is computed again",
    "spark/rdd/saving.py": "a job's output, a file of the user's",
    "spark/rdd/seen/event_log.py": "a log for the history server; one that ends early shows less",
    "spark/rdd/shared.py": "a broadcast value in the context's temporary directory",
    "spark/rdd/shuffle_files.py": "shuffle files; a lost one is computed again",
    "spark/rdd/spark_files.py": "a job's files in the context's temporary directory",
    "spark/rdd/task.py": "a cached partition; a lost one is computed again",
    "mesos/agent/server/fetcher.py": "downloads into a task's sandbox; a failed one fails the task",
    "mesos/agent/server/cgroups.py": "files of the kernel's",
    "mesos/agent/server/docker_containerizer.py": "output of a task",
}


def writes(file: Path) -> bool:
    """Whether a module opens a file for writing, or writes to one in any other way than by `store.fs`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if name == "write_text" or (name == "write_bytes" and isinstance(node.func, ast.Attribute)):
            return True
        if owner == "os" and name in {"write", "pwrite", "writev", "ftruncate", "truncate"}:
            return True
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name == "open" and any(
            isinstance(argument, ast.Constant)
            and isinstance(argument.value, str)
            and len(argument.value) <= 3
            and WRITING_MODES & set(argument.value)
            for argument in arguments
        ):
            return True
    return False


def test_every_writer_goes_through_the_one_piece() -> None:
    found = {str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if writes(file)}
    assert found - OTHERS.keys() == set()
    assert OTHERS.keys() - found == set(), "they write no more"
