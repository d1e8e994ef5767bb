"""A control socket that a thread serves."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from smackbox.base.errors import StartError, StorageError, UserError
from smackbox.net.control import CONTROL_FILE, Request, ServerStatus, Status, call
from smackbox.net.control_thread import ControlThread

LIMIT_S = 10.0


class Double(Request, frozen=True):
    """Twice the number."""

    number: int


class Doubled(msgspec.Struct, frozen=True):
    """It is this."""

    number: int


def serve(request: Double) -> Doubled:
    if request.number < 0:
        raise StorageError("only from nought on")
    return Doubled(2 * request.number)


def test_requests_are_answered_and_refused(tmp_path: Path) -> None:
    control = ControlThread.open(tmp_path, "doubler", Double, serve)
    assert call(tmp_path, Double(21), Doubled, LIMIT_S).number == 42
    with pytest.raises(UserError, match="only from nought on"):
        call(tmp_path, Double(-1), Doubled, LIMIT_S)
    assert call(tmp_path, Status(), ServerStatus, LIMIT_S).name == "doubler"
    control.close()
    assert not (tmp_path / CONTROL_FILE).exists()
    with pytest.raises(UserError, match="takes no requests"):
        call(tmp_path, Double(1), Doubled, LIMIT_S)


def test_closing_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    control = ControlThread.open(tmp_path, "doubler", Double, serve)
    assert threading.active_count() == before + 1
    control.close()
    assert threading.active_count() == before


def test_a_request_that_is_being_served_is_finished_by_close(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slowly(request: Double) -> Doubled:
        began.set()
        assert go_on.wait(LIMIT_S)
        return serve(request)

    control = ControlThread.open(tmp_path, "doubler", Double, slowly)
    answers: list[Doubled] = []
    asking = threading.Thread(target=lambda: answers.append(call(tmp_path, Double(4), Doubled, LIMIT_S)))
    asking.start()
    assert began.wait(LIMIT_S)
    closing = threading.Thread(target=control.close)
    closing.start()
    go_on.set()
    for thread in (closing, asking):
        thread.join(LIMIT_S)
    assert answers == [Doubled(8)]


def test_a_directory_that_is_none_is_a_start_error(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(StartError, match="cannot take requests"):
        ControlThread.open(tmp_path / "none", "doubler", Double, serve)
    assert threading.active_count() == before
