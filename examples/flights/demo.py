"""The demo: real flights through the whole stack, and every figure checked against a count made without it.

smack demo              all 336,776 flights
smack demo --flights N  the first N
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

import data
from post import Outcome, post_all

if TYPE_CHECKING:
    from cassandra.cluster import Session

APP = Path(__file__).with_name("app.py")
ALL_FLIGHTS = 336_776
LINES_A_POST = 250
BROKEN_EVERY = 840
TOPIC = "departures"
GROUPS = ["flights.departures_to_departure", "flights.totals"]
CATCH_UP_TIMEOUT_S = 120.0
SMACK = (sys.executable, "-m", "smackbox")
console = Console(highlight=False, soft_wrap=True)


def main(directory: Path, flights: int = ALL_FLIGHTS) -> int:
    """Run the demo in `directory`, whose former contents go. Returns the exit status: 0 when every figure is right."""
    shutil.rmtree(directory, ignore_errors=True)
    started = time.monotonic()
    with running_app(directory) as (urls, start_s):
        with cql(urls["cassandra"]) as session:
            load_airlines(session)
            totals = data.Totals()
            step(f"2. posting {flights:,} flights to {urls['ingest']}/departures, with broken ones between them")
            post_s, sent_broken, outcome = post_flights(urls["ingest"] + "/departures", flights, totals)
            refused = len(outcome.refused)
            console.print(f"   accepted {outcome.accepted:,}, refused {refused} of {sent_broken} broken ones, such as")
            for path, reason in sorted(set(outcome.refused))[:4]:
                console.print(f"     {path}: {reason}", style="dim")
            step("3. waiting for the streams: raw events into departure, daily totals into carrier_day")
            behind, catch_up_s = wait_for_streams(urls["kafka"], GROUPS)
            chain_s = post_s + catch_up_s
            console.print(
                f"   {behind:,} records behind when the last event was accepted; caught up in {catch_up_s:.1f} s"
            )
            step("4. the report: Spark SQL joins carrier_day with airline into carrier_report")
            subprocess.run([*SMACK, "run", str(APP), "--job", "carrier_report", "--dir", str(directory)], check=True)
            report = {row.carrier: row for row in session.execute("SELECT * FROM carrier_report")}
            show(report, directory / "carriers.png")
            step("5. every figure against an independent count")
            differences = check_tables(session, totals)
            differences += compare(
                "carrier_report", {key: figures(row) for key, row in report.items()}, totals.by_carrier
            )
            if len(outcome.refused) != sent_broken or outcome.accepted != flights:
                differences.append(
                    f"accepted {outcome.accepted} of {flights}, refused {len(outcome.refused)} of {sent_broken}"
                )
        step("6. rates")
        rates(directory, flights, start_s, post_s, chain_s, time.monotonic() - started)
    for difference in differences[:20]:
        console.print(f"   difference: {difference}", style="red")
    console.print(
        f"verified {len(totals.ids)} events, {len(totals.by_carrier)} carriers, {len(differences)} differences",
        style="bold red" if differences else "bold green",
    )
    return 1 if differences else 0


@contextmanager
def running_app(directory: Path) -> Iterator[tuple[dict[str, str], float]]:
    """The application with servers of its own: each process' URL by name, and the seconds until all were ready."""
    step(f"1. starting Kafka, Cassandra, the endpoint and the streams: smack run {APP.name}")
    started = time.monotonic()
    command = [*SMACK, "run", str(APP), "--free-ports", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            console.print("  " + line.rstrip(), style="dim")
            if line.startswith("ready flights"):
                break
        else:
            raise SystemExit(process.wait())
        start_s = time.monotonic() - started
        state = json.loads((directory / "run" / "flights.json").read_text())
        yield {one["name"]: one["url"] for one in state["processes"]}, start_s
    finally:
        process.terminate()
        process.communicate()


def post_flights(url: str, flights: int, totals: data.Totals) -> tuple[float, int, Outcome]:
    """Post the flights and count them on the way. Returns seconds, broken events sent, and the endpoint's answers."""
    broken = 0

    def lines() -> Iterator[bytes]:
        nonlocal broken
        for number, row in enumerate(data.rows(flights)):
            if number % BROKEN_EVERY == BROKEN_EVERY // 2:
                yield data.broken(broken)
                broken += 1
            totals.count(row)
            yield data.event(row)

    bodies = (b"\n".join(chunk) for chunk in chunks(lines(), LINES_A_POST))
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:,.0f} events/s"), TimeElapsedColumn())
    started = time.monotonic()
    with Progress(TextColumn("  "), *columns, console=console) as progress:
        task = progress.add_task("posting", total=flights, rate=0)

        def tell(outcome: Outcome) -> None:
            rate = outcome.accepted / (time.monotonic() - started)
            progress.update(task, completed=outcome.accepted, rate=rate)

        outcome = post_all(url, bodies, tell=tell)
    return time.monotonic() - started, broken, outcome


