"""How long an app whose tasks fail waits before it is launched again."""

from __future__ import annotations

import msgspec

from smackbox.marathon.state.launch_delay import LaunchDelays
from smackbox.marathon.wire.app import App, VersionInfo

APP = App(
    id="/a",
    backoff_seconds=2,
    backoff_factor=2.0,
    max_launch_delay_seconds=5,
    version="1",
    version_info=VersionInfo(last_scaling_at="1", last_config_change_at="1"),
)


def test_the_delay_grows_up_to_its_limit() -> None:
    delays = LaunchDelays()
    assert delays.left_ms(APP, 0) == 0
    for now_ms, expected_ms in ((0, 2_000), (10_000, 4_000), (20_000, 5_000), (30_000, 5_000)):
        delays.failed(APP, now_ms)
        assert delays.left_ms(APP, now_ms) == expected_ms
        assert delays.left_ms(APP, now_ms + expected_ms - 1) == 1
        assert delays.left_ms(APP, now_ms + expected_ms) == 0
        assert delays.left_ms(APP, now_ms + expected_ms + 1) == 0


def test_a_success_shortens_the_next_delay_and_ends_the_shortest() -> None:
    delays = LaunchDelays()
    delays.failed(APP, 0)
    delays.failed(APP, 0)
    delays.failed(APP, 0)
    delays.succeeded(APP)
    delays.failed(APP, 0)
    assert delays.left_ms(APP, 0) == 5_000
    delays.succeeded(APP)
    delays.succeeded(APP)
    assert delays.left_ms(APP, 0) == 0
    delays.failed(APP, 0)
    assert delays.left_ms(APP, 0) == 2_000


def test_a_success_without_a_delay_changes_nothing() -> None:
    delays = LaunchDelays()
    delays.succeeded(APP)
    delays.failed(APP, 0)
    assert delays.left_ms(APP, 0) == 2_000


def test_a_new_configuration_starts_without_a_delay() -> None:
    delays = LaunchDelays()
    delays.failed(APP, 0)
    changed = msgspec.structs.replace(APP, version_info=VersionInfo(last_scaling_at="2", last_config_change_at="2"))
    assert delays.left_ms(changed, 0) == 0
    delays.failed(changed, 0)
    assert delays.left_ms(changed, 0) == 2_000


def test_a_reset_ends_it() -> None:
    delays = LaunchDelays()
    delays.failed(APP, 0)
    delays.reset(APP.id)
    assert delays.left_ms(APP, 0) == 0


def test_a_delay_that_is_back_at_its_first_length_is_over() -> None:
    delays = LaunchDelays()
    delays.failed(APP, 0)
    delays.failed(APP, 0)
    assert delays.left_ms(APP, 0) == 4_000
    delays.succeeded(APP)
    assert delays.left_ms(APP, 0) == 0
    exact = msgspec.structs.replace(APP, backoff_seconds=2.0005)
    delays.failed(exact, 0)
    delays.failed(exact, 0)
    delays.succeeded(exact)
    assert delays.left_ms(exact, 0) == 0
