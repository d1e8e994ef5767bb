"""Classes of a program's own script go to the executors and come back as themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = '''
from __future__ import annotations

import enum
import sys
from dataclasses import dataclass
from datetime import date
from operator import add
from typing import ClassVar, NamedTuple
from uuid import UUID

import msgspec

from smackbox.spark import SparkContext


class Kind(enum.Enum):
    VIEW = "view"
    CLICK = "click"


class Base(msgspec.Struct, frozen=True, rename="camel"):
    user_id: int

    def twice(self) -> int:
        return 2 * self.user_id


class Event(Base, frozen=True, kw_only=True, tag="event"):
    """An event."""

    LIMIT: ClassVar[int] = 5
    kind: Kind
    id: UUID = UUID(int=1)
    tags: list[str] = msgspec.field(default_factory=list, name="labels")

    @property
    def is_view(self) -> bool:
        return self.kind is Kind.VIEW

    @classmethod
    def of(cls, number: int) -> Event:
        return cls(number, kind=Kind.VIEW if number % 2 else Kind.CLICK)


class Key(NamedTuple):
    day: date


@dataclass(frozen=True)
class Total:
    views: int


def main() -> None:
    with SparkContext(sys.argv[1]) as sc:
        events = sc.parallelize(range(6), 3).map(Event.of).cache()
        rows = events.collect()
        assert rows == [Event.of(number) for number in range(6)], rows
        assert type(rows[0]) is Event and rows[0].__doc__ == "An event."
        assert events.map(lambda event: (event.twice(), event.is_view, event.LIMIT)).collect()[3] == (6, True, 5)
        # rows of such classes through a shuffle: as keys, as values, from the cache
        grouped = events.map(lambda event: (event.kind, event)).groupByKey(2).mapValues(list).collect()
        assert sorted((kind.value, len(found)) for kind, found in grouped) == [("click", 3), ("view", 3)]
        days = events.map(lambda event: (Key(date(2015, 9, 1 + event.user_id % 2)), Total(event.user_id)))
        totals = days.mapValues(lambda total: total.views).reduceByKey(add, 2).collect()
        assert sorted(totals) == [(Key(date(2015, 9, 1)), 6), (Key(date(2015, 9, 2)), 9)], totals
        assert days.values().distinct(2).count() == 6
        # they are made there, by their own rules
        text = sc.parallelize([b\'{"type":"event","userId":7,"kind":"view","labels":["a"]}\'], 2)
        decoded = text.map(lambda data: msgspec.json.decode(data, type=Event)).collect()
        assert decoded == [Event(7, kind=Kind.VIEW, tags=["a"])], decoded
        encoded = sc.parallelize(decoded, 1).map(msgspec.json.encode).collect()
        assert encoded[0].startswith(b\'{"type":"event","userId":7,"kind":"view"\'), encoded
    print("ok")


main()
'''


@pytest.mark.parametrize("master", ["local[1]", "local[2]"])
def test_a_program_whose_classes_stand_in_its_script(tmp_path: Path, master: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), master], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr
