"""One set of views: the tables of every projection, and the checkpoint they have come to.

A batch's rows and the checkpoint are one transaction, so that nobody, after whatever crash, finds
the one without the other. An event that a projection cannot take (*poison*) is parked with the
reason, and so is what follows it in its stream, because order within a case is kept; everything
else goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from engine.errors import StoreFailed
from engine.store.tail import Followed, tail
from engine.upcasts import Body
from projections.store import Scratch, Tables, Unfit, read_sql

Batch = list[tuple[int, Any]]
"""Events in order: position, and body as plain JSON (``engine.store.log.Log.bodies``)."""

Batches = Callable[[], Iterable[Batch]]
"""The events of one transaction, from the first of them each time it is called."""

_SQL = read_sql("views.sql")
FEW = 50
"""Events at a time: what was just decoded is still in the processor's cache when it is used."""
BUILD_BATCH = 30_000
"""Events a transaction. A build has readers wait for nothing, and larger ones write less."""
_WAITS = "waits for an earlier event of its stream"


class Projection(Protocol):
    """Events to rows, and nothing else: no clock, no network, no side effect.

    ``version`` goes up when its tables or its reading of events change: then views are rebuilt.
    """

    name: str
    version: int

    def create(self) -> None:
        """Make the tables."""

    def index(self) -> None:
        """Make the indexes that only queries need, as far as they are not there: cheaper once the
        rows are."""

    def apply(self, batch: Batch) -> None:
        """Take these events in; rows that the next event may change can wait for ``write``.

        It may raise: then all that was taken in since the last commit is undone and forgotten.
        """

    def write(self) -> None:
        """Write the rows that waited: a commit follows."""

    def forget(self) -> None:
        """Drop what is remembered of the tables: somebody else wrote them, or it was undone."""


class ProjectionClass(Protocol):
    name: str
    version: int

    def __call__(self, tables: Tables) -> Projection: ...


