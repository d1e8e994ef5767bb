"""DStreams: batches, windows, state, several streams, checkpoints."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from operator import add
from pathlib import Path
from typing import Any

import pytest

from smackbox.base.errors import SettingError, StartError
from smackbox.spark.dstreams import DStream, Milliseconds, Minutes, Seconds, StreamingContext
from smackbox.spark.rdd.context import SparkContext

BATCH_S = 0.05
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def sc() -> Iterator[SparkContext]:
    with SparkContext("local[1]") as context:
        yield context


@pytest.fixture
def ssc(sc: SparkContext) -> Iterator[StreamingContext]:
    context = StreamingContext(sc, BATCH_S)
    yield context
    context.stop(stopSparkContext=False)


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def collected(stream: DStream) -> list[Any]:
    """The batches of a stream, in their order, filled while it runs."""
    batches: list[Any] = []
    stream.foreachRDD(lambda rdd: batches.append(rdd.collect()))
    return batches


def some(batches: list[Any]) -> list[Any]:
    return [batch for batch in batches if batch]


def ran(ssc: StreamingContext, batches: list[Any], count: int) -> list[Any]:
    """The first `count` batches that are not empty."""
    ssc.start()
    until(lambda: len(some(batches)) >= count)
    ssc.stop(stopSparkContext=False)
    return some(batches)[:count]


def test_each_rdd_of_a_queue_is_a_batch(ssc: StreamingContext) -> None:
    words = ssc.queueStream([["a b", "b"], ["c"], ["a", "a"]]).flatMap(str.split).map(lambda word: (word, 1))
    counts = collected(words.reduceByKey(add))
    values = collected(words.map(lambda pair: pair[0]).countByValue())
    totals = collected(words.count())
    assert [sorted(batch) for batch in ran(ssc, counts, 3)] == [[("a", 1), ("b", 2)], [("c", 1)], [("a", 2)]]
    assert [sorted(batch) for batch in some(values)] == [[("a", 1), ("b", 2)], [("c", 1)], [("a", 2)]]
    assert some(totals)[:3] == [[3], [1], [2]]


def test_an_output_is_run_for_an_empty_batch_too(ssc: StreamingContext) -> None:
    batches = collected(ssc.queueStream([[1]]))
    ssc.start()
    until(lambda: len(batches) >= 3)
    assert batches[:3] == [[1], [], []]


def test_transform_sees_the_rdd_and_the_time(ssc: StreamingContext) -> None:
    times: list[Any] = []

    def sort(moment: Any, rdd: Any) -> Any:
        times.append(moment)
        return rdd.sortBy(lambda x: -x)

    stream = ssc.queueStream([[1, 3, 2]])
    other = ssc.queueStream([[10]])
    batches = collected(stream.transform(sort))
    both = collected(stream.transformWith(lambda left, right: left.cartesian(right), other))
    three = collected(ssc.transform([stream, other], lambda rdds: rdds[0].union(rdds[1])))
    assert ran(ssc, batches, 1) == [[3, 2, 1]]
    assert times[0].timestamp() * 1000 % (1000 * BATCH_S) == pytest.approx(0, abs=1e-3)
    assert [sorted(batch) for batch in some(both)] == [[(1, 10), (2, 10), (3, 10)]]
    assert [sorted(batch) for batch in some(three)] == [[1, 2, 3, 10]]


def test_joins_of_the_batches_of_two_streams(ssc: StreamingContext) -> None:
    left = ssc.queueStream([[("a", 1), ("b", 2)]])
    right = ssc.queueStream([[("b", 20), ("c", 30)]])
    joined = collected(left.join(right))
    outer = collected(left.fullOuterJoin(right))
    grouped = collected(left.cogroup(right).mapValues(lambda found: [sorted(rows) for rows in found]))
    assert ran(ssc, joined, 1) == [[("b", (2, 20))]]
    assert sorted(some(outer)[0]) == [("a", (1, None)), ("b", (2, 20)), ("c", (None, 30))]
    assert sorted(some(grouped)[0]) == [("a", [[1], []]), ("b", [[2], [20]]), ("c", [[], [30]])]


def test_windows_slide_over_the_batches(ssc: StreamingContext) -> None:
    stream = ssc.queueStream([[1], [2], [3], [4]], default=[0])
    windows = collected(stream.window(3 * BATCH_S))
    sums = collected(stream.map(lambda x: ("sum", x)).reduceByKeyAndWindow(add, None, 2 * BATCH_S))
    every_other = collected(stream.window(2 * BATCH_S, 2 * BATCH_S))
    ssc.start()
    until(lambda: len(windows) >= 7 and len(sums) >= 7 and len(every_other) >= 4)
    ssc.stop(stopSparkContext=False)
    assert windows[:7] == [[1], [1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0], [4, 0, 0], [0, 0, 0]]
    assert [batch[0][1] for batch in sums[:7]] == [1, 3, 5, 7, 4, 0, 0]
    found = [x for window in every_other for x in window if x]
    assert found == [1, 2, 3, 4]  # each once, whichever batch the first slide ends at


def test_a_window_is_a_multiple_of_the_batches(ssc: StreamingContext) -> None:
    with pytest.raises(SettingError, match=r"0\.12 s is no multiple of the batches' 0\.05 s"):
        ssc.queueStream([]).window(0.12)


def counted(new: list[int], total: int | None) -> int | None:
    total = sum(new, total or 0)
    return None if total > 100 else total


def test_state_by_key_is_kept_and_taken_away(ssc: StreamingContext, tmp_path: Path) -> None:
    ssc.checkpoint(str(tmp_path / "state"))
    stream = ssc.queueStream([[("a", 1), ("b", 5)], [("a", 2)], [("b", 200)]])
    states = collected(stream.updateStateByKey(counted))
    ssc.start()
    until(lambda: len(states) >= 4)
    ssc.stop(stopSparkContext=False)
    assert [dict(batch) for batch in states[:4]] == [{"a": 1, "b": 5}, {"a": 3, "b": 5}, {"a": 3}, {"a": 3}]
    assert len(list((tmp_path / "state").glob("state-*"))) == 1


def test_state_without_a_checkpoint_is_refused(ssc: StreamingContext) -> None:
    ssc.queueStream([]).updateStateByKey(counted).pprint()
    with pytest.raises(SettingError, match="needs ssc.checkpoint"):
        ssc.start()


def test_files_that_appear_are_read_once_also_over_a_restart(sc: SparkContext, tmp_path: Path) -> None:
    incoming = tmp_path / "in"
    incoming.mkdir()
    (incoming / "old.txt").write_text("before\n")
    totals: list[Any] = []

    def set_up() -> StreamingContext:
        context = StreamingContext(sc, BATCH_S)
        context.checkpoint(str(tmp_path / "checkpoint"))
        counts = (
            context.textFileStream(str(incoming))
            .map(lambda line: (line, [1]))
            .updateStateByKey(lambda new, old: (old or 0) + sum(map(sum, new)))
        )
        counts.foreachRDD(lambda rdd: totals.append(dict(rdd.collect())))
        return context

    def appear(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        (tmp_path / name).rename(incoming / name)

    ssc = set_up()
    ssc.start()
    appear("one.txt", "x\ny\nx\n")
    until(lambda: totals and totals[-1] == {"x": 2, "y": 1})
    ssc.stop(stopSparkContext=False)
    appear("two.txt", "y\nz\n")
    totals.clear()
    ssc = StreamingContext.getOrCreate(str(tmp_path / "checkpoint"), set_up)
    ssc.start()
    until(lambda: totals and totals[-1] == {"x": 2, "y": 2, "z": 1})
    ssc.stop(stopSparkContext=False)


def test_lines_of_a_socket(ssc: StreamingContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall("one\r\ntwo\nthr\u00e9e\n".encode())
                stopped.wait(TIMEOUT_S)

        stopped = threading.Event()
        sender = threading.Thread(target=serve)
        sender.start()
        batches = collected(ssc.socketTextStream("127.0.0.1", server.getsockname()[1]))
        ssc.start()
        until(lambda: sum(map(len, batches)) >= 3)
        ssc.stop(stopSparkContext=False)
        stopped.set()
        sender.join()
    assert [line for batch in batches for line in batch] == ["one", "two", "thr\u00e9e"]


def test_a_batch_that_fails_ends_the_stream_and_is_told(ssc: StreamingContext) -> None:
    ssc.queueStream([[1], [0], [1]]).map(lambda x: 1 // x).pprint()
    ssc.start()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        ssc.awaitTermination(TIMEOUT_S)


def test_a_stop_that_is_graceful_finishes_what_has_come(ssc: StreamingContext) -> None:
    batches = collected(ssc.queueStream([[number] for number in range(5)]))
    ssc.start()
    ssc.stop(stopSparkContext=False, stopGraceFully=True)
    assert some(batches) == [[number] for number in range(5)]
    assert ssc.awaitTerminationOrTimeout(1)


def test_pprint_shows_the_time_and_the_first_records(ssc: StreamingContext, capsys: pytest.CaptureFixture[str]) -> None:
    stream = ssc.queueStream([list(range(12))])
    stream.pprint(2)
    ran(ssc, collected(stream), 1)
    shown = capsys.readouterr().out
    assert "Time: 20" in shown
    assert "0\n1\n...\n" in shown


def test_text_files_of_each_batch(ssc: StreamingContext, sc: SparkContext, tmp_path: Path) -> None:
    stream = ssc.queueStream([["a"], ["b"]])
    stream.saveAsTextFiles(str(tmp_path / "out"), "txt")
    ran(ssc, collected(stream), 2)
    files = sorted(tmp_path.glob("out-*.txt"))
    assert [sc.textFile(str(file)).collect() for file in files[:2]] == [["a"], ["b"]]


def test_what_cannot_be_is_refused(ssc: StreamingContext, sc: SparkContext, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="No output operations"):
        ssc.start()
    with pytest.raises(SettingError, match="more than 0 seconds"):
        StreamingContext(sc, 0)
    ssc.queueStream([[1]]).pprint()
    ssc.start()
    with pytest.raises(SettingError, match="another StreamingContext runs"):
        other = StreamingContext(sc, BATCH_S)
        other.queueStream([]).pprint()
        other.start()
    with pytest.raises(SettingError, match="declared before start"):
        ssc.queueStream([])
    ssc.stop(stopSparkContext=False)
    (tmp_path / "progress.json").write_text("{}")
    with pytest.raises(StartError, match="is not the progress of a streaming program"):
        ssc.checkpoint(str(tmp_path))
    assert (Seconds(10), Milliseconds(500), Minutes(2)) == (10.0, 0.5, 120.0)
