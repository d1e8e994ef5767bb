"""What all connections of one event loop read into.

New memory is dear for a server of large frames: the allocator takes a megabyte from the kernel and returns it with each
frame, and each of its pages faults. So one buffer of the size of a large frame is kept between frames.
"""

from __future__ import annotations

READ_BUFFER_BYTES = 256 * 1024
SPARE_LIMIT_BYTES = 2 * 1024 * 1024
"""A larger buffer is not kept."""


class ReadBuffer:
    """`shared` is for one read, handled at once; a frame that comes in several reads takes a buffer of its own."""

    def __init__(self, size: int = READ_BUFFER_BYTES) -> None:
        self.shared = memoryview(bytearray(size))
        self._spare: memoryview | None = None

    def take(self, size: int) -> memoryview:
        """A buffer of `size` bytes with anything in it, of the taker alone until it gives it back."""
        spare = self._spare
        if spare is None or len(spare) < size:
            return memoryview(bytearray(size))
        self._spare = None
        return spare[:size]

    def give_back(self, buffer: memoryview) -> None:
        """Nobody reads `buffer`, which came from `take`, any more."""
        whole = memoryview(buffer.obj)
        if len(whole) <= SPARE_LIMIT_BYTES and (self._spare is None or len(self._spare) < len(whole)):
            self._spare = whole
