"""Keeps the views up with the log, and builds them again when need be.

Everything that brings the views to life from nothing takes one way: a *shadow* set of tables is
built beside those that people read, and then takes their place in one transaction. A build that is
killed leaves only a shadow, which the next one clears away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreFailed
from engine.store.tail import Followed
from projections.audit import Audit
from projections.cases import Cases
from projections.deadlines import Deadlines
from projections.definitions import Definitions
from projections.links import Links
from projections.register import Registers
from projections.signatures import Signatures
from projections.store import Place, open_for_writing
from projections.views import ProjectionClass, Views

PROJECTIONS: tuple[ProjectionClass, ...] = (
    Definitions,
    Audit,
    Cases,
    Registers,
    Deadlines,
    Links,
    Signatures,
)

Progress = Callable[[int, int], None]
"""Told how far it is: the position reached, and the one to reach."""

_BATCH = 1_000
_BUILD_BATCH = 10_000
"""Events a transaction. A build has readers wait for nothing, and larger ones write less."""


@dataclass(frozen=True, slots=True)
class Status:
    """``lag`` is in events; ``parked`` counts those that wait to be mended."""

    checkpoint: int
    head: int
    lag: int
    parked: int


class Runner:
    """For one thread at a time; other processes may run theirs on the same views meanwhile."""

    def __init__(
        self,
        log: Followed,
        place: Path | Place,
        projections: Sequence[ProjectionClass] = PROJECTIONS,
    ) -> None:
        self._log = log
        self._tables = open_for_writing(place)
        self._projections = projections
        self._views = Views(self._tables, projections)

    def catch_up(self, to: int | None = None, progress: Progress | None = None) -> int:
        """Project what is new, up to the position ``to`` or the head; the position reached.

        Views that are not there yet, or that earlier versions of the projections built, are built.
        Raises ``StoreFailed`` for those that a later one built.
        """
        if not self._views.current():
            if self._views.newer():
                raise StoreFailed("the views are of a newer version of pmo: use that one")
            return self.rebuild(to, progress)
        return self._project(self._views, _BATCH, to, progress)

    def follow(self, stop: threading.Event) -> None:
        """Keep up with the log until told to stop, which takes a quarter of a second at most."""
        reached = self.catch_up()
        while not stop.is_set():
            if self._log.wait(reached, timeout=0.25):
                reached = self.catch_up()

    def rebuild(self, to: int | None = None, progress: Progress | None = None) -> int:
        """Build the views anew, up to the position ``to`` or the head; the position reached.

        Those there are can be read all the while, and nobody sees anything in between.
        """
        shadow = Views(self._tables.shadow(), self._projections)
        shadow.create()
        self._project(shadow, _BUILD_BATCH, to, progress)
        shadow.index()
        with self._tables.transaction():
            # Other processes may have brought the old views further while the indexes were made.
            shadow.advance_within(self._log, self._log.head() if to is None else to)
            shadow.tables.promote()
        self._views = Views(self._tables, self._projections)
        return self._views.checkpoint()

    def retry_parked(self) -> int:
        """Try again what is parked, in order; how many events could now be projected.

        What still fails keeps its reason, and those behind it in its stream keep waiting.
        """
        self.catch_up()
        mended = 0
        stuck: set[tuple[str, str]] = set()
        for position, projection, stream, _ in self._views.parked():
            if (projection, stream) in stuck:
                continue
            ((_, body),) = self._log.bodies(position - 1, 1)
            if self._views.retry_parked(position, projection, body) is None:
                mended += 1
            else:
                stuck.add((projection, stream))
        return mended

    def status(self) -> Status:
        head = self._log.head()
        if not self._views.current():
            return Status(checkpoint=0, head=head, lag=head, parked=0)
        checkpoint = self._views.checkpoint()
        return Status(checkpoint, head, head - checkpoint, len(self._views.parked()))

    def close(self) -> None:
        self._tables.close()

    def _project(self, views: Views, size: int, to: int | None, progress: Progress | None) -> int:
        reached = views.checkpoint()
        goal = self._log.head() if to is None else to
        while reached < goal:
            reached = views.advance(self._log, min(goal, reached + size))
            if progress:
                progress(reached, goal)
        return reached
