"""The micro-batch runner as a copy: ranges, plans, identities, dead letters, outages, lost records."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.kills import ROOT

from smackbox.base.clock import FakeClock
from smackbox.base.errors import SettingError, StartError
from smackbox.spark.streaming import MicroBatchRunner
from smackbox.spark.streaming.errors import DataLossError, SourceAwayError, StreamError

TIMEOUT_S = 20.0


class Killed(BaseException):
    """Stands for `kill -9` where a test does without a process."""


def kill_at(step: str, times: int = 1) -> Callable[[str], None]:
    left = [times]

    def at(here: str) -> None:
        if here == step:
            left[0] -= 1
            if not left[0]:
                raise Killed

    return at


def test_events_are_copied_once_each(streams: Any, topic: Any) -> None:
    events = [streams.event(number) for number in range(1000)]
    topic.put(*events)
    table = streams.event_table()
    with streams.runner(table) as runner:
        reports = streams.drain(runner, 1000)
        assert runner.step() is None
    assert [report.batch for report in reports] == list(range(1, len(reports) + 1))
    assert table.rows == {str(e.id): (e.campaign, e.type, e.amount) for e in events}


def test_a_batch_is_bounded_in_rows(streams: Any, topic: Any) -> None:
    topic.put(*(streams.event(number) for number in range(250)))
    table = streams.event_table()
    with streams.runner(table, max_rows_per_batch=100) as runner:
        assert [report.rows for report in streams.drain(runner, 250)] == [100, 100, 50]


def test_a_batch_is_bounded_in_bytes(streams: Any, topic: Any) -> None:
    topic.put(*(streams.event(number, campaign="x" * 10_000) for number in range(300)))
    with streams.runner(streams.event_table(), max_bytes_per_batch=1_100_000) as runner:
        reports = streams.drain(runner, 300)
    assert max(report.rows for report in reports) <= 120
    assert len(reports) >= 3


def test_several_partitions_are_read_to_their_ends(streams: Any, make_topic: Any) -> None:
    topic = make_topic(4)
    topic.put(*(streams.event(number) for number in range(400)))
    table = streams.event_table()
    with streams.runner(table, topic=topic.name) as runner:
        streams.drain(runner, 400)
        assert runner.checkpoint.offsets == dict.fromkeys(range(4), 100)
    assert len(table.rows) == 400


def test_a_restarted_stream_goes_on_where_it_ended(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1))
    with streams.runner(streams.event_table()) as runner:
        streams.drain(runner, 1)
    topic.put(streams.event(2))
    table = streams.event_table()
    with streams.runner(table) as runner:
        (report,) = streams.drain(runner, 1)
    assert report.batch == 2
    assert list(table.rows) == [str(streams.event(2).id)]


def test_starting_at_the_latest_skips_what_is_there(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1))
    table = streams.event_table()
    with streams.runner(table, starting_offsets="latest") as runner:
        topic.put(streams.event(2))
        streams.drain(runner, 1)
    assert list(table.rows) == [str(streams.event(2).id)]


@pytest.mark.parametrize("step", ["planned", "written"])
def test_a_planned_batch_is_repeated_with_a_later_timestamp(streams: Any, topic: Any, step: str) -> None:
    topic.put(*(streams.event(number) for number in range(10)))
    first = streams.event_table()
    with pytest.raises(Killed), streams.runner(first, at=kill_at(step)) as runner:
        runner.step()
    topic.put(*(streams.event(number) for number in range(10, 20)))
    table = streams.event_table()
    with streams.runner(table) as runner:
        repeated = runner.step()
        assert repeated is not None
        assert (repeated.batch, repeated.rows) == (1, 10)
        assert runner.checkpoint.plan() is None
        streams.drain(runner, 10)
    assert len(table.rows) == 20
    if step == "written":
        assert table.writes[0][0] > first.writes[0][0]


def test_timestamps_grow_though_the_clock_stands_still(streams: Any, topic: Any) -> None:
    table = streams.event_table()
    settings = streams.make_settings()
    with MicroBatchRunner(settings, streams.Event, None, table, clock=FakeClock()) as runner:
        for number in range(3):
            topic.put(streams.event(number))
            streams.drain(runner, 1)
    stamps = [stamp for stamp, _ in table.writes]
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize("step", ["planned", "written", "committed"])
def test_an_identity_counts_once_over_batches_and_crashes(streams: Any, topic: Any, step: str) -> None:
    topic.put(streams.event(1, amount=1), streams.event(1, amount=2), streams.event(2))
    table = streams.event_table()
    with pytest.raises(Killed), streams.runner(table, unique="id", at=kill_at(step)) as runner:
        runner.step()
    topic.put(streams.event(1, amount=3), streams.event(3))
    with streams.runner(table, unique="id") as runner:
        reports = streams.drain(runner, 2 if step == "committed" else 5)
    assert reports[-1].duplicates == 1
    assert {key: row[2] for key, row in table.rows.items()} == {str(streams.event(n).id): 1 for n in (1, 2, 3)}


def test_identities_are_forgotten_beyond_the_horizon(streams: Any, topic: Any) -> None:
    with streams.runner(streams.event_table(), unique="id", unique_horizon=10, max_rows_per_batch=5) as runner:
        topic.put(*(streams.event(number) for number in range(15)))
        streams.drain(runner, 15)
        topic.put(*(streams.event(number) for number in range(5, 15)))
        assert sum(report.duplicates for report in streams.drain(runner, 10)) == 10
        topic.put(*(streams.event(number) for number in range(100, 130)))
        streams.drain(runner, 30)
        topic.put(streams.event(0))
        assert streams.drain(runner, 1)[0].duplicates == 0


def test_of_two_events_with_one_primary_key_the_later_holds(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1, amount=9), streams.event(1, amount=1))
    table = streams.event_table()
    with streams.runner(table) as runner:
        assert streams.drain(runner, 2)[0].written == 1
    assert table.rows[str(streams.event(1).id)][2] == 1


def test_at_least_once_plans_nothing_and_remembers_nothing(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1), streams.event(1))
    plans = []
    table = streams.event_table()
    runner = streams.runner(
        table, unique="id", delivery="at_least_once", at=lambda _: plans.append(runner.checkpoint.plan())
    )
    with runner:
        (report,) = streams.drain(runner, 2)
    assert plans == [None, None, None]
    assert report.duplicates == 0


def test_what_is_no_event_goes_to_the_dead_letters_and_the_stream_goes_on(
    streams: Any, topic: Any, make_topic: Any, kafka: str
) -> None:
    dead = make_topic()
    topic.put(b"{", None, b'{"id":"x"}', streams.event(1))
    table = streams.event_table()
    with streams.runner(table, dead_letter=dead.name) as runner:
        (report,) = streams.drain(runner, 4)
    assert (report.dead_letters, report.events) == (3, 1)
    assert len(table.rows) == 1
    records = read(kafka, dead.name, 3)
    assert [record.value() for record in records] == [b"{", None, b'{"id":"x"}']
    headers = dict(records[2].headers())
    assert headers["source.offset"] == b"2"
    assert b"Invalid UUID" in headers["error.reason"]


def test_without_dead_letters_what_is_no_event_is_counted_and_skipped(streams: Any, topic: Any) -> None:
    topic.put(b"{")
    with streams.runner(streams.event_table()) as runner:
        (report,) = streams.drain(runner, 1)
        assert (report.dead_letters, report.written) == (1, 0)
        assert runner.step() is None


def read(kafka: str, topic: str, count: int) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return list(consumer.consume(count, TIMEOUT_S))
    finally:
        consumer.close()


def test_a_table_that_is_away_is_waited_for(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1))
    table = streams.event_table()
    table.away = 2
    with streams.runner(table) as runner:
        table.away = 2
        streams.drain(runner, 1)
    assert len(table.rows) == 1


def test_stopping_while_the_table_is_away_keeps_the_plan(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1))
    table = streams.event_table()
    stop = threading.Event()

    def at(step: str) -> None:
        if step == "planned":
            table.away = 10**9
            stop.set()

    streams.runner(table, at=at).run(stop)
    assert table.rows == {}
    table.away = 0
    with streams.runner(table) as runner:
        assert runner.checkpoint.plan() is not None
        streams.drain(runner, 1)
    assert len(table.rows) == 1


def test_run_tells_when_it_is_ready_and_finishes_its_batch_when_told_to_stop(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1))
    stop = threading.Event()
    table = streams.event_table()
    seen: list[str] = []

    def at(step: str) -> None:
        seen.append(step)
        if step == "planned":
            stop.set()

    streams.runner(table, at=at).run(stop, ready=lambda: seen.append("ready"))
    assert seen == ["ready", "planned", "written", "committed"]


def test_a_checkpoint_has_one_runner(streams: Any) -> None:
    with streams.runner(streams.event_table()), pytest.raises(StartError, match="is held by process"):
        streams.runner(streams.event_table()).open()


def test_a_checkpoint_of_another_stream_is_refused(streams: Any, make_topic: Any) -> None:
    with streams.runner(streams.event_table()):
        pass
    with pytest.raises(StreamError, match="another stream's"), streams.runner(streams.event_table(), name="other"):
        pass


def test_the_group_shows_where_the_stream_is(streams: Any, topic: Any, kafka: str) -> None:
    topic.put(*(streams.event(number) for number in range(5)))
    with streams.runner(streams.event_table(), group="shown") as runner:
        streams.drain(runner, 5)
        runner.source.show_progress(runner.checkpoint.offsets, wait=True)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "shown"})
    try:
        (position,) = consumer.committed([TopicPartition(topic.name, 0)], TIMEOUT_S)
    finally:
        consumer.close()
    assert position.offset == 5


def test_metrics_show_rows_lag_and_batches(streams: Any, topic: Any) -> None:
    topic.put(*(streams.event(number) for number in range(30)), streams.event(1), b"{")
    with streams.runner(streams.event_table(), unique="id", metrics_port=0, max_rows_per_batch=32) as runner:
        streams.drain(runner, 32)
        with urllib.request.urlopen(runner.metrics_url, timeout=TIMEOUT_S) as answer:
            lines = answer.read().decode().splitlines()
    assert 'smack_stream_rows_total{stream="stream"} 32.0' in lines
    assert 'smack_stream_duplicates_total{stream="stream"} 1.0' in lines
    assert 'smack_stream_dead_letters_total{stream="stream"} 1.0' in lines
    assert 'smack_stream_batch_id{stream="stream"} 1.0' in lines
    assert 'smack_stream_lag_records{stream="stream"} 0.0' in lines
    assert 'smack_stream_batch_seconds_count{stream="stream"} 1.0' in lines


def test_an_offset_that_is_gone_is_an_error_or_is_skipped(streams: Any, topic: Any) -> None:
    topic.put(*(streams.event(number) for number in range(10)))
    with streams.runner(streams.event_table()) as runner:
        streams.drain(runner, 10)
    topic.make_anew()
    topic.put(*(streams.event(number) for number in range(20, 24)))
    lost = "holds offsets 0 to 4, not 10: was the topic re-created"
    with pytest.raises(DataLossError, match=lost), streams.runner(streams.event_table()) as runner:
        streams.drain(runner, 1)
    table = streams.event_table()
    with streams.runner(table, on_data_loss="skip") as runner:
        assert runner.step() is None
        topic.put(streams.event(30))
        streams.drain(runner, 1)
    assert list(table.rows) == [str(streams.event(30).id)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unique": "idd"}, "did you mean 'id'"),
        ({"every_s": -1.0}, "every_s must be 0 or more"),
        ({"max_rows_per_batch": 0}, "max_rows_per_batch must be more than 0"),
    ],
)
def test_settings_that_cannot_hold_are_an_error(streams: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises((SettingError, StreamError), match=message):
        streams.runner(streams.event_table(), **changes)


def test_an_event_that_does_not_fit_the_table_is_an_error(streams: Any) -> None:
    table = streams.event_table()
    table.value_types = {"campaing": None, "type": None, "amount": None}
    with pytest.raises(StreamError, match=r"no column 'campaign' \(did you mean 'campaing'\?\)"), streams.runner(table):
        pass
    table = streams.event_table()
    table.key_types = {"id": None, "day": None}
    with pytest.raises(StreamError, match="Event lacks 'day'"), streams.runner(table):
        pass


def test_a_copying_stream_needs_neither_pyspark_nor_pyarrow(streams: Any, topic: Any, tmp_path: Path) -> None:
    topic.put(streams.event(1))
    out = tmp_path / "out"
    program = [sys.executable, "-m", "tests.spark.stream_process"]
    arguments = [*program, topic.kafka, topic.name, str(tmp_path / "cp"), str(out), "copy", "1"]
    process = subprocess.run(
        [*arguments, "none:0", "--modules"], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True
    )
    modules = set(process.stdout.split())
    assert not {"pyspark", "pyarrow", "pysail", "pandas", "numpy"} & modules
    assert "confluent_kafka" in modules
    assert len(out.read_text().splitlines()) == 1


def test_a_planned_batch_whose_last_records_are_gone_still_ends(streams: Any, topic: Any) -> None:
    topic.put(*(streams.event(number) for number in range(4)))
    with streams.runner(streams.event_table()) as runner:
        # as if compaction had removed offsets 4 and 5 since the plan was written
        runner.checkpoint.write_plan({0: (0, 4)}, 1, 4)
        table = runner._target
        report = runner.step()
    assert (report.rows, len(table.rows)) == (4, 4)
    with streams.runner(streams.event_table(), read_timeout_s=0.3) as runner:
        runner.checkpoint.write_plan({0: (4, 6)}, 1, 2)
        with pytest.raises(SourceAwayError, match=r"partitions \[0\] .* give no records"):
            runner.source.read({0: (4, 6)}, lambda: False)
    producer = Producer({"bootstrap.servers": topic.kafka, "transactional.id": topic.name})
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    producer.produce(topic.name, b"aborted")
    producer.flush(TIMEOUT_S)
    producer.abort_transaction(TIMEOUT_S)
    with streams.runner(streams.event_table()) as runner:
        report = runner.step()
        assert (report.batch, report.rows) == (2, 0)
        assert runner.checkpoint.offsets == {0: 6}


def test_a_batch_takes_what_the_measured_rate_allows(streams: Any, topic: Any) -> None:
    topic.put(*(streams.event(number) for number in range(2_500)))
    with streams.runner(streams.event_table(), every_s=0.5) as runner:
        runner._rate.completed(0.0, 2_400, 1.0)
        assert runner.step().rows == 1_200
    with streams.runner(streams.event_table(), every_s=0.5, backpressure=False) as runner:
        assert streams.drain(runner, 1_300)


def test_a_stream_without_an_interval_waits_for_nothing_that_is_not_there(streams: Any, topic: Any) -> None:
    topic.put(streams.event(1), streams.event(2))
    with streams.runner(streams.event_table(), every_s=0.0) as runner:
        # the batch would take a day if it waited for its end
        rows = runner.step(wait_s=86_400.0).rows
        if rows < 2:
            rows += runner.step(wait_s=86_400.0).rows
        assert rows == 2
        assert runner.step(wait_s=0.05) is None


def test_records_that_came_before_the_broker_went_away_are_taken_again(
    streams: Any, make_topic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(2)
    topic.put(*(streams.event(number) for number in range(300)))
    table = streams.event_table()
    with streams.runner(table, topic=topic.name) as runner:
        source = runner.source
        consume = source._consumer.consume
        failures = [1, 0, 1]

        class Failing:
            """The client, which has an error after it has given records."""

            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

            def consume(self, *arguments: Any) -> Any:
                found = consume(*arguments)
                if found and failures and failures.pop(0):
                    source._next.update({message.partition(): message.offset() + 1 for message in found})
                    raise SourceAwayError("the broker is away")
                return found

        inner = source._consumer
        monkeypatch.setattr(source, "_consumer", Failing())
        streams.drain(runner, 300)
    assert not failures
    assert len(table.rows) == 300
