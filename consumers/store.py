"""What consumers remember: how far each has come, and what it could not do.

In ``consumers.db`` beside the ledger, or in the schema ``pmo_consumers`` of its database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumers.memory import FileMemory, Memory, Place, Said
from engine.errors import PmoError
from projections.sql import sql_beside

_SQL = sql_beside(__file__, "store.sql")
_FORM = 3


class Superseded(PmoError):
    """Another process has taken over what this one was at work on: nothing was written."""

    code = "superseded"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to be the one who does something (``consumers.leases``).

    ``number`` goes up with everybody who takes over: who has an older one writes nothing any more.
    """

    name: str
    holder: str
    number: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a consumer could not do. ``item`` tells apart what one event makes it do ("": all)."""

    position: int
    stream: str
    reason: str
    item: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Parked work, until somebody has retried or dismissed it (``closed_at``)."""

    number: int
    consumer: str
    position: int
    item: str
    stream: str
    what: str
    reason: str
    parked_at: str
    tries: int
    closed_at: str | None
    closed_by: str | None
    closed_for: str | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``began``: the position after which the consumer was switched on; ``position``: done."""

    consumer: str
    began: int
    position: int


class Store:
    """One connection, for one thread at a time; other processes may have theirs."""

    def __init__(self, place: Path | Place, reading: bool = False) -> None:
        """Opens it, and makes it where there is none; if only for ``reading``, it must be there.

        Raises ``StoreFailed``.
        """
        self._memory = open_memory(place, reading)

    def begin(self, consumer: str, position: int) -> None:
        """Switch a consumer on after ``position``; one that has been switched on stays as it is."""
        with self._memory.transaction():
            self._run("begin", {"consumer": consumer, "position": position})

    def checkpoints(self) -> list[Checkpoint]:
        return [Checkpoint(*row) for row in self._run("checkpoints")]

    def position(self, consumer: str) -> int | None:
        """How far it has come; ``None`` if it was never switched on."""
        rows = self._run("position", [consumer])
        return int(rows[0][0]) if rows else None

    def finish(
        self,
        consumer: str,
        position: int,
        troubles: Iterable[Trouble],
        at: str,
        lease: Lease | None = None,
        event: str = "",
    ) -> None:
        """Everything up to ``position`` is done, or parked: both in one transaction.

        ``event`` is the id of what stands at that position: the log may lose its end and go on.
        Raises ``Superseded`` if somebody has taken over the ``lease``.
        """
        with self._memory.transaction():
            if lease is not None:
                self._require(lease)
            for trouble in troubles:
                said = {
                    "consumer": consumer,
                    "position": trouble.position,
                    "item": trouble.item,
                    "stream": trouble.stream,
                    "what": trouble.what,
                    "reason": _kept(trouble.reason),
                    "at": at,
                }
                self._run("park", said)
            self._run("advance", {"consumer": consumer, "position": position})
            if event:
                self._run("see", {"consumer": consumer, "position": position, "event": event})

    def seen(self, consumer: str, position: int) -> str | None:
        """The id of the event that a consumer met at the position it has come to, if noted."""
        rows = self._run("seen", {"consumer": consumer, "position": position})
        return str(rows[0][0]) if rows else None

    def held(self, consumer: str) -> set[str]:
        """The streams of which something is parked."""
        return {stream for (stream,) in self._run("held", [consumer])}

    def incidents(
        self, consumer: str | None = None, number: int | None = None, closed: bool = False
    ) -> list[Incident]:
        """Parked work, oldest first; with ``closed`` also what was retried or dismissed."""
        said = {"consumer": consumer, "number": number, "closed": closed}
        return [Incident(*row) for row in self._run("open", said)]

    def counts(self) -> dict[str, int]:
        """How many incidents each consumer has; none of those that have none."""
        return {str(consumer): int(count) for consumer, count in self._run("count")}

    def leaders(self) -> dict[str, str]:
        """Who is at work on what, just now."""
        now = {"now": self._memory.now()}
        return {str(name): str(holder) for name, holder in self._run("leaders", now)}

    def tried(self, number: int, reason: str) -> None:
        with self._memory.transaction():
            self._run("tried", {"number": number, "reason": _kept(reason)})

    def close_incident(self, number: int, at: str, by: str, why: str) -> bool:
        """Whether it was open until now."""
        with self._memory.transaction():
            return bool(self._run("close", {"number": number, "at": at, "by": by, "why": why}))

    def close(self) -> None:
        self._memory.close()

    def _require(self, lease: Lease) -> None:
        """Whoever takes over waits until our transaction ends, or has done so before it."""
        said = {"name": lease.name, "number": lease.number}
        if not self._run("hold", said):
            raise Superseded(f"another process has taken over {lease.name}")

    def _run(self, name: str, said: Said = ()) -> list[tuple[Any, ...]]:
        return self._memory.run(_SQL[name], said)


def _kept(reason: str) -> str:
    """A reason may be what somebody else said, and PostgreSQL keeps no NUL character: to park what
    was refused with one would fail for ever."""
    return reason.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def open_memory(place: Path | Place, reading: bool = False) -> Memory:
    """The memory of consumers in a file or elsewhere. Raises ``StoreFailed``."""
    if isinstance(place, Path):
        return FileMemory(place, _SQL["tables"], _FORM, reading)
    return place.open(reading)
