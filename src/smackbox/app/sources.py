"""Sources of an application's streams that are not topics: Kinesis, files, generated events, sockets, MQTT.

`SourceDeclarations` is a part of `App`. Every source has a name, an event type, and a dead-letter topic for invalid
records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args

import msgspec

from smackbox.app.names import check_topic_name, check_unique
from smackbox.app.schema import check_event
from smackbox.base.errors import SettingError
from smackbox.base.settings import near
from smackbox.flow.builder import Flow

FileFormat = Literal["json", "csv", "parquet"]
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".parquet")
_PACKED = (".gz", ".zst")


class RateEvent(msgspec.Struct, frozen=True):
    """An event of a rate generator: a number from 0, and the time at which it was due."""

    timestamp: datetime
    value: int


@dataclass(frozen=True, slots=True)
class Kinesis:
    """A Kinesis stream. `start` is LATEST (of the first start), TRIM_HORIZON, or ms since 1970."""

    name: str
    event: type[msgspec.Struct]
    region: str | None
    endpoint: str | None
    start: str | int
    unique: str | None
    dead_letter: str | None


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a folder or bucket, each once. With `format` None, each file's name gives its format."""

    name: str
    event: type[msgspec.Struct]
    url: str
    format: FileFormat | None
    options: tuple[tuple[str, str], ...]
    unique: str | None
    dead_letter: str | None


@dataclass(frozen=True, slots=True)
class Rate:
    """`rows_per_second` events, at most `limit` in total if that is given."""

    name: str
    event: type[msgspec.Struct]
    rows_per_second: float
    limit: int | None
    unique: str | None = None
    dead_letter: str | None = None


@dataclass(frozen=True, slots=True)
class Socket:
    """Lines from a TCP server, one event per line."""

    name: str
    event: type[msgspec.Struct]
    host: str
    port: int
    unique: str | None
    dead_letter: str | None


@dataclass(frozen=True, slots=True)
class WebSocket:
    """Messages of a WebSocket; `subscribe` is sent when it opens."""

    name: str
    event: type[msgspec.Struct]
    url: str
    headers: tuple[tuple[str, str], ...]
    subscribe: str | None
    unique: str | None
    dead_letter: str | None


@dataclass(frozen=True, slots=True)
class Mqtt:
    """Messages of MQTT topics in a session of `client_id`."""

    name: str
    event: type[msgspec.Struct]
    host: str
    port: int
    topic: str
    client_id: str
    username: str | None
    password: str | None
    tls: bool
    unique: str | None
    dead_letter: str | None


Source = Kinesis | Files | Rate | Socket | WebSocket | Mqtt
S = TypeVar("S", Kinesis, Files, Rate, Socket, WebSocket, Mqtt)