def chunks(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def wait_for_streams(kafka: str, groups: list[str]) -> tuple[int, float]:
    """Wait until every stream has committed all records: how many it was behind at first, and the seconds it took."""
    started = time.monotonic()
    first: int | None = None
    while True:
        behind = max(lag(kafka, group) for group in groups)
        first = behind if first is None else first
        if behind == 0:
            return first, time.monotonic() - started
        if time.monotonic() - started > CATCH_UP_TIMEOUT_S:
            raise SystemExit(f"the streams are still {behind} records behind after {CATCH_UP_TIMEOUT_S:.0f} s")
        time.sleep(0.2)


def lag(kafka: str, group: str) -> int:
    """Records of the topic that the group has not committed yet."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "log_level": 2})
    try:
        partitions = consumer.list_topics(TOPIC, timeout=30).topics[TOPIC].partitions
        places = consumer.committed([TopicPartition(TOPIC, number) for number in partitions], timeout=30)
        return sum(consumer.get_watermark_offsets(place, timeout=30)[1] - max(place.offset, 0) for place in places)
    finally:
        consumer.close()


@contextmanager
def cql(address: str) -> Iterator[Session]:
    from cassandra.cluster import Cluster

    host, _, port = address.rpartition(":")
    cluster = Cluster([host], port=int(port))
    try:
        yield cluster.connect("flights")
    finally:
        cluster.shutdown()


def load_airlines(session: Session) -> None:
    insert = session.prepare("INSERT INTO airline (carrier, name) VALUES (?, ?)")
    for carrier, name in data.airlines().items():
        session.execute(insert, (carrier, name))


def show(report: dict[str, Any], chart: Path) -> None:
    """Print the report, the largest airline first, and draw it."""
    table = Table("", "airline", "flights", "cancelled", "over 15 min", "mean delay", header_style="bold")
    table.columns[1].no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    rows = sorted(report.values(), key=lambda row: -row.flights)
    for row in rows:
        flown = max(row.flights - row.cancelled, 1)
        figures = f"{row.flights:,}", f"{row.cancelled:,}", f"{row.delayed:,}", f"{row.delay_minutes / flown:.1f} min"
        table.add_row(row.carrier, row.name, *figures)
    console.print(table)
    draw(rows, chart)
    console.print(f"   chart: {chart}")


def draw(rows: list[Any], chart: Path) -> None:
    import matplotlib as mpl

    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5), layout="constrained")
    names = [row.name for row in rows]
    on_time = [row.flights - row.cancelled - row.delayed for row in rows]
    late = [row.delayed for row in rows]
    axes.barh(names, on_time, color="#4878a8", label="left within 15 minutes")
    axes.barh(names, late, left=on_time, color="#e0a030", label="left later")
    gone = [total + more for total, more in zip(on_time, late, strict=True)]
    axes.barh(names, [row.cancelled for row in rows], left=gone, color="#b04040", label="did not leave")
    axes.invert_yaxis()
    axes.set_xlabel("flights from New York, 2013")
    axes.legend(loc="lower right")
    figure.savefig(chart, dpi=120)
    pyplot.close(figure)


def check_tables(session: Session, totals: data.Totals) -> list[str]:
    """What the streams' tables hold against what the rows say: each difference as a sentence."""
    session.default_fetch_size = 10_000
    stored = {str(row.id) for row in session.execute("SELECT id FROM departure")}
    differences = [f"departure {missing} is missing" for missing in totals.ids - stored]
    differences += [f"departure {extra} is not a flight" for extra in stored - totals.ids]
    by_day = {(row.carrier, str(row.day)): figures(row) for row in session.execute("SELECT * FROM carrier_day")}
    return differences + compare("carrier_day", by_day, totals.by_day)


def figures(row: Any) -> list[int]:
    return [row.flights, row.cancelled, row.delayed, row.delay_minutes]


def compare(table: str, found: dict[Any, list[int]], counted: dict[Any, list[int]]) -> list[str]:
    return [
        f"{table} {key} holds {found.get(key)}, counted {counted.get(key)}"
        for key in sorted(found.keys() | counted.keys())
        if found.get(key) != counted.get(key)
    ]


def rates(directory: Path, flights: int, start_s: float, post_s: float, chain_s: float, total_s: float) -> None:
    console.print(f"   all servers ready in {start_s:.1f} s")
    console.print(
        f"   accepted {flights / post_s:,.0f} events/s over HTTP, {flights / chain_s:,.0f} events/s to the last total"
    )
    state = json.loads((directory / "run" / "flights.json").read_text())
    own = [(one["name"], one["pid"]) for one in state["processes"] if one["pid"] != state["pid"]]
    peaks = [("platform", state["pid"]), *own]
    console.print("   peak memory: " + ", ".join(f"{name} {peak_mb(pid):.0f} MB" for name, pid in peaks))
    console.print(f"   {total_s:.0f} s in all")


def peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def step(text: str) -> None:
    console.print(text, style="bold")
