"""Mutation testing: does a test fail when one thing in a module is changed?

    python -m tests.mutate src/smackbox/kafka/state/retention.py --tests tests/kafka/state [--sample 40]

Mutants are made on a copy of the package, one change each: a comparison, a boolean operator, an arithmetic operator, a
number, a condition, a returned constant, or a statement that is left out. A mutant that no test notices within the time
limit is printed: either a test is missing, or the change makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 120.0
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip


class Mutant(NamedTuple):
    """One changed module, and where the change is."""

    line: int
    change: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(source)
    for index, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[index]
            before = ast.unparse(target).splitlines()[0]
            _apply(target, change)
            after = ast.unparse(target).splitlines()[0]
            yield Mutant(getattr(node, "lineno", 0), f"{before} -> {after}", ast.fix_missing_locations(changed))


def _changes(node: ast.AST) -> list[str]:
    match node:
        case ast.Compare(ops=[only]) if type(only) in COMPARISONS:
            return ["compare"]
        case ast.BoolOp():
            return ["boolean"]
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            return ["operator"]
        case ast.Constant(value=bool() | int()):
            return ["constant"]
        case ast.If() | ast.While() | ast.IfExp():
            return ["condition"]
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            return ["omit"]
        case ast.UnaryOp(op=ast.Not()):
            return ["not"]
    return []


def _apply(node: ast.AST, change: str) -> None:
    if isinstance(node, ast.Compare):
        node.ops = [COMPARISONS[type(node.ops[0])]()]
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.BinOp):
        node.op = OPERATORS[type(node.op)]()
    elif isinstance(node, ast.Constant):
        node.value = not node.value if isinstance(node.value, bool) else int(node.value) + 1
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.UnaryOp):
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
    elif change == "omit":
        node.__class__ = ast.Pass  # type: ignore[assignment]
        node.__dict__.clear()


def survives(module: Path, mutant: Mutant, copied: Path, tests: list[str]) -> bool:
    """Whether no test notices. A run that takes too long counts as noticed."""
    target = copied / module.relative_to(ROOT / "src")
    original = target.read_text(encoding="utf-8")
    target.write_text(ast.unparse(mutant.tree), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environ = {**os.environ, "PYTHONPATH": str(copied), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return False
    finally:
        target.write_text(original, encoding="utf-8")
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, drawn by chance")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="smackbox-mutants-") as folder:
        copied = Path(folder)
        shutil.copytree(ROOT / "src" / "smackbox", copied / "smackbox", ignore=shutil.ignore_patterns("__pycache__"))
        for module in asked.modules:
            every = list(mutants(module.read_text(encoding="utf-8")))
            drawn = random.Random(asked.seed).sample(every, min(asked.sample, len(every)))
            left = [mutant for mutant in drawn if survives(module.resolve(), mutant, copied, asked.tests)]
            print(f"{module}: {len(drawn)} of {len(every)} mutants, {len(left)} survive", flush=True)
            for mutant in sorted(left, key=lambda mutant: mutant.line):
                print(f"  line {mutant.line}: {mutant.change}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
