"""The receive buffer that all connections of one event loop share.

Allocation is expensive for large frames: for each frame the allocator gets a megabyte from the kernel and returns it,
and each page faults. So one buffer of the size of a large frame is kept between frames.
"""

from __future__ import annotations

READ_BUFFER_BYTES = 256 * 1024
SPARE_LIMIT_BYTES = 2 * 1024 * 1024
"""A larger buffer is not kept."""


class ReadBuffer:
    """`shared` is for a single read that is handled at once; a frame that takes several reads gets its own buffer."""

    def __init__(self, size: int = READ_BUFFER_BYTES) -> None:
        self.shared = memoryview(bytearray(size))
        self._spare: memoryview | None = None

    def take(self, size: int) -> memoryview:
        """A buffer of `size` bytes with arbitrary content, exclusive to the caller until it is given back."""
        spare = self._spare
        if spare is None or len(spare) < size:
            return memoryview(bytearray(size))
        self._spare = None
        return spare[:size]

    def give_back(self, buffer: memoryview) -> None:
        """Return `buffer`, which came from `take` and is no longer read."""
        view = memoryview(buffer.obj)
        if len(view) <= SPARE_LIMIT_BYTES and (self._spare is None or len(self._spare) < len(view)):
            self._spare = view
