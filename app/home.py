"""A home: the folder that holds a ledger, its views and what its consumers remember; and the one
place where the parts meet.

Nothing heavy is imported before it is needed: a command that only looks something up reads the
views, and starts without the engine, its models or the log's library.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from engine.errors import BadInput, LogDamaged, NotFound, StoreFailed

if TYPE_CHECKING:
    from consumers.scheduler import Refusals, Scheduler
    from consumers.store import Store
    from engine.clock import Clock
    from engine.service import Service
    from engine.store.log import Log
    from projections.runner import Progress, Runner
    from projections.store import Tables

LEDGER = "ledger.db"
VIEWS = "views.db"
SCHEDULER = "scheduler.db"
"""What is due and was refused: without it, it is tried anew."""
CONSUMERS = "consumers.db"


class Home:
    """An opened home. Close it, or use it in a ``with`` statement."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self.ledger = path / LEDGER
        self.views_file = path / VIEWS
        self.consumers_file = path / CONSUMERS
        self._clock = clock
        self._elsewhere = ExitStack()

    @classmethod
    def open(cls, path: Path, clock: Clock | None = None) -> Home:
        """The home at ``path``. Raises ``NotFound`` where there is none."""
        home = cls(path, clock)
        try:
            there = home.ledger.is_file()
        except OSError as error:
            raise StoreFailed(f"{path}: {error.strerror}") from None
        if not there:
            raise NotFound.one(
                str(path), f"there is no ledger ({LEDGER})", f"make one: pmo init --home {path}"
            )
        return home

    @classmethod
    def create(cls, path: Path, clock: Clock | None = None) -> Home:
        """The home at ``path``, made where there is none.

        Raises ``BadInput`` for a file, or for a folder in which other things live, ``StoreFailed``
        where it cannot be written.
        """
        home = cls(path, clock)
        try:
            if home.ledger.is_file():
                return home
            if path.exists() and not path.is_dir():
                raise BadInput.one(str(path), "is a file", "name a folder, or one to be made")
            # The demo makes its home inside the one that is made next.
            if path.is_dir() and not all((inside / LEDGER).is_file() for inside in path.iterdir()):
                raise BadInput.one(
                    str(path), "other things are in this folder", "name an empty or a new one"
                )
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreFailed(f"{path}: a home cannot be made here: {error.strerror}") from None
        return home

    @cached_property
    def log(self) -> Log:
        from engine.store.opening import open_log

        return open_log(self.ledger)

    @cached_property
    def service(self) -> Service:
        from engine.service import Service

        return Service(self.log, self._clock)

    @cached_property
    def runner(self) -> Runner:
        from engine.store.opening import open_log
        from projections.runner import Runner

        return Runner(self.log, self.views_file, open_log=partial(open_log, self.ledger))

    @cached_property
    def refusals(self) -> Refusals:
        from consumers.scheduler import Refusals

        return Refusals(self.path / SCHEDULER)

    @cached_property
    def scheduler(self) -> Scheduler:
        from consumers.scheduler import Scheduler
        from engine.clock import SystemClock

        clock = self._clock or SystemClock()
        return Scheduler(self.service, self.views, self.catch_up, self.refusals, clock)

    @cached_property
    def consumers(self) -> Store:
        """What consumers remember, made where there is nothing yet."""
        from consumers.store import Store

        return Store(self.consumers_file)

    @cached_property
    def views(self) -> Tables:
        """The views for reading, brought up first if the log is ahead of them.

        Raises ``LogDamaged`` where they show more than the log holds.
        """
        from engine.store.sqlite_file import head_of
        from projections.store import open_for_reading

        checkpoint = self.checkpoint()
        if checkpoint is None or checkpoint < head_of(str(self.ledger)):
            self.catch_up()
        self.check_views()
        return open_for_reading(self.views_file)

    def catch_up(self, progress: Progress | None = None) -> int:
        """Bring the views up to the log's head; the position reached.

        Where they cannot be written and are behind, they are built in a temporary folder.
        """
        from engine.store.sqlite_file import head_of, is_read_only

        if not os.access(self.path, os.W_OK) or is_read_only(self.views_file):
            checkpoint = self.checkpoint()
            if checkpoint == head_of(str(self.ledger)):
                return checkpoint
            self._build_elsewhere()
        return self.runner.catch_up(progress=progress)

    def check_views(self) -> None:
        """Raises ``LogDamaged`` where the views show more than the log holds."""
        from engine.store.sqlite_file import head_of

        checkpoint = self.checkpoint() or 0  # first: the log may grow meanwhile, never shrink
        head = head_of(str(self.ledger))
        if checkpoint > head:
            raise LogDamaged(
                head + 1,
                f"missing: the views have come to {checkpoint}. Restore the ledger; or, if this is "
                "the one that counts, pmo rebuild makes its views",
            )

    def close(self) -> None:
        self.__dict__.pop("scheduler", None)
        for part in ("refusals", "consumers", "views", "runner", "log"):
            if opened := self.__dict__.pop(part, None):
                opened.close()
        self._elsewhere.close()

    def __enter__(self) -> Home:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _build_elsewhere(self) -> None:
        """From now on the views are in a folder of ours, which goes when the home is closed."""
        from tempfile import TemporaryDirectory

        if self.views_file.parent == self.path:
            folder = self._elsewhere.enter_context(TemporaryDirectory(prefix="pmo-views-"))
            self.views_file = Path(folder) / VIEWS

    def checkpoint(self) -> int | None:
        """The position the views have come to, ``None`` where they have to be built first."""
        from projections.runner import PROJECTIONS
        from projections.store import open_for_reading
        from projections.views import Views

        if not self.views_file.exists():
            return None
        with closing(open_for_reading(self.views_file)) as tables:
            views = Views(tables, PROJECTIONS)
            return views.checkpoint() if views.current() else None
