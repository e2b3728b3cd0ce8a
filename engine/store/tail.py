"""The one reader that follows a log: projections, consumers, feeds and `pmo log --follow`."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from engine.errors import LogDamaged
from engine.store.log import Log, Recorded

_PATIENCE = 0.2
"""Seconds after which a waiting reader looks at ``stop`` again. New events wake it at once."""


def tail(
    log: Log,
    after: int,
    *,
    batch: int = 1000,
    until: int | None = None,
    stop: Event | None = None,
) -> Iterator[list[Recorded]]:
    """Everything after a position, in order, each position once, in batches of 1 to ``batch``.

    Sleeps at the head until there is more. Ends once position ``until`` has been delivered, or
    ``stop`` is set; to catch up and end: ``tail(log, after, until=log.head())``.
    Raises ``LogDamaged`` rather than pass over a missing position.
    """
    while (until is None or after < until) and not (stop and stop.is_set()):
        recorded = log.read(after, batch if until is None else min(batch, until - after))
        if not recorded:
            log.wait(after, _PATIENCE)
            continue
        if recorded[0].position != after + 1 or recorded[-1].position != after + len(recorded):
            raise LogDamaged(after + 1, "missing, though later events are there")
        after = recorded[-1].position
        yield recorded
