"""The port behind which every store stands, and what must be true of all of them.

- Positions are dense and ascend from 1 in commit order; a reader who has seen position *n* will
  never find anything new at or below it.
- ``recorded_at`` never decreases along positions: where a clock stepped back, the store lifts the
  event to the last instant in the log before it writes.
- An append is all of one command or nothing, and conditional on the version of every stream it
  wrote or read. Appends of one call share a transaction; a conflict in one fails no other, but for
  those that expect something of a stream which it would have continued: they were decided on a
  version that was never written, even where others have meanwhile brought one of that number.
- What ``append`` returned is durable.
- Bytes are never changed or removed; every row carries the hash chain over all rows before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from engine.events import AnyEvent
from engine.fixed import fixed
from engine.store.chain import Row
from engine.upcasts import Body


@fixed
class Append:
    """What one command wants written.

    ``expected`` holds, for each stream written or read, the version it must still have (0: none).
    ``fingerprint`` (32 bytes) stands for what the command says.
    """

    events: tuple[AnyEvent, ...]
    expected: Mapping[str, int]
    command_id: str
    fingerprint: bytes


class Recorded(NamedTuple):
    """An event in its place in the whole log."""

    position: int
    event: AnyEvent


@fixed
class Appended:
    """Durable now. ``events`` are as written: their ``recorded_at`` may have been lifted a little
    (``engine.store.group.MOST_SKEW``)."""

    events: tuple[Recorded, ...]


class Conflict(NamedTuple):
    """Nothing was written: ``stream`` is at ``actual``, not at what was expected."""

    stream: str
    actual: int


class Late(NamedTuple):
    """Nothing was written: the log has come to ``recorded_at``, another day than the one that this
    was decided on, or a good deal later on it. What may be done then may be something else."""

    recorded_at: str


@fixed
class Marked:
    """The command has been here before: where its events stand, and what it was."""

    first_position: int
    count: int
    fingerprint: bytes


class Page(NamedTuple):
    """A part of a log as it lies in a store: events in order, and some commands by their ids."""

    rows: list[Row]
    markers: dict[str, Marked]


class Log(Protocol):
    def append(self, appends: Sequence[Append]) -> list[Appended | Conflict | Late | Marked]:
        """Write a group in one durable transaction; one answer for each append, in order.

        An append may expect versions that an earlier one of the same call brings about.
        Raises ``StoreFailed`` when the transaction as a whole could not be made durable; then
        nothing of it was written.
        """

    def marked(self, command_ids: Sequence[str]) -> dict[str, Marked]:
        """Which of these commands have already had their effect."""

    def stream(self, stream: str, after: int = 0) -> list[Recorded]:
        """The events of one stream with versions above ``after``, in order."""

    def version(self, stream: str) -> int:
        """The last version of a stream, 0 if it has none."""

    def versions(self, streams: Collection[str]) -> dict[str, int]:
        """The last version of each of these streams that has events."""

    def read(self, after: int, limit: int) -> list[Recorded]:
        """Up to ``limit`` events with positions above ``after``, in order."""

    def states(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """As ``read``, but of each event its position and its bytes alone."""

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]:
        """As ``read``, but each event as plain JSON lifted to today's form.

        For readers in bulk, such as views: the bytes were validated on their way in, and doing it
        again would cost several times what projecting them does.
        """

    def head(self) -> int:
        """The last position, 0 for an empty log."""

    def wait(self, after: int, timeout: float) -> bool:
        """Sleep until the head is beyond ``after`` (``True``), at most ``timeout`` seconds."""

    def chain(self, position: int) -> bytes | None:
        """The hash (32 bytes) that stands for the log up to a position; ``None`` past the head."""

    def check(self, after: int = 0) -> int:
        """Recompute the hash chain from the bytes; the number of events checked. From the beginning
        of the log also: that nothing stands before it, that each event is a command's, and that the
        store's own schema is what it was made with.

        Raises ``LogDamaged`` naming the first position that is not what was written.
        """

    def rows(self, after: int, limit: int) -> list[Row]:
        """As ``read``, but each event as it lies in the store: for who copies a log
        (``engine.store.copy``)."""

    def markers(self, after: str, limit: int) -> dict[str, Marked]:
        """Up to ``limit`` commands that had their effect, in the order of their ids, from the one
        after ``after``."""

    def restore(self, pages: Iterable[Page]) -> None:
        """Fill an empty log with what another holds: positions, bytes, hashes and all.

        It is one transaction: if the pages end in an error, nothing of them is there. They are
        taken for sound. Raises ``BadInput`` when the log is not empty.
        """

    def close(self) -> None: ...
