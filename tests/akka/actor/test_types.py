"""A message of a wrong type is an error that mypy finds; right ones are none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
from smackbox import akka


class Parser(akka.Actor[bytes]):
    def receive(self, message: bytes) -> None: ...


class Get:
    def __init__(self, reply_to: akka.ActorRef[int]) -> None: ...


def counter() -> akka.Behavior[Get | str]:
    def on_message(context: akka.ActorContext[Get | str], message: Get | str) -> akka.Behavior[Get | str]:
        return akka.Behaviors.same()
    return akka.Behaviors.receive(on_message)


async def main(system: akka.ActorSystem) -> None:
    parser = system.spawn(Parser)
    parser.tell(b"{}")
    parser.tell("text")  # wrong
    parser.tell(1)  # wrong
    total = system.spawn(counter())
    total.tell("x")
    total.tell(b"x")  # wrong
    number: int = await total.ask(lambda reply_to: Get(reply_to), 1)
    text: str = await total.ask(lambda reply_to: Get(reply_to), 1)  # wrong
    wide: akka.ActorRef[str] = total
    narrow: akka.ActorRef[object] = total  # wrong
"""


def test_mypy_finds_messages_of_wrong_types(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary"]
    done = subprocess.run(
        [*command, "--cache-dir", str(ROOT / ".mypy_cache"), str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    expected = {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}
    assert found == expected, done.stdout + done.stderr
