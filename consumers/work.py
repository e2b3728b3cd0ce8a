"""What consumers are given to act on: events in their places, with the bytes that are told of them.

The bytes in the log are canonical already. So what others are told are those very bytes, and not
the same value written anew; but where the log holds an older form of an event, today's is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event

from engine import canonical
from engine.store.chain import Row
from engine.store.tail import Followed, follow
from engine.upcasts import Body, read


@dataclass(frozen=True, slots=True)
class Work:
    """An event in its place in the log, as plain JSON in today's form. ``stored``: its bytes, where
    the log has it in that form."""

    position: int
    body: Body
    stored: bytes | None = None

    @property
    def stream(self) -> str:
        return str(self.body["stream"])


def as_work(row: Row) -> Work:
    """Raises ``LogDamaged`` for what is no event."""
    body = read(row.position, row.state, canonical.decode)
    return Work(row.position, body, row.state if body["type"] == row.type else None)


def tail_works(
    log: Followed,
    after: int,
    *,
    batch: int,
    until: int | None = None,
    stop: Event | None = None,
    seen: str | None = None,
) -> Iterator[list[Work]]:
    """As ``engine.store.tail.tail``."""
    for rows in follow(log, log.rows, _id_of, after, batch, until, stop, seen):
        yield [as_work(row) for row in rows]


def _id_of(row: Row) -> str:
    return str(canonical.decode(row.state)["event_id"])
