"""A real PySpark to compare with, in a virtual environment of its own under `.cache/real/pyspark-VERSION`.

pyspark and pyspark-client have the same files, so they cannot share one. Needs Java 17 and the package index.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.engines.java import java

VERSION = "4.1.1"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "real" / f"pyspark-{VERSION}"
PACKAGES = (
    f"pyspark=={VERSION}",
    "pandas>=2.2,<3",
    "pyarrow>=15,<22",
    "protobuf",
    "googleapis-common-protos",
    "grpcio",
    "grpcio-status",
    "pyyaml",
    "zstandard",
    # what smackbox's own data sources need beside it
    "cassandra-driver",
    "confluent-kafka",
    "isodate",
    "msgspec",
)
INSTALL_TIMEOUT_S = 900


def missing() -> str | None:
    """Why it cannot run here, in one line; None when it can."""
    return None if java() is not None else "there is no java (17 is needed)"


def python() -> Path:
    """The interpreter of that environment, made when it is not there. Raises `RuntimeError` with what pip says."""
    found = CACHE / "bin" / "python"
    done_file = CACHE / "done"
    if done_file.exists() and done_file.read_text() == "\n".join(PACKAGES):
        return found
    for command in ([sys.executable, "-m", "venv", str(CACHE)], [str(found), "-m", "pip", "install", "-q", *PACKAGES]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
    done_file.write_text("\n".join(PACKAGES))
    return found
