"""Fewer runs of Python's collector of cycles while batches of many small objects are at work.

A batch holds some 100,000 events, which are objects that the collector looks at again and again and that are freed
without it. By default it runs after 700 of them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLD = 200_000
"""Objects between two runs: what a batch and its rows are made of."""


@contextmanager
def few_collections() -> Iterator[None]:
    """In the block the collector runs after `THRESHOLD` objects at the earliest."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(THRESHOLD, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
