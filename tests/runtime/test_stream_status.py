"""Rates and rows of streams, made of their metrics."""

from __future__ import annotations

import http.server
import io
import socketserver
import threading
from pathlib import Path

import pytest
from rich.console import Console

from smackbox.cli import watching
from smackbox.runtime.status import table
from smackbox.runtime.stream_status import HEAD, Rates, StreamFigures, stream_figures, stream_rows
from smackbox.runtime.supervisor import ProcessState, RunFile
from smackbox.spark.streaming.metrics import StreamMetrics


def process(name: str, url: str = "http://h:1/metrics", state: str = "ready") -> ProcessState:
    return ProcessState(name, url, 7, state, 2, 5)


def look(rows: float, at_s: float, name: str = "totals") -> StreamFigures:
    return StreamFigures("app", "totals", process(name), {"rows_total": rows}, at_s)


def test_rates_are_of_one_look_to_the_next_and_a_new_process_counts_from_zero() -> None:
    rates = Rates()
    assert (rates.last("totals"), rates.sparkline("totals")) == (None, "")
    for rows, at_s, rate in ((100, 1.0, None), (150, 2.0, 50.0), (350, 4.0, 100.0), (30, 5.0, 30.0), (30, 6.0, 0.0)):
        rates.see([look(rows, at_s)])
        assert rates.last("totals") == rate
    assert rates.sparkline("totals") == "▄█▃ "
    assert rates.last("other") is None
    for second in range(7, 60):
        rates.see([look(30, float(second))])
    assert rates.sparkline("totals") == " " * 30, "thirty are kept, and none of these read anything"


def test_a_stream_that_does_not_answer_is_silent() -> None:
    gone = StreamFigures("app", "totals", process("totals"), {}, 0.0)
    begun = StreamFigures("app", "copy", process("copy", state="starting"), {}, 0.0)
    rows = stream_rows([gone, begun], Rates())
    assert [row[:2] for row in rows] == [("totals", "silent"), ("copy", "starting")]
    assert {len(row) for row in rows} == {len(HEAD)}
    assert rows[0][2:] == (*["-"] * 9, "2")


def test_processes_are_asked_for_their_metrics_and_others_left_out() -> None:
    metrics = StreamMetrics("totals", 0)

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"# TYPE requests counter\nrequests_total 3\n")

        def log_message(self, *_: object) -> None: ...

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=other.serve_forever, args=(0.02,))
    thread.start()
    try:
        metrics.rows.inc(12)
        metrics.show_lag(40)
        metrics.watermark_delay.set(2.25)
        processes = [
            process("totals-1", metrics.url),
            process("kafka", "127.0.0.1:9092"),
            process("endpoint", f"http://127.0.0.1:{other.server_port}/metrics"),
            process("away", "http://127.0.0.1:1/metrics"),
        ]
        away, found = stream_figures([RunFile("app", 1, processes)])
        assert (away.process.name, away.figures) == ("away", {})
        assert (found.process.name, found.stream, found.group) == ("totals-1", "totals", "app.totals")
        (row,) = stream_rows([found], Rates())
        assert dict(zip(HEAD, row, strict=True)) == {
            "STREAM": "totals-1", "STATE": "ready", "BATCH": "0", "ROWS": "12", "ROWS/S": "-", "LAG": "40",
            "LAG S": "0.0", "BEHIND S": "2.2", "LATE": "0", "DEAD": "0", "RETRIES": "0", "RESTARTS": "2",
        }  # fmt: skip
    finally:
        metrics.close()
        other.shutdown()
        thread.join()
        other.server_close()


def test_a_table_has_its_columns_below_one_another() -> None:
    assert table([("A", "BB"), ("long", "x")]) == ["A     BB", "long  x"]


def test_what_is_watched_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(watching, "running", lambda _: [RunFile("app", 1, [process("kafka", "127.0.0.1:1")])])
    monkeypatch.setattr(watching, "stream_figures", lambda _: [look(5, 1.0)])
    console = Console(file=io.StringIO(), width=200)
    view = watching.View(tmp_path)
    console.print(watching._drawn(view))
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert [line[0] for line in lines] == ["NAME", "kafka", "STREAM", "totals"]
    assert (lines[1][1], lines[3][3]) == ("silent", "5")
    monkeypatch.setattr(watching, "running", lambda _: [])
    monkeypatch.setattr(watching, "stream_figures", lambda _: [])
    console.print(watching._drawn(view))
    assert "nothing is running in" in console.file.getvalue()


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx 1\n"])
def test_a_process_that_ends_in_the_middle_of_its_answer_is_silent(answer: bytes) -> None:
    class Cut(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Cut) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}/metrics"
            (found,) = stream_figures([RunFile("app", 1, [process("totals", url)])])
            assert found.figures == {}
        finally:
            server.shutdown()
            thread.join()
