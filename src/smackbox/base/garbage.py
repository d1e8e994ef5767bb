"""Runs Python's cyclic garbage collector less often while batches of many small objects are processed.

A batch holds some 100,000 events, objects that the collector scans again and again although they are freed without it.
By default it runs after 700 allocations.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLD = 200_000
"""Objects between two runs: the size of a batch and its rows."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Within the block the collector runs only after `THRESHOLD` objects."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(THRESHOLD, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
