"""What a runner is in a `with` block: open in it, and closed behind it, also where opening it fails half-way."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self


class Opened:
    """A subclass says how it is opened and closed."""

    @abstractmethod
    def open(self) -> None:
        """Take what it needs."""

    @abstractmethod
    def close(self) -> None:
        """Release everything, also what a failed `open` has taken."""

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