class Views:
    def __init__(self, tables: Tables, projections: Sequence[ProjectionClass]) -> None:
        self.tables = tables
        self._versions = {projection.name: projection.version for projection in projections}
        self._projections = [projection(tables) for projection in projections]
        self._remembered = -1  # the checkpoint up to which the projections' memory is right
        self._blocked: set[tuple[str, str]] = set()
        self.overheard: Callable[[Batch], None] | None = None
        """Is told of what is read from the log, before it is projected."""

    def create(self) -> None:
        with self.tables.transaction():
            self.tables.run_script(_SQL["tables"])
            self.tables.run(_SQL["begin"])
            self.tables.run_many(_SQL["enter_projection"], self._versions.items())
            for projection in self._projections:
                projection.create()

    def index(self) -> None:
        """Each index is a transaction: nobody looks at these tables yet, and together they would
        have to lie in the database's journal twice."""
        with self.tables.sorting():
            for projection in self._projections:
                projection.index()

    def current(self) -> bool:
        """Whether the tables are there and were built by these versions of the projections."""
        return self._built_by() == self._versions

    def newer(self) -> bool:
        """Whether a later version of a projection built them than is known here.

        Of two programs that are at work at once the older one leaves them alone: else each would
        build again what the other has just built.
        """
        return any(
            version > self._versions.get(name, version)
            for name, version in self._built_by().items()
        )

    def _built_by(self) -> dict[str, int]:
        if not self.tables.columns("projection"):
            return {}
        told = self.tables.run(_SQL["projections"])
        return {name: version for name, version in told if isinstance(version, int)}

    def checkpoint(self) -> int:
        return reached(self.tables)

    def parked(self) -> list[tuple[int, str, str, str]]:
        """Position, projection, stream and reason of what waits to be mended."""
        return [(p, name, stream, why) for p, name, stream, why in self.tables.run(_SQL["parked"])]

    def advance(self, log: Followed, to: int) -> int:
        """Project up to position ``to`` in one transaction; the position reached.

        What another process has projected meanwhile is left out. Raises ``StoreFailed`` when the
        log cannot be read or the tables cannot be written; then nothing was.
        """
        return self.take(self._missing(log, to))

    def advance_within(self, log: Followed, to: int) -> int:
        """As ``advance``, inside a transaction that is already open."""
        return self._take(self._missing(log, to))

    def take(self, batches: Batches) -> int:
        """As ``advance``, of the events that follow the checkpoint, whoever has read them."""
        try:
            with self.tables.transaction():
                return self._take(batches)
        except BaseException:
            self._forget()
            raise

    def _missing(self, log: Followed, to: int) -> Batches:
        return lambda: self._read(tail(log, self._remembered, batch=FEW, until=to))

    def _read(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        for batch in batches:
            if self.overheard:
                self.overheard(batch)
            yield batch

    def apply(self, projection: Projection, batch: Batch) -> None:
        projection.apply(batch)

    def stream_of(self, body: Any) -> str:
        return str(body["stream"])

    def _take(self, batches: Batches) -> int:
        reached = self._recall()
        try:
            with self.tables.attempt():
                for batch in batches():
                    for projection in self._projections:
                        self.apply(projection, self._admitted(projection, batch))
                    reached = batch[-1][0]
                for projection in self._projections:
                    projection.write()
        except StoreFailed:
            raise
        except Exception:  # noqa: BLE001  whatever it is, the slow way finds whose it is
            self._forget()
            reached = self._recall()
            for batch in batches():
                self._find_poison(batch)
                reached = batch[-1][0]
        self.tables.run(_SQL["advance"], [reached])
        self._remembered = reached
        return reached

    def absorb(self, scratch: Scratch) -> None:
        """Take over what views of the same projections have come to in another place.

        The tables are empty here; the checkpoint is that of these views already.
        """
        scratch.pour(self.tables, but=("checkpoint", "projection"))
        self.index()  # those that only this place knows to be wanted (``Tables.foresee``)

    def retry_parked(self, position: int, name: str, body: Body) -> str | None:
        """Try a parked event again: ``None`` if it went well, else the reason why not."""
        (projection,) = [p for p in self._projections if p.name == name]
        with self.tables.transaction():
            self._recall()
            reason = self._try(projection, position, body)
            if reason is None:
                self.tables.run(_SQL["release"], [name, position])
        self._forget()
        return reason

    def _find_poison(self, batch: Batch) -> None:
        for entry in batch:
            for projection in self._projections:
                for position, body in self._admitted(projection, [entry]):
                    reason = self._try(projection, position, body)
                    if reason is not None:
                        self._park(projection, position, body, reason)
                        self._blocked.add((projection.name, self.stream_of(body)))

    def _try(self, projection: Projection, position: int, body: Body) -> str | None:
        try:
            with self.tables.attempt():
                self.apply(projection, [(position, body)])
                projection.write()
        except StoreFailed:
            raise
        except Exception as error:  # noqa: BLE001  that is what parking is for
            projection.forget()
            return f"{type(error).__name__}: {error}"
        return None

    def _admitted(self, projection: Projection, batch: Batch) -> Batch:
        """The events that need not wait behind a parked one; those that do are parked."""
        if not self._blocked:
            return batch
        admitted = []
        for position, body in batch:
            if (projection.name, self.stream_of(body)) in self._blocked:
                self._park(projection, position, body, _WAITS)
            else:
                admitted.append((position, body))
        return admitted

    def _park(self, projection: Projection, position: int, body: Body, reason: str) -> None:
        self.tables.run(_SQL["park"], [projection.name, position, self.stream_of(body), reason])

    def _recall(self) -> int:
        """The checkpoint; what is remembered is dropped if another process has moved it."""
        done = self.checkpoint()
        if done != self._remembered:
            self._forget()
            self._blocked = {(name, stream) for _, name, stream, _ in self.parked()}
            self._remembered = done
        return done

    def _forget(self) -> None:
        self._remembered = -1
        for projection in self._projections:
            projection.forget()


def reached(tables: Tables) -> int:
    """The position up to which the views have come: with it, a reader knows what it may miss.

    Raises ``StoreFailed`` where they do not say it.
    """
    try:
        ((position,),) = tables.run(_SQL["checkpoint"])
        return int(position)
    except (Unfit, ValueError):
        raise StoreFailed(
            "the views do not say how far they have come; pmo rebuild builds them anew"
        ) from None
