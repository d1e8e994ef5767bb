"""How long does `import smackbox` take beyond an empty interpreter, and is it under 60 ms?"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
BUDGET_MS = 60.0


def interpreter_ms(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return (time.perf_counter() - started) * 1000


def main() -> None:
    pairs = [(interpreter_ms("import smackbox"), interpreter_ms("pass")) for _ in range(ROUNDS)]
    cost = statistics.median(loaded - empty for loaded, empty in pairs)
    print(f"import smackbox: {cost:.1f} ms (median of {ROUNDS}; budget {BUDGET_MS:.0f} ms)")


if __name__ == "__main__":
    main()
