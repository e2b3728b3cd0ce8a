"""Something that is done again and again while something else goes on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread


class Meanwhile:
    """In a thread of its own, first after ``every`` seconds, until it is told to stop."""

    def __init__(self, action: Callable[[], None], every: float) -> None:
        self._stop = Event()
        self._thread = Thread(target=self._repeat, args=(action, every), daemon=True)
        self._thread.start()

    def _repeat(self, action: Callable[[], None], every: float) -> None:
        while not self._stop.wait(every):
            action()

    def stop(self) -> None:
        """Returns when what is being done has been done."""
        self._stop.set()
        self._thread.join()
