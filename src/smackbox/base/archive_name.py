"""The name of a file in an archive: a template with fields.

    s3://bucket/{year}/{month}/{day}/{hour}-{partition}-{offset}.json.gz

Fields are `topic`, `year`, `month`, `day`, `hour` (of the records' own time, in UTC, with leading zeros), `partition`
and `offset` (that of the file's first record, in 20 digits, so that names sort as offsets). `partition` and `offset`
must be among them, as nothing else makes a name one file's alone.
"""

from __future__ import annotations

import string
from datetime import UTC, datetime

from smackbox.base.errors import SettingError
from smackbox.base.settings import near

FIELDS = ("topic", "year", "month", "day", "hour", "partition", "offset")
NEEDED = ("partition", "offset")
SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst")
HOUR_MS = 3_600_000
OFFSET_DIGITS = 20


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


def beside(key: str, number: int) -> str:
    """The name for another file whose name is taken: `-2` before the suffix."""
    suffix = max((one for one in SUFFIXES if key.endswith(one)), key=len)
    return f"{key.removesuffix(suffix)}-{number}{suffix}"
