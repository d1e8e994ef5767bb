"""The name of a file in an archive: a template with fields.

    s3://bucket/{year}/{month}/{day}/{hour}-{partition}-{offset}.json.gz

Fields are `topic`, `year`, `month`, `day`, `hour` (of the records' own time, in UTC, with leading zeros), `partition`
and `offset` (that of the file's first record, in 20 digits, so that names sort as offsets). `partition` and `offset`
must be among them, as nothing else makes a name one file's alone.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import UTC, datetime

from smackbox.base.errors import SettingError
from smackbox.base.settings import near

FIELDS = ("topic", "year", "month", "day", "hour", "partition", "offset")
NEEDED = ("partition", "offset")
SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst")
HOUR_MS = 3_600_000
OFFSET_DIGITS = 20
_PATTERNS = {"topic": r"[a-zA-Z0-9._-]+?", "partition": r"\d+", "offset": rf"\d{{{OFFSET_DIGITS}}}", "year": r"\d{4}"}


@dataclass(frozen=True, slots=True)
class NamedFile:
    """What a file's name says. `hour_ms` is None where not all of the hour is in it; `beside` that it is a `-2`."""

    key: str
    topic: str | None
    partition: int
    first: int
    hour_ms: int | None
    beside: bool


class ArchiveName:
    """A checked template. `root` is the part before the first folder with a field, `query` the URL's options."""

    def __init__(self, template: str) -> None:
        """Raises `SettingError` for a field that there is not, a missing one, or another suffix than `SUFFIXES`."""
        place, _, self.query = template.partition("?")
        try:
            parts = list(string.Formatter().parse(place))
        except ValueError as error:
            raise SettingError(f"archive {template!r}: {error}") from error
        fields = [name for _, name, _, _ in parts if name is not None]
        for _, name, spec, conversion in parts:
            if name is not None and (name not in FIELDS or spec or conversion):
                known = ", ".join(FIELDS)
                raise SettingError(f"archive {template!r}: no field {name!r}{near(name, FIELDS)}; there is {known}")
        for name in NEEDED:
            if name not in fields:
                raise SettingError(f"archive {template!r}: a file's name needs {{{name}}}, or another's is the same")
        if not place.endswith(SUFFIXES):
            raise SettingError(f"archive {template!r}: a file ends in {', '.join(SUFFIXES)}")
        literal = parts[0][0]
        head, slash, _ = literal.rpartition("/")
        self.root = head + slash if not literal.endswith("://") else ""
        if not self.root or self.root.endswith("://"):
            raise SettingError(f"archive {template!r}: a folder or bucket comes first, such as s3://bucket/")
        self._key = place[len(self.root) :]

    @property
    def place(self) -> str:
        """Where the archive lies: the root, with the URL's options."""
        return f"{self.root}?{self.query}" if self.query else self.root

    def key(self, topic: str, hour_ms: int, partition: int, offset: int) -> str:
        """The name of a file below the root. `hour_ms` is in milliseconds since 1970."""
        moment = datetime.fromtimestamp(hour_ms / 1000, UTC)
        return self._key.format(
            topic=topic,
            year=f"{moment.year:04}",
            month=f"{moment.month:02}",
            day=f"{moment.day:02}",
            hour=f"{moment.hour:02}",
            partition=partition,
            offset=f"{offset:0{OFFSET_DIGITS}}",
        )

    def parse(self, key: str) -> NamedFile | None:
        """What `key` made a name of; None for the name of something else."""
        suffix = max((one for one in SUFFIXES if self._key.endswith(one)), key=len)
        found = re.fullmatch(_pattern(self._key.removesuffix(suffix)) + r"(-\d+)?" + re.escape(suffix), key)
        if found is None:
            return None
        fields = found.groupdict()
        hour_ms = None
        if all(name in fields for name in ("year", "month", "day", "hour")):
            year, month, day, hour = (int(fields[name]) for name in ("year", "month", "day", "hour"))
            hour_ms = int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * 1000
        is_beside = found[found.re.groups] is not None
        return NamedFile(key, fields.get("topic"), int(fields["partition"]), int(fields["offset"]), hour_ms, is_beside)


def _pattern(template: str) -> str:
    """A regular expression for the names that a template makes."""
    seen: set[str] = set()
    pattern = ""
    for literal, name, _, _ in string.Formatter().parse(template):
        pattern += re.escape(literal)
        if name is not None:
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>{_PATTERNS.get(name, r'[0-9]{2}')})"
            seen.add(name)
    return pattern


def beside(key: str, number: int) -> str:
    """The name for another file whose name is taken: `-2` before the suffix."""
    suffix = max((one for one in SUFFIXES if key.endswith(one)), key=len)
    return f"{key.removesuffix(suffix)}-{number}{suffix}"
