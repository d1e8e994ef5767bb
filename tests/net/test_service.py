"""A service in a thread: what a start that fails leaves behind."""

from __future__ import annotations

import pytest

from smackbox.base.errors import StartError
from smackbox.net.service import Server, ServiceThread


class _Open:
    url = "127.0.0.1:1"

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.stopped = 0

    async def probe(self) -> None:
        if not self.answers:
            raise StartError("it does not answer")

    async def stop(self) -> None:
        self.stopped += 1


class _Service(Server[_Open]):
    name = "a service"

    def __init__(self, opened: _Open | None) -> None:
        super().__init__()
        self.opened = opened

    async def open(self) -> _Open:
        if self.opened is None:
            raise StartError("the port is taken")
        return self.opened


def test_a_service_that_does_not_answer_is_stopped() -> None:
    """Its sockets would be open until the process ends otherwise, and a second start would find its port taken."""
    opened = _Open(answers=False)
    service = _Service(opened)
    with pytest.raises(StartError, match="does not answer"):
        ServiceThread(service).start()
    assert opened.stopped == 1
    with pytest.raises(RuntimeError, match="does not run"):
        _ = service.url


def test_one_that_did_not_open_has_nothing_to_stop() -> None:
    with pytest.raises(StartError, match="port is taken"):
        ServiceThread(_Service(None)).start()


def test_one_that_answers_is_stopped_once() -> None:
    opened = _Open(answers=True)
    with ServiceThread(_Service(opened)) as thread:
        assert thread.url == "127.0.0.1:1"
    assert opened.stopped == 1
