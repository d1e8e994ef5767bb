"""`make bench`: every benchmark of this folder, one after the other; each states its question in its first line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(wanted: list[str]) -> int:
    failed = []
    for file in sorted(HERE.glob("*.py")):
        if file.stem.startswith("_") or (wanted and file.stem not in wanted):
            continue
        question = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()
        print(f"\n== bench/{file.name}: {question[0] if question else ''}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{file.stem}"], check=False, cwd=HERE.parent).returncode:
            failed.append(file.name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
