"""What a streaming program keeps of its progress: one small file, written before a batch and after it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from smackbox.base.errors import StartError
from smackbox.spark.rdd.files import local
from smackbox.store.fs import Disk

FILE = "progress.json"


class Progress:
    """The checkpoint of a directory. `planned` is the batch that was under way, None between batches.

    Raises `StartError` for a file that is not of a streaming program.
    """

    def __init__(self, directory: str) -> None:
        self.directory = local(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.inputs: list[Any] = []
        self.states: list[Any] = []
        self.planned: dict[str, Any] | None = None
        self.exists = False
        path = self.directory / FILE
        if path.exists():
            try:
                kept = json.loads(path.read_text())
                self.inputs, self.states, self.planned = kept["inputs"], kept["states"], kept["planned"]
            except (ValueError, KeyError, TypeError) as error:
                raise StartError(f"{path} is not the progress of a streaming program: {error}") from error
            self.exists = True

    def write(self) -> None:
        """Replace the file, at once and whole. Raises `StorageError`."""
        progress = {"inputs": self.inputs, "states": self.states, "planned": self.planned}
        Disk().replace(self.directory / FILE, json.dumps(progress).encode())

    def state_directory(self, number: int, time_ms: int) -> Path:
        """Where the state of that stream after that batch is."""
        return self.directory / f"state-{number}-{time_ms}"

    def forget_states(self) -> None:
        """Remove the states that no restart needs any more."""
        kept = {Path(name).name for name in self.states if name}
        for path in self.directory.glob("state-*"):
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
