"""How far the log has come, told to everybody who waits on the event loop; and the threads in
which the log and the views are read, so that the loop never waits for a disk."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from engine.errors import PmoError
from engine.store.log import Log

LOG = logging.getLogger("pmo.http")
READERS = 8
"""Reads under way at a moment. A reader that waits, or whose client is slow, needs none."""

_LOOK = 0.25
_AFTER_FAILURE = 1.0

T = TypeVar("T")


class Reading:
    """A few threads that read, for one loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def run(self, read: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, read, *given)

    def close(self) -> None:
        self._threads.shutdown()


class Head:
    """The log's head, followed by one thread for all who wait."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._stop = threading.Event()
        self._moved = asyncio.Event()
        self._thread: threading.Thread | None = None
        self.position = 0

    def start(self) -> None:
        """Follow from now on; to be called on the loop. Raises ``StoreFailed``."""
        self.position = self._log.head()
        follow = threading.Thread(
            target=self._follow, args=(asyncio.get_running_loop(),), name="head", daemon=True
        )
        self._thread = follow
        follow.start()

    async def beyond(self, position: int, seconds: float) -> bool:
        """Whether the log has more than that, which is waited for; at once when we stop."""
        try:
            async with asyncio.timeout(seconds):
                while self.position <= position and not self.stopping:
                    await self._moved.wait()
        except TimeoutError:
            pass
        return self.position > position

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Whoever waits is told to go; to be called on the loop."""
        self._stop.set()
        self._wake()

    async def close(self) -> None:
        self.stop()
        if self._thread:
            await asyncio.to_thread(self._thread.join)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        position = self.position
        while not self._stop.is_set():
            try:
                if self._log.wait(position, _LOOK):
                    position = self._log.head()
                    loop.call_soon_threadsafe(self._reach, position)
            except PmoError as error:
                LOG.warning("log-not-followed: %s", error)
                self._stop.wait(_AFTER_FAILURE)

    def _reach(self, position: int) -> None:
        self.position = position
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
