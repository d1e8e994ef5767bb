import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smackbox.base.errors import StartError
from smackbox.store.data_dir import DataDir

HOLD = """
import sys
from pathlib import Path
from smackbox.store.data_dir import DataDir
held = DataDir.open(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
print(held.path, flush=True)
sys.stdin.read()
"""


def hold(*arguments: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_directory_is_held_by_one_process_until_it_dies(tmp_path: Path) -> None:
    holder, path = hold(str(tmp_path / "data"))
    with pytest.raises(StartError, match=f"held by process {holder.pid}"):
        DataDir.open(path)
    kill(holder)
    DataDir.open(path).close()


def test_closing_lets_the_next_one_in_and_keeps_the_data(tmp_path: Path) -> None:
    first = DataDir.open(tmp_path)
    (tmp_path / "record").write_text("kept")
    first.close()
    first.close()
    second = DataDir.open(tmp_path)
    assert (second.path / "record").read_text() == "kept"
    second.close()


def test_a_memory_directory_goes_with_its_owner() -> None:
    memory = DataDir.open(None)
    (memory.path / "record").write_text("gone soon")
    memory.close()
    assert not memory.path.exists()


def test_what_a_killed_process_left_in_memory_is_swept() -> None:
    holder, left_over = hold()
    alive = DataDir.open(None)
    assert left_over.exists()
    kill(holder)
    DataDir.open(None).close()
    assert not left_over.exists()
    assert alive.path.exists()
    alive.close()


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StartError, match="cannot use the data directory"):
        DataDir.open(tmp_path / "data")
