"""The one reader that follows a log: projections, consumers, feeds and `pmo log --follow`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from engine.errors import LogDamaged, LogDiverged
from engine.upcasts import Body, read

if TYPE_CHECKING:  # who only reads views starts without what rows are decoded and hashed with
    from engine.store.chain import Row

_PAGE = 1_000
"""Events that are read at a time, at least: a statement of its own for a hundred costs as much as
half of them."""

_PATIENCE = 0.2
"""Seconds after which a waiting reader looks at ``stop`` again. New events wake it at once."""


class Followed(Protocol):
    """What following needs of a log (``engine.store.log.Log``)."""

    def states(self, after: int, limit: int) -> list[tuple[int, bytes]]: ...

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
    from engine.canonical import decode  # late, as above

    def id_of(placed: tuple[int, bytes]) -> str:
        return str(read(*placed, decode)["event_id"])

    size = max(batch, _PAGE)
    for page in follow(log, log.states, id_of, after, size, until, stop, seen):
        for start in range(0, len(page), batch):
            some = page[start : start + batch]
            yield [(position, read(position, state, decode)) for position, state in some]


def follow(
    log: Followed,
    read: Callable[[int, int], list[Placed]],
    id_of: Callable[[Placed], str],
    after: int,
    batch: int,
    until: int | None,
    stop: Event | None,
    seen: str | None,
) -> Iterator[list[Placed]]:
    """As ``tail``, of whatever ``read`` gives of each event; ``id_of`` tells its id."""
    while (until is None or after < until) and not (stop and stop.is_set()):
        limit = batch if until is None else min(batch, until - after)
        if after:
            found = read(after - 1, limit + 1)  # the last one again, in the same answer
            if not found or found[0][0] != after or seen not in (None, id_of(found[0])):
                raise LogDiverged(after, "a reader", "Begin again after a position that both have")
            del found[0]
        else:
            found = read(0, limit)
        if not found:
            log.wait(after, _PATIENCE)
            continue
        if found[0][0] != after + 1 or found[-1][0] != after + len(found):
            raise LogDamaged(after + 1, "missing, though later events are there")
        after, seen = found[-1][0], id_of(found[-1])
        yield found
