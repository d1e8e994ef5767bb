"""Exponential back-off of apps whose tasks fail: `backoffSeconds`, `backoffFactor`, `maxLaunchDelaySeconds`."""

from __future__ import annotations

from dataclasses import dataclass

from smackbox.marathon.wire.app import App


@dataclass(slots=True)
class _Delay:
    config_version: str
    current_ms: int
    until_ms: int


class LaunchDelays:
    """By app. A new configuration starts without a delay."""

    def __init__(self) -> None:
        self._delays: dict[str, _Delay] = {}

    def failed(self, app: App, now_ms: int) -> None:
        """A task ended unexpectedly."""
        delay = self._current(app)
        longest_ms = app.max_launch_delay_seconds * 1000
        if delay is None:
            current_ms = min(app.backoff_seconds * 1000, longest_ms)
        else:
            current_ms = min(round(delay.current_ms * app.backoff_factor), longest_ms)
        self._delays[app.id] = _Delay(app.config_version, current_ms, now_ms + current_ms)

    def succeeded(self, app: App) -> None:
        """A task is running, and healthy if it has health checks: reduce the delay after the next failure."""
        delay = self._current(app)
        if delay is not None:
            delay.current_ms = round(delay.current_ms / app.backoff_factor)
            if delay.current_ms <= app.backoff_seconds * 1000:
                self.reset(app.id)

    def reset(self, app_id: str) -> None:
        """The next launch of the app is not delayed."""
        self._delays.pop(app_id, None)

    def left_ms(self, app: App, now_ms: int) -> int:
        """The remaining delay before the app may be launched again."""
        delay = self._current(app)
        return 0 if delay is None else max(0, delay.until_ms - now_ms)

    def _current(self, app: App) -> _Delay | None:
        delay = self._delays.get(app.id)
        return delay if delay is not None and delay.config_version == app.config_version else None
