"""The one reader that follows a log: projections, consumers, feeds and `pmo log --follow`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any, Protocol, TypeVar

from engine.errors import LogDamaged
from engine.store.chain import Row
from engine.upcasts import Body

_PATIENCE = 0.2
"""Seconds after which a waiting reader looks at ``stop`` again. New events wake it at once."""


class Followed(Protocol):
    """What following needs of a log (``engine.store.log.Log``)."""

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]: ...

    def rows(self, after: int, limit: int) -> list[Row]: ...

    def head(self) -> int: ...

    def wait(self, after: int, timeout: float) -> bool: ...


Placed = TypeVar("Placed", bound=tuple[Any, ...])
"""An event, whose position comes first."""


def tail(
    log: Followed,
    after: int,
    *,
    batch: int = 1000,
    until: int | None = None,
    stop: Event | None = None,
) -> Iterator[list[tuple[int, Body]]]:
    """Everything after a position, in order, each once, in batches of 1 to ``batch``.

    An event comes as its position and its body (``Log.bodies``).

    Sleeps at the head until there is more. Ends once position ``until`` has been delivered, or
    ``stop`` is set; to catch up and end: ``tail(log, after, until=log.head())``.
    Raises ``LogDamaged`` rather than pass over a missing position.
    """
    return _follow(log, log.bodies, after, batch, until, stop)


def tail_rows(
    log: Followed,
    after: int,
    *,
    batch: int = 1000,
    until: int | None = None,
    stop: Event | None = None,
) -> Iterator[list[Row]]:
    """As ``tail``, but each event as it lies in the store: for who passes on its very bytes."""
    return _follow(log, log.rows, after, batch, until, stop)


def _follow(
    log: Followed,
    read: Callable[[int, int], list[Placed]],
    after: int,
    batch: int,
    until: int | None,
    stop: Event | None,
) -> Iterator[list[Placed]]:
    while (until is None or after < until) and not (stop and stop.is_set()):
        found = read(after, batch if until is None else min(batch, until - after))
        if not found:
            log.wait(after, _PATIENCE)
            continue
        if found[0][0] != after + 1 or found[-1][0] != after + len(found):
            raise LogDamaged(after + 1, "missing, though later events are there")
        after = found[-1][0]
        yield found
