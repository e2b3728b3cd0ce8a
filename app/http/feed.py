"""The feed: every event once, in order, from any position; as pages, or as a stream that goes on.

Nothing is kept for a reader: where it is, it knows itself. So one that is slow, or away, holds up
nobody. What a filter leaves out still moves the reader on: each page says how far it has come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple

from app.http.following import Head, Reading
from app.http.problems import Refusal
from consumers import cloud_events
from consumers.work import Work, tail_works
from engine.store.log import Log
from engine.upcasts import Body

MOST = 1_000
"""Events in one answer."""
MOST_SCANNED = 10_000
"""Events that are looked at for one answer, so that no filter makes one take long."""
STREAMED = 100
"""Events in one piece of a stream: what one slow reader has us keep."""
HEARTBEAT = 15.0
"""Seconds after which a stream says that it is still there."""

_AT_ONCE = 200
"""Events decoded before they are written: more at a moment cost the garbage collector more than
they save the database."""

CloudEvent = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asked for: of each kind any, if it named none."""

    workflows: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    cases: frozenset[str] = frozenset()

    def takes(self, body: Body) -> bool:
        """Types go by their domain name (``DecisionTaken``) or in full (``pmo.decision....``)."""
        workflow, name = body["definition"]["name"], body["name"]
        return (
            (not self.workflows or workflow in self.workflows)
            and (not self.types or name in self.types or f"pmo.{workflow}.{name}" in self.types)
            and (not self.cases or body["stream"] in self.cases)
            and cloud_events.is_public(body)
        )


class Place(NamedTuple):
    """``seen`` is the id of the event at that position, where it was read: together they say also
    whether a log is still the one that it was read in."""

    position: int
    seen: str | None = None

    def __str__(self) -> str:
        return f"{self.position}:{self.seen}" if self.seen else str(self.position)


@dataclass(frozen=True, slots=True)
class Page:
    """CloudEvents as JSON, each with its place. ``reached``: everything up to there is in
    ``events``, or was not asked for."""

    events: list[tuple[Place, bytes]]
    reached: Place


@dataclass(frozen=True, slots=True)
class Encoded:
    """A page as JSON: an array of so many CloudEvents."""

    events: bytes
    count: int
    reached: int
    head: int


def read_page(log: Log, after: Place, limit: int, wanted: Wanted, source: str) -> Page:
    """The next events after a place. Raises ``LogDamaged`` rather than pass over one, and
    ``LogDiverged`` where another event stands at that place."""
    events: list[tuple[Place, bytes]] = []
    last = min(log.head(), after.position + MOST_SCANNED)
    batch = min(limit, _AT_ONCE) if wanted == Wanted() else _AT_ONCE
    for works in tail_works(log, after.position, batch=batch, until=last, seen=after.seen):
        for work in works:
            if wanted.takes(work.body):
                after = _place(work)
                told = cloud_events.structured(after.position, work.body, source, work.stored)
                events.append((after, told))
                if len(events) == limit:
                    return Page(events, after)
        after = _place(works[-1])
    return Page(events, after)


def _place(work: Work) -> Place:
    return Place(work.position, work.body["event_id"])


def describe(position: int, body: Body, source: str) -> CloudEvent:
    """A CloudEvent in structured mode: its attributes, and the event as its data."""
    event: CloudEvent = cloud_events.attributes(position, body, source)
    event["data"] = body
    return event


class Feed:
    def __init__(self, log: Log, head: Head, reading: Reading, source: str) -> None:
        self._log = log
        self._head = head
        self._reading = reading
        self._source = source

    async def page(self, after: int, limit: int, wanted: Wanted, wait: float) -> Encoded:
        """A page; where it would be empty, after a wait of up to so many seconds for an event that
        is wanted. To be checked before."""
        give_up = monotonic() + wait
        while True:
            page = await self._reading.run(self._encoded, Place(after), limit, wanted)
            left = give_up - monotonic()
            if page.count or left <= 0 or not await self._head.beyond(page.reached, left):
                return page
            after = page.reached

    async def check(self, place: Place) -> None:
        """Raises ``Refusal`` for a reader that has come further than the log, or whose event at
        that position (``seen`` is its id) is not the one that stands there.

        It has seen events that are no more: the ledger was restored from a backup, a standby took
        over that lacked its end, or it is another. To go on would pass over what is recorded
        instead.
        """
        after, seen = place
        if after > self._head.position and after > (
            head := await self._reading.run(self._log.head)
        ):
            told = (
                f"the log ends at position {head}: what you read up to {after} is not in this log."
                " Was it restored from a backup? Begin again after a position both have"
            )
            raise Refusal(409, "position-ahead", told, head=head)
        if seen is not None and after:
            found = await self._reading.run(self._log.bodies, after - 1, 1)
            if not found or found[0][1]["event_id"] != seen:
                told = (
                    f"another event stands at position {after} than {seen}, which you have read"
                    " there. Was the log restored from a backup? Begin again after a position both"
                    " have"
                )
                raise Refusal(409, "log-diverged", told)

    async def stream(self, after: Place, wanted: Wanted) -> AsyncIterator[bytes]:
        """Server-sent events: ``id`` is the place, so that ``Last-Event-ID`` goes on after it, and
        is refused where another event stands there by then.

        Ends when the service stops; a reader that comes back goes on where it was.
        """
        yield b"retry: 1000\n\n"
        while not self._head.stopping:
            chunk, after = await self._reading.run(self._chunk, after, wanted)
            if chunk:
                yield chunk
            waiting = after.position >= self._head.position
            if waiting and not await self._head.beyond(after.position, HEARTBEAT):
                yield b": still here\n\n"

    def _encoded(self, after: Place, limit: int, wanted: Wanted) -> Encoded:
        page = read_page(self._log, after, limit, wanted, self._source)
        events = b"[" + b",".join(event for _, event in page.events) + b"]"
        reached = page.reached.position
        return Encoded(events, len(page.events), reached, max(reached, self._head.position))

    def _chunk(self, after: Place, wanted: Wanted) -> tuple[bytes, Place]:
        """The next events of a stream, and how far it has come, which is told also where none of
        them is wanted: a reader that comes back need not have them looked at again."""
        page = read_page(self._log, after, STREAMED, wanted, self._source)
        told = after
        lines = []
        for told, event in page.events:
            lines.append(b"id: %b\ndata: %b\n\n" % (str(told).encode(), event))
        if told.position < page.reached.position:
            lines.append(b"id: %b\n\n" % str(page.reached).encode())
        return b"".join(lines), page.reached
