"""The messages of Spark Connect, as pyspark-client ships them. Importing them takes most of a second."""

from __future__ import annotations

import sys
import warnings


def _give_main_a_file() -> None:
    """pyspark takes a process whose main module has no file for its own doctests, and exits; so has pytest-xdist's."""
    main = sys.modules["__main__"]
    if main.__spec__ is None and not hasattr(main, "__file__"):
        main.__file__ = "<no file>"


_give_main_a_file()
with warnings.catch_warnings():
    # of a pandas that pyspark does not know yet
    warnings.simplefilter("ignore", FutureWarning)
    from pyspark.sql.connect.proto import (
        base_pb2,
        commands_pb2,
        expressions_pb2,
        relations_pb2,
        types_pb2,
    )

__all__ = ["base_pb2", "commands_pb2", "expressions_pb2", "relations_pb2", "types_pb2"]
