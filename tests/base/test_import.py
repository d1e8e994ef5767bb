"""What `import smackbox` costs: held by the modules that it may not load (the time is in bench/import_time.py)."""

import json
import subprocess
import sys

import pytest

HEAVY = ("asyncio", "confluent_kafka", "cassandra", "numpy", "pandas", "pyarrow", "pyspark", "pysail", "rich", "click")


@pytest.mark.parametrize("statement", ["import smackbox", "import smackbox.testing.plugin"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    program = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    allowed = {"asyncio"} if "plugin" in statement else set()
    assert [name for name in HEAVY if name in loaded and name not in allowed] == []


def test_the_app_is_there_when_asked_for() -> None:
    program = "import smackbox, sys; smackbox.App('ads'); sys.exit('asyncio' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