class SourceDeclarations:
    """The methods of `App` that declare sources."""

    __slots__ = ()
    sources: list[Any]

    def kinesis(
        self,
        name: str,
        event: type[msgspec.Struct],
        *,
        region: str | None = None,
        endpoint: str | None = None,
        starting: Literal["latest", "trim_horizon"] | datetime = "latest",
        unique: str | None = None,
        dead_letter: str | None = None,
    ) -> Kinesis:
        """Declare a Kinesis stream of JSON `event`s; boto3 finds the credentials in the environment.

        `starting` is for the first start; later starts continue where the last batch ended. `endpoint` replaces
        Amazon's URL, for example by a test server's.
        """
        self._check_source(name, event, unique, dead_letter)
        if isinstance(starting, datetime):
            moment = starting if starting.tzinfo is not None else starting.replace(tzinfo=UTC)
            start: str | int = int(moment.timestamp() * 1000)
        elif starting in {"latest", "trim_horizon"}:
            start = starting.upper()
        else:
            raise SettingError(f"kinesis {name}: starting is 'latest', 'trim_horizon' or a datetime, not {starting!r}")
        return self._declared(Kinesis(name, event, region, endpoint, start, unique, dead_letter))

    def files(
        self,
        name: str,
        event: type[msgspec.Struct],
        url: str,
        *,
        format: FileFormat | None = None,  # noqa: A002 - Spark's word
        options: dict[str, str] | None = None,
        unique: str | None = None,
        dead_letter: str | None = None,
    ) -> Files:
        """Declare the files that appear at `url`, each read once: globs, of this machine or `s3://`, `gs://`, `az://`.

        JSON lines, CSV with a header, and Parquet; `.gz` and `.zst` are unpacked. A file must appear whole. `options`
        say where a store is (`endpoint`, `region`, `access_key_id`, `secret_access_key`); the environment has the rest.
        """
        self._check_source(name, event, unique, dead_letter)
        if format is not None and format not in get_args(FileFormat):
            raise SettingError(f"files {name}: format is json, csv or parquet, not {format!r}")
        last = url.rstrip("/").rpartition("/")[2].lower()
        for packed in _PACKED:
            last = last.removesuffix(packed)
        tells = "." not in last or "*" in last.rpartition(".")[2] or last.endswith(_SUFFIXES)
        if format is None and not tells:
            raise SettingError(f"files {name}: {url} does not tell its format: say format='json', 'csv' or 'parquet'")
        storage = tuple(sorted((options or {}).items()))
        return self._declared(Files(name, event, url, format, storage, unique, dead_letter))

    def rate(
        self,
        name: str,
        *,
        rows_per_second: float = 1.0,
        limit: int | None = None,
        event: type[msgspec.Struct] = RateEvent,
    ) -> Rate:
        """Declare generated events with `timestamp` and `value`, for tests and measurements."""
        self._check_source(name, event, None, None)
        if not rows_per_second > 0 or (limit is not None and limit < 1):
            raise SettingError(f"rate {name}: rows_per_second and limit must be more than 0")
        return self._declared(Rate(name, event, rows_per_second, limit))

    def socket(
        self,
        name: str,
        event: type[msgspec.Struct],
        *,
        host: str,
        port: int,
        unique: str | None = None,
        dead_letter: str | None = None,
    ) -> Socket:
        """Declare lines of JSON from a TCP server. Lines not yet in a batch are lost when the process is killed."""
        self._check_source(name, event, unique, dead_letter)
        _check_port("socket", name, port)
        return self._declared(Socket(name, event, host, port, unique, dead_letter))

    def websocket(
        self,
        name: str,
        event: type[msgspec.Struct],
        *,
        url: str,
        headers: Mapping[str, str] | None = None,
        subscribe: str | None = None,
        unique: str | None = None,
        dead_letter: str | None = None,
    ) -> WebSocket:
        """Declare JSON messages of a WebSocket. `subscribe` is a message that is sent when it opens.

        Messages not yet in a batch are lost when the process is killed. Needs the extra `websocket`.
        """
        self._check_source(name, event, unique, dead_letter)
        if not url.startswith(("ws://", "wss://")):
            raise SettingError(f"websocket {name}: the URL of a WebSocket begins with ws:// or wss://, not {url!r}")
        pairs = tuple((headers or {}).items())
        return self._declared(WebSocket(name, event, url, pairs, subscribe, unique, dead_letter))

    def mqtt(
        self,
        name: str,
        event: type[msgspec.Struct],
        *,
        host: str,
        topic: str,
        port: int = 1883,
        client_id: str | None = None,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        unique: str | None = None,
        dead_letter: str | None = None,
    ) -> Mqtt:
        """Declare JSON messages of MQTT topics: `topic` is a filter, such as `plants/+/temperature`.

        They are taken with QoS 1 in a session that the broker keeps by `client_id` (default: of the application and
        the name), so none is lost; what was not acknowledged comes again, and with `unique=` counts once. Needs the
        extra `mqtt`.
        """
        self._check_source(name, event, unique, dead_letter)
        _check_port("mqtt", name, port)
        levels = topic.split("/")
        if (
            not topic
            or "#" in topic[:-1]
            or any("+" in level and level != "+" for level in levels)
            or ("#" in topic and levels[-1] != "#")
        ):
            raise SettingError(f"mqtt {name}: {topic!r} is no filter of topics: + is a level, # the last one")
        client = client_id or f"{getattr(self, 'name', 'app')}-{name}"
        return self._declared(
            Mqtt(name, event, host, port, topic, client, username, password, tls, unique, dead_letter)
        )

    def flow(self, *sources: Any) -> Flow:
        """A program over the events of sources of one type: event time, windows, state, joins (`flow.builder`).

        `app.stream(flow, to=…)` runs it.
        """
        return Flow.of(sources)

    def _check_source(
        self, name: str, event: type[msgspec.Struct], unique: str | None, dead_letter: str | None
    ) -> None:
        check_topic_name(name)
        check_event(event)
        check_unique("source", name, self.sources)
        check_unique("topic", name, getattr(self, "topics", []))
        if unique is not None and unique not in event.__struct_fields__:
            hint = near(unique, event.__struct_fields__)
            raise SettingError(f"source {name}: unique={unique!r} is not a field of {event.__name__}{hint}")
        if dead_letter is not None:
            check_topic_name(dead_letter)

    def _declared(self, source: S) -> S:
        self.sources.append(source)
        return source


def _check_port(kind: str, name: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise SettingError(f"{kind} {name}: port must be 1 to 65535, not {port}")


def as_sources(given: Any) -> tuple[Any, ...]:
    """One source, or several, as a tuple."""
    sources = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    for source in sources:
        if not hasattr(source, "event"):
            raise SettingError(
                f"{source!r} is no source: give a topic, Kinesis, files, a rate, a socket, a WebSocket, MQTT, or a flow"
            )
    return sources
