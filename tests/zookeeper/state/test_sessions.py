"""Sessions end by the clock alone."""

from __future__ import annotations

from smackbox.zookeeper.state.sessions import Sessions


def test_a_session_lasts_its_whole_timeout() -> None:
    sessions = Sessions()
    one = sessions.add(1, 100, b"p", 1_000)
    other = sessions.add(2, 200, b"p", 1_000)
    assert sessions.expired(1_100) == []
    assert sessions.expired(1_101) == [one]
    sessions.touch(one, 1_101)
    assert sessions.expired(1_201) == [other]
    assert sessions.expired(1_202) == [one, other]
    assert (len(sessions), sessions.all(), sessions.get(1)) == (2, [one, other], one)
    sessions.remove(1)
    sessions.remove(1)
    assert (len(sessions), sessions.get(1)) == (1, None)


def test_a_session_is_resumed_with_its_password_and_its_new_timeout() -> None:
    sessions = Sessions()
    session = sessions.add(1, 100, b"secret", 0)
    assert sessions.resume(1, b"", 500, 50) is None
    assert sessions.resume(2, b"secret", 500, 50) is None
    assert (session.timeout_ms, session.deadline_ms) == (100, 100), "a wrong password moves nothing"
    assert sessions.resume(1, b"secret", 500, 50) is session
    assert (session.timeout_ms, session.deadline_ms) == (500, 550)
