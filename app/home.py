"""A home: a ledger, its views and what its consumers remember, in a folder or in a database; and
the one place where the parts meet.

Nothing heavy is imported before it is needed: a command that only looks something up reads the
views, and starts without the engine, its models or the log's library.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeVar

from app.places import VIEWS, Address, place_of
from engine.errors import LogDamaged, NotFound, StoreFailed

if TYPE_CHECKING:
    from consumers.leases import Leases
    from consumers.scheduler import Refusals, Scheduler
    from consumers.store import Store
    from engine.clock import Clock
    from engine.service import Service
    from engine.store.log import Log
    from engine.upcasts import Body
    from projections.runner import Progress, Runner
    from projections.store import Place, Tables


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Home:
    """An opened home. Close it, or use it in a ``with`` statement."""

    def __init__(self, address: Address, clock: Clock | None = None) -> None:
        self.address = address
        self.place = place_of(address)
        self.views_place: Path | Place = self.place.views
        self._clock = clock
        self._elsewhere = ExitStack()

    @classmethod
    def open(cls, address: Address, clock: Clock | None = None) -> Home:
        """The home at ``address``. Raises ``NotFound`` where there is none."""
        home = cls(address, clock)
        try:
            if not home.place.exists():
                mend = f"make one: pmo init --home {home}"
                raise NotFound.one(str(home), home.place.lacks, mend)
        except BaseException:
            home.close()
            raise
        return home

    @classmethod
    def create(cls, address: Address, clock: Clock | None = None) -> Home:
        """The home at ``address``, made where there is none.

        Raises ``BadInput`` for a file, or for a folder in which other things live, ``StoreFailed``
        where it cannot be written.
        """
        home = cls(address, clock)
        try:
            if not home.place.exists():
                home.place.make()
        except BaseException:
            home.close()
            raise
        return home

    def __str__(self) -> str:
        return str(self.place)

    @property
    def path(self) -> Path | None:
        """The folder for its settings, and views of its own; a database has none."""
        return self.place.folder

    def head(self) -> int:
        """The last position in the ledger, without opening it. Raises ``StoreFailed``."""
        return self.place.head()

    def stream(self, key: str) -> list[tuple[int, Body]]:
        """The events of one stream: position, and body lifted to today's form."""
        return self.place.stream(key)

    @cached_property
    def log(self) -> Log:
        return self.place.open_log()

    @cached_property
    def service(self) -> Service:
        """Raises ``LogDamaged`` as ``check_views`` does: whoever writes on a ledger that was put
        back from a backup gives the same keys and positions to something else."""
        from engine.service import Service

        try:
            self.check_views()
        except LogDamaged:
            raise
        except StoreFailed:
            pass  # views can be built again: they keep nobody from recording
        return Service(self.log, self._clock)

    @cached_property
    def runner(self) -> Runner:
        from projections.runner import Runner

        return Runner(self.log, self.views_place)

    @cached_property
    def refusals(self) -> Refusals:
        from consumers.scheduler import Refusals

        return Refusals(self.place.refusals)

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

        return Store(self.place.memories)

    @cached_property
    def leases(self) -> Leases:
        """What this process is at work on, and no other."""
        from consumers.leases import Leases

        return Leases(self.place.memories)

    def another_store(self) -> Store:
        """What consumers remember, for another thread; closed with the home."""
        from consumers.store import Store

        return self.keep(Store(self.place.memories))

    def keep(self, part: C) -> C:
        """Close it when the home is closed."""
        self._elsewhere.callback(part.close)
        return part

    @cached_property
    def views(self) -> Tables:
        """The views for reading, brought up first if the log is ahead of them.

        Raises ``LogDamaged`` where they show more than the log holds.
        """
        from projections.opening import open_for_reading

        checkpoint = self.checkpoint()
        if checkpoint is None or checkpoint < self.head():
            self.catch_up()
        self.check_views()
        return open_for_reading(self.views_place)

    def reader(self) -> Tables:
        """A connection of its own to the views, for another thread; whoever asks closes it."""
        from projections.opening import open_for_reading

        return open_for_reading(self.views_place)

    def catch_up(self, progress: Progress | None = None) -> int:
        """Bring the views up to the log's head; the position reached.

        Where they cannot be written and are behind, they are built in a temporary folder.
        """
        if not self.place.may_write_views():
            checkpoint = self.checkpoint()
            if checkpoint == self.head():
                return checkpoint
            self._build_elsewhere()
        return self.runner.catch_up(progress=progress)

    def set_aside_views(self) -> Path | None:
        """Make room for views to be built anew, where a file of them is damaged: where it is now.

        Raises ``StoreFailed``.
        """
        from projections.sqlite_file import set_aside

        return set_aside(self.views_place) if isinstance(self.views_place, Path) else None

    def check_views(self) -> None:
        """Raises ``LogDamaged`` where the views show more than the log holds."""
        checkpoint = self.checkpoint() or 0  # first: the log may grow meanwhile, never shrink
        head = self.head()
        if checkpoint > head:
            raise LogDamaged(
                head + 1,
                f"missing: the views have come to {checkpoint}. Restore the ledger; or, if this is "
                "the one that counts, pmo rebuild makes its views",
            )

    def close(self) -> None:
        self.__dict__.pop("scheduler", None)
        self._elsewhere.close()
        for part in ("refusals", "leases", "consumers", "views", "runner", "log"):
            if opened := self.__dict__.pop(part, None):
                opened.close()
        self.place.close()

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

        if self.views_place is self.place.views:
            folder = self._elsewhere.enter_context(TemporaryDirectory(prefix="pmo-views-"))
            self.views_place = Path(folder) / VIEWS

    def checkpoint(self) -> int | None:
        """The position the views have come to, ``None`` where they have to be built first."""
        from projections.opening import open_for_reading
        from projections.shipped import PROJECTIONS
        from projections.views import Views

        if not self._has_views():
            return None
        with closing(open_for_reading(self.views_place)) as tables:
            views = Views(tables, PROJECTIONS)
            return views.checkpoint() if views.current() else None

    def _has_views(self) -> bool:
        if self.views_place is self.place.views:
            return self.place.has_views()
        return isinstance(self.views_place, Path) and self.views_place.exists()
