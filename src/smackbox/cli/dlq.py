"""`smack dlq`: the dead letters of the running box or of any Kafka."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from smackbox.base.address import host_ports
from smackbox.base.errors import SettingError
from smackbox.cli.topics import kafka_errors
from smackbox.runtime.settings import DEFAULT_DIR, KAFKA_PORT

if TYPE_CHECKING:
    from smackbox.runtime.dead_letters import Letter

SHOWN_BYTES = 200


class Box(NamedTuple):
    """The Kafka address, and the URL of the box's endpoints, None if none run."""

    kafka: str
    ingest: str | None


@click.group("dlq")
@click.option("--kafka", envvar="SMACK_KAFKA", help="host:port.  [default: the running box's, else port 9092]")
@click.option("--dir", "directory", type=click.Path(path_type=Path), default=DEFAULT_DIR, show_default=True)
@click.pass_context
def command(ctx: click.Context, kafka: str | None, directory: Path) -> None:
    """Dead letters: list, show, replay, drop. A replay sends the original bytes with their headers."""
    from smackbox.runtime.run import running_urls
    from smackbox.runtime.supervisor import running

    address = kafka or running_urls(directory).kafka or f"127.0.0.1:{KAFKA_PORT}"
    host_ports(address, KAFKA_PORT)
    ctx.obj = Box(address, next(filter(None, (state.url("ingest") for state in running(directory))), None))


_reason = click.option("--reason", help="Only letters whose reason contains this text.")
_at = click.option("--at", "places", multiple=True, metavar="P/O", help="Only this partition/offset; may be repeated.")


@command.command("list")
@click.argument("topics", nargs=-1)
@click.pass_obj
def list_command(box: Box, topics: tuple[str, ...]) -> None:
    """List pending letters by topic and reason, with their number and the latest time; of all topics, or of TOPICS."""
    from smackbox.runtime.dead_letters import DeadLetterTopics

    with kafka_errors(box.kafka):
        letters = DeadLetterTopics(box.kafka)
        for topic in topics or letters.topics():
            latest: dict[str, int] = {}
            counted: Counter[str] = Counter()
            for letter in letters.pending(topic):
                latest[letter.reason] = max(letter.time_ms, latest.get(letter.reason, 0))
                counted[letter.reason] += 1
            for reason, count in counted.most_common():
                click.echo(f"{topic}\t{count}\t{_moment(latest[reason])}\t{reason}")
            if handled := letters.handled(topic):
                counts = Counter(one.action for one in handled.values())
                click.echo(f"{topic}\t" + ", ".join(f"{count} {action}" for action, count in sorted(counts.items())))


@command.command("show")
@click.argument("topic")
@_reason
@_at
@click.option(
    "--max", "limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of letters."
)
@click.option("--raw", is_flag=True, help="Print only the original values, one per line.")
@click.pass_obj
def show_command(box: Box, topic: str, reason: str | None, places: tuple[str, ...], limit: int, raw: bool) -> None:
    """Show the pending letters of TOPIC: position, time, reason, origin, original headers, key, value."""
    from smackbox.runtime.dead_letters import DeadLetterTopics

    wanted = _wanted(reason, places)
    with kafka_errors(box.kafka):
        pending = filter(wanted, DeadLetterTopics(box.kafka).pending(topic))
        shown = list(islice(pending, limit))
        more = sum(1 for _ in pending)
    for letter in shown:
        if raw:
            sys.stdout.buffer.write((letter.value or b"") + b"\n")
            continue
        source = " ".join(f"{name[7:]}={value}" for name, value in letter.added.items() if name.startswith("source."))
        click.echo(f"{letter.place}\t{_moment(letter.time_ms)}\t{letter.reason}\t{source}")
        for name, value in letter.headers:
            click.echo(f"\theader {name}: {_text(value)}")
        click.echo(f"\tkey {_text(letter.key)}\n\tvalue {_text(letter.value)}")
    sys.stdout.buffer.flush()
    if more:
        click.echo(f"{more} more wait", err=True)


@command.command("replay")
@click.argument("topic")
@click.option("--to", help="A topic, or the http:// URL of an endpoint.  [default: where each letter came from]")
@_reason
@_at
@click.pass_obj
def replay_command(box: Box, topic: str, to: str | None, reason: str | None, places: tuple[str, ...]) -> None:
    """Send the originals of TOPIC's pending letters again; each once, however often this is run."""
    from smackbox.runtime.dead_letters import DeadLetterTopics

    with kafka_errors(box.kafka):
        count = DeadLetterTopics(box.kafka).replay(topic, _wanted(reason, places), to, box.ingest)
    click.echo(f"{count} letters of {topic} replayed")


@command.command("drop")
@click.argument("topic")
@_reason
@_at
@click.confirmation_option("--yes", prompt="Drop these letters? They stay in the topic, and no replay sends them.")
@click.pass_obj
def drop_command(box: Box, topic: str, reason: str | None, places: tuple[str, ...]) -> None:
    """Mark pending letters of TOPIC as dropped."""
    from smackbox.runtime.dead_letters import DeadLetterTopics

    with kafka_errors(box.kafka):
        count = DeadLetterTopics(box.kafka).drop(topic, _wanted(reason, places))
    click.echo(f"{count} letters of {topic} dropped")


def _wanted(reason: str | None, places: tuple[str, ...]) -> Callable[[Letter], bool]:
    for place in places:
        partition, slash, offset = place.partition("/")
        if not (slash and partition.isdigit() and offset.isdigit()):
            raise SettingError(f"--at {place}: write it as PARTITION/OFFSET, as `smack dlq show` does")
    return lambda letter: (reason is None or reason in letter.reason) and (not places or letter.place in places)


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(max(time_ms, 0) / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _text(data: bytes | None) -> str:
    if data is None:
        return "null"
    shown = data[:SHOWN_BYTES].decode(errors="backslashreplace")
    return shown if len(data) <= SHOWN_BYTES else f"{shown}… ({len(data)} bytes)"
