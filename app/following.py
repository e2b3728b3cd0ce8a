"""Every consumer on a thread of its own, at the log's heels: what is recorded wakes it at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from app.consuming import runners
from app.home import Home
from consumers.runner import Runner
from engine.errors import PmoError

_LEAVING = 5.0
"""Seconds that a consumer has to end what it is at. One that is cut off does it again next time."""


class Followers:
    """They follow the log while the ``with`` statement lasts. One that fails for good ends it."""

    def __init__(self, home: Home, warn: Callable[[str], object]) -> None:
        """``warn`` hears why a consumer waits, when it begins to and whenever the reason changes;
        from any thread. Raises ``BadInput`` for settings that make no sense."""
        self._warn = warn
        self._reasons: dict[str, str] = {}
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._follow, args=[runner], name=runner.name, daemon=True)
            for runner in runners(home, self._hear)
        ]

    def wait(self, seconds: float) -> bool:
        """Whether it is over. Raises what a consumer failed of."""
        over = self._stop.wait(seconds)
        if self._failure is not None:
            raise self._failure
        return over

    def __enter__(self) -> Followers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_LEAVING)

    def _follow(self, runner: Runner) -> None:
        try:
            runner.follow(self._stop)
        except BaseException as error:  # noqa: BLE001  it is raised where somebody waits
            self._failure = error
            self._stop.set()

    def _hear(self, error: PmoError, _seconds: float) -> None:
        name = threading.current_thread().name
        if self._reasons.get(name) != str(error):
            self._reasons[name] = str(error)
            self._warn(f"{name} waits and tries again: {error}")
