"""The views of a service: kept up with the log by a thread of their own, read by others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from app.home import Home
from app.http.following import Reading
from app.http.problems import Refusal
from engine.errors import PmoError
from projections.store import Tables
from projections.views import reached

LOG = logging.getLogger("pmo.http")
PATIENCE = 10.0
"""Seconds that a reader waits for the views to show what it wants to see."""

_LOOK = 0.02
_AFTER_FAILURE = 1.0
_AGAIN = 60.0
"""Seconds of work after which a failure is a new one, though it reads like the one before."""

T = TypeVar("T")


class ServedViews:
    def __init__(self, home: Home, reading: Reading) -> None:
        self._home = home
        self._reading = reading
        self._stop = threading.Event()
        self._own = threading.local()
        self._opened: list[Tables] = []
        self._thread = threading.Thread(target=self._keep, name="views", daemon=True)

    def start(self) -> None:
        """Bring the views up, and keep them so. Raises ``StoreFailed``, ``LogDamaged``."""
        self._home.catch_up()
        self._home.check_views()
        self._thread.start()

    async def read(self, look: Callable[..., T], *given: Any) -> tuple[int, T]:
        """What ``look(tables, *given)`` finds, and the position the views had then come to."""
        return await self._reading.run(self._read, look, *given)

    async def wait_for(self, position: int) -> None:
        """Until the views have come to a position, whoever brings them there.

        Raises ``Refusal`` (503) where it takes too long.
        """
        give_up = monotonic() + PATIENCE
        while (now := await self._reading.run(self._reached)) < position:
            if monotonic() > give_up:
                told = f"the views have come to {now:,}, and not to {position:,} yet"
                raise Refusal(503, "views-behind", told, {"Retry-After": "1"})
            await asyncio.sleep(_LOOK)

    async def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def close_readers(self) -> None:
        """Once nobody reads any more."""
        for tables in self._opened:
            tables.close()

    def _reached(self) -> int:
        return reached(self._tables())

    def _read(self, look: Callable[..., T], *given: Any) -> tuple[int, T]:
        tables = self._tables()
        with tables.snapshot():
            return reached(tables), look(tables, *given)

    def _tables(self) -> Tables:
        """A connection for each thread, because one is for one thread at a time."""
        tables: Tables | None = getattr(self._own, "tables", None)
        if tables is None:
            tables = self._own.tables = self._home.reader()
            self._opened.append(tables)
        return tables

    def _keep(self) -> None:
        told = ""
        while not self._stop.is_set():
            began = monotonic()
            try:
                self._home.runner.follow(self._stop)
            except PmoError as error:
                # What fails again at once, on a home that may only be read, is said once.
                if str(error) != told or monotonic() - began > _AGAIN:
                    LOG.warning("views-not-kept: %s", error)
                told = str(error)
                self._stop.wait(_AFTER_FAILURE)
