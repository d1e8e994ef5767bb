# ruff: noqa: N802 - PySpark's names
"""Files that go along with a job: `sc.addFile(path)`, `smack submit --files`, and `SparkFiles.get(name)` in tasks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from smackbox.spark.rdd.errors import JobError
from smackbox.spark.rdd.files import Storage, open_binary

ROOT_VARIABLE = "SMACK_SPARK_FILES"


class SparkFiles:
    """Where the files of this process's job are."""

    @staticmethod
    def get(filename: str) -> str:
        """The path of a file by its name. Raises `JobError` where it was not added."""
        path = Path(SparkFiles.getRootDirectory()) / filename
        if not path.exists():
            raise JobError(f"no file {filename!r} was added: sc.addFile(path), or smack submit --files")
        return str(path)

    @staticmethod
    def getRootDirectory() -> str:
        """The directory that holds them. Raises `JobError` outside of a job."""
        root = os.environ.get(ROOT_VARIABLE)
        if root is None:
            raise JobError("files belong to a SparkContext, and there is none")
        return root


def add_file(path: str, root: Path, storage: Storage) -> Path:
    """Copy a file or an object to the root, by its name. Raises `JobError` where it is not there."""
    root.mkdir(parents=True, exist_ok=True)
    target = root / path.rstrip("/").rpartition("/")[2]
    try:
        with open_binary(path, storage) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    except FileNotFoundError as error:
        raise JobError(f"Input path does not exist: {path}") from error
    return target
