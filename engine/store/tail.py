"""The one reader that follows a log: projections, consumers, feeds and `pmo log --follow`."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Protocol

from engine.errors import LogDamaged, LogDiverged
from engine.upcasts import Body

_PATIENCE = 0.2
"""Seconds after which a waiting reader looks at ``stop`` again. New events wake it at once."""


class Followed(Protocol):
    """What following needs of a log (``engine.store.log.Log``)."""

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]: ...

    def head(self) -> int: ...

    def wait(self, after: int, timeout: float) -> bool: ...


def tail(
    log: Followed,
    after: int,
    *,
    batch: int = 1000,
    until: int | None = None,
    stop: Event | None = None,
    seen: str | None = None,
) -> Iterator[list[tuple[int, Body]]]:
    """Everything after a position, in order, each once, in batches of 1 to ``batch``.

    An event comes as its position and its body (``Log.bodies``).

    Sleeps at the head until there is more. Ends once position ``until`` has been delivered, or
    ``stop`` is set; to catch up and end: ``tail(log, after, until=log.head())``.
    Raises ``LogDamaged`` rather than pass over a missing position, and ``LogDiverged`` where the
    event at ``after`` is not there any more. ``seen`` is its id, for who read it another time:
    positions are used again when a log that lost its end goes on.
    """
    while (until is None or after < until) and not (stop and stop.is_set()):
        limit = batch if until is None else min(batch, until - after)
        if after:
            bodies = log.bodies(after - 1, limit + 1)  # the last one again, in the same answer
            _recognise(bodies, after, seen)
            del bodies[0]
        else:
            bodies = log.bodies(0, limit)
        if not bodies:
            log.wait(after, _PATIENCE)
            continue
        if bodies[0][0] != after + 1 or bodies[-1][0] != after + len(bodies):
            raise LogDamaged(after + 1, "missing, though later events are there")
        after, seen = bodies[-1][0], bodies[-1][1]["event_id"]
        yield bodies


def _recognise(bodies: list[tuple[int, Body]], position: int, seen: str | None) -> None:
    if not bodies or bodies[0][0] != position or seen not in (None, bodies[0][1]["event_id"]):
        raise LogDiverged(position, "a reader", "Begin again after a position that both have")
