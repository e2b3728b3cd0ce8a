"""A log copied into another store: positions, bytes, hashes and markers stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eventsourcing.persistence import StoredEvent

from engine.errors import BadInput, LogDamaged
from engine.store.chain import GENESIS, Row, check_markers, verified
from engine.store.log import Log, Page

_PAGE = 1_000
"""Events that are read and written at a time."""


def copy_log(source: Log, target: Log, progress: Callable[[int, int], None]) -> int:
    """Fill an empty log with what the other holds, in one transaction; the number of events.

    What is added to the source meanwhile is not copied. ``progress`` hears how much is done, and
    how much there is. Raises ``BadInput`` for a target that is not empty, ``LogDamaged`` for a
    source that is not what was written, ``StoreFailed``; then nothing was copied.
    """
    head = source.head()
    target.restore(_pages(source, head, progress))
    return head


def _pages(source: Log, head: int, progress: Callable[[int, int], None]) -> Iterator[Page]:
    chain = GENESIS
    for after in range(0, head, _PAGE):
        until = min(after + _PAGE, head)
        rows = source.rows(after, until - after)
        if [*verified(rows, after, chain)][-1:] != [until]:
            raise LogDamaged(after + len(rows) + 1, "missing")
        chain = rows[-1].chain
        yield Page(rows, {})
        progress(until, head)
    spans: list[tuple[int, int]] = []
    last = ""
    while markers := source.markers(last, _PAGE):
        last = max(markers)
        # Commands that wrote nothing stand at the position of the next that did.
        old = {id_: at for id_, at in markers.items() if at.first_position + at.count <= head + 1}
        spans += [(at.first_position, at.count) for at in old.values()]
        yield Page([], old)
    check_markers(sorted(spans), head)


def stored_event(row: Row) -> StoredEvent:
    return StoredEvent(row.stream, row.version, row.type, row.state)


def not_empty(where: str, head: int) -> BadInput:
    return BadInput.one(
        where, f"it holds {head:,} events already", "a ledger is copied into an empty place"
    )
