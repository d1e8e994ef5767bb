"""The doctests of PySpark's own `core/rdd.py` on our context: `python -m tests.spark.rdd.doctests PATH`.

PATH is a file of an unpacked pyspark of the version of the client, which lacks the module. It is read, not imported.
"""

from __future__ import annotations

import ast
import doctest
import io
import sys
import tempfile
from pathlib import Path

from smackbox.spark.rdd.context import SparkContext
from smackbox.spark.rdd.numeric import BoundedFloat
from smackbox.spark.rdd.portable_hash import portable_hash


def documented(path: Path) -> list[tuple[str, str]]:
    """The names and docstrings of everything in a module."""
    found = []

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                name = f"{prefix}{child.name}"
                if text := ast.get_docstring(child):
                    found.append((name, text))
                visit(child, f"{name}.")

    visit(ast.parse(path.read_text(encoding="utf-8")), "")
    return found


def run(path: Path, master: str = "local[4]") -> tuple[int, int, list[str]]:
    """How many examples were tried, how many failed, and the report of each failure."""
    tried = failed = 0
    reports = []
    parser = doctest.DocTestParser()
    with SparkContext(master, "PythonTest") as sc, tempfile.TemporaryDirectory() as directory:
        sc.setCheckpointDir(directory)
        for name, text in documented(path):
            scope = {"sc": sc, "portable_hash": portable_hash, "BoundedFloat": BoundedFloat, "__name__": "__main__"}
            out = io.StringIO()
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
            result = runner.run(parser.get_doctest(text, scope, name, str(path), 0), out=out.write)
            tried += result.attempted
            failed += result.failed
            if result.failed:
                reports.append(f"{name}: {result.failed} of {result.attempted}\n{out.getvalue()}")
    return tried, failed, reports


if __name__ == "__main__":
    tried, failed, reports = run(Path(sys.argv[1]), *sys.argv[2:])
    print("\n".join(reports))
    print(f"{tried - failed} of {tried} examples pass")
