"""Mutation testing: does a test fail when one thing in a module is changed?

    python -m tests.mutate src/smackbox/kafka/state/retention.py --tests tests/kafka/state [--sample 40]

A mutant is one change: a comparison, a boolean operator, an arithmetic operator, a
number, a condition, a returned constant, or a statement that is left out. A mutant that no test notices within the time
limit is printed: either a test is missing, or the change makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

import pytest

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


Place = tuple[int, str]  # of a node in the order of `ast.walk`, and the kind of change


class Mutant(NamedTuple):
    """One changed module, and where the change is."""

    line: int
    change: str
    tree: ast.Module
    node: ast.AST


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(source)
    return (_mutant(tree, place) for place in _places(tree))


def drawn_mutants(source: str, count: int, seed: int) -> list[Mutant]:
    """`count` of them at most, by chance."""
    tree = ast.parse(source)
    places = list(_places(tree))
    return [_mutant(tree, place) for place in random.Random(seed).sample(places, min(count, len(places)))]


def _places(tree: ast.Module) -> Iterator[Place]:
    annotations = {id(part) for node in ast.walk(tree) for each in _annotations(node) for part in ast.walk(each)}
    for index, node in enumerate(ast.walk(tree)):
        if id(node) not in annotations:
            yield from ((index, change) for change in _changes(node))


def _mutant(tree: ast.Module, place: Place) -> Mutant:
    index, change = place
    changed = copy.deepcopy(tree)
    target = list(ast.walk(changed))[index]
    line = getattr(target, "lineno", 0)
    before = ast.unparse(target).splitlines()[0]
    _apply(target, change)
    after = ast.unparse(target).splitlines()[0]
    return Mutant(line, f"{before} -> {after}", ast.fix_missing_locations(changed), target)


def _annotations(node: ast.AST) -> list[ast.expr]:
    """They are not evaluated."""
    match node:
        case ast.FunctionDef(returns=ast.expr() as annotation) | ast.AsyncFunctionDef(returns=ast.expr() as annotation):
            return [annotation]
        case ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation):
            return [annotation]
    return []


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


class Survivors:
    """A plugin of pytest: it collects the tests once, and runs them in a fork for each mutant, until one fails.

    A mutant inside a function replaces its code where it is. A mutant of what a module does when it is imported runs in
    a process of its own, on a copy of the package.
    """

    def __init__(self, module: Path, drawn: list[Mutant], arguments: list[str]) -> None:
        self._module, self._drawn, self._arguments = module, drawn, arguments
        self.name = ".".join(module.relative_to(ROOT / "src").with_suffix("").parts)
        self.left: list[Mutant] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of a run of the tests: one for each mutant."""
        assert self._passes(session, None), "the tests fail on the module as it is"
        self.left = [mutant for mutant in self._drawn if self._survives(session, mutant)]
        return True

    def _survives(self, session: pytest.Session, mutant: Mutant) -> bool:
        function = _function_at(mutant)
        if function is None or self.name not in sys.modules:
            return self._passes_alone(mutant)
        return self._passes(session, lambda: _replace_code(self.name, function))

    def _passes(self, session: pytest.Session, change: Callable[[], None] | None) -> bool:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setsid()
                _silence()
                if change is not None:
                    change()
                for item in session.items:
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                    if session.testsfailed:
                        break
                else:
                    code = 0
            finally:
                os._exit(code)
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.01)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False

    def _passes_alone(self, mutant: Mutant) -> bool:
        with tempfile.TemporaryDirectory(prefix="smackbox-mutant-") as folder:
            copied = Path(folder)
            ignored = shutil.ignore_patterns("*.pyc")
            shutil.copytree(ROOT / "src" / "smackbox", copied / "smackbox", ignore=ignored)
            (copied / self._module.relative_to(ROOT / "src")).write_text(ast.unparse(mutant.tree), encoding="utf-8")
            environ = {**os.environ, "PYTHONPATH": str(copied), "PYTHONDONTWRITEBYTECODE": "1"}
            command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", *self._arguments]
            try:
                done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=LIMIT_S, check=False)
            except subprocess.TimeoutExpired:
                return False
            return done.returncode == 0


def _function_at(mutant: Mutant) -> CodeType | None:
    """The code of the outermost function or method that holds the mutant; None where it is in none's body."""
    todo: list[tuple[ast.AST, str]] = [(mutant.tree, "")]
    while todo:
        node, within = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                todo.append((child, f"{within}{child.name}."))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if any(each is mutant.node for part in child.body for each in ast.walk(part)):
                    return _code_named(compile(mutant.tree, "mutant", "exec"), f"{within}{child.name}", child.lineno)
            else:
                todo.append((child, within))
    return None


def _code_named(code: CodeType, qualified: str, line: int) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == qualified:
                decorated = constant.co_firstlineno  # of the first decorator
                if decorated <= line <= max(end or 0 for _, _, end in constant.co_lines()):
                    return constant
            elif qualified.startswith(constant.co_qualname + "."):
                with contextlib.suppress(LookupError):
                    return _code_named(constant, qualified, line)
    raise LookupError(qualified)


def _replace_code(module: str, code: CodeType) -> None:
    """Give the functions that are alive the mutant's code. Raises `LookupError` where there are none."""
    changed = {(each.co_qualname, each.co_firstlineno): each for each in _with_inner(code)}
    alive = [each for each in gc.get_objects() if isinstance(each, FunctionType) and each.__module__ == module]
    found = False
    for function in alive:
        new = changed.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if new is not None and len(new.co_freevars) == len(function.__code__.co_freevars):
            function.__code__ = new
            found = True
    if not found:
        raise LookupError(code.co_qualname)


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """The code of a function and of those inside it: some of these were made when the module was imported."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="+", type=Path)
    parser.add_argument("--tests", nargs="+", required=True)
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module, drawn by chance")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    if len(asked.modules) > 1:  # each in a process of its own: pytest runs once in one
        alike = ["--tests", *asked.tests, "--sample", str(asked.sample), "--seed", str(asked.seed)]
        return max(subprocess.run([sys.executable, "-m", "tests.mutate", m, *alike]).returncode for m in asked.modules)
    module = asked.modules[0]
    source = module.read_text(encoding="utf-8")
    total = sum(1 for _ in _places(ast.parse(source)))
    drawn = drawn_mutants(source, asked.sample, asked.seed)
    with tempfile.TemporaryDirectory(prefix="smackbox-mutants-") as folder:
        own = ["-p", "no:cacheprovider", *asked.tests]
        plugin = Survivors(module.resolve(), drawn, own)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            done = pytest.main(["-q", "-x", "--tb=short", "--basetemp", folder, *own], plugins=[plugin])
    if done not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        print(said.getvalue())
        return int(done)
    print(f"{module}: {len(drawn)} of {total} mutants, {len(plugin.left)} survive", flush=True)
    for mutant in sorted(plugin.left, key=lambda mutant: mutant.line):
        print(f"  line {mutant.line}: {mutant.change}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
