"""The log on SQLite: one file, one writer at a time, readers that no writer holds up.

``PERSISTENCE_MODULE=engine.store.sqlite`` gives a stock ``eventsourcing`` application the same
table, positions and hash chain, through the same recorder.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import starmap
from pathlib import Path
from time import monotonic
from typing import Any

from eventsourcing import persistence
from eventsourcing import sqlite as stock
from eventsourcing.domain import EventSourcingError

from engine import canonical
from engine.errors import LogDamaged, StoreFailed
from engine.events import to_bytes
from engine.store import sqlite_file
from engine.store.chain import GENESIS, Row, check_first, check_markers, verified
from engine.store.copy import not_empty, stored_event
from engine.store.group import Judgement, judge, streams_of
from engine.store.log import Append, Appended, Conflict, Late, Marked, Page, Recorded
from engine.store.mapper import Mapper
from engine.store.sqlite_recorders import Datastore, Factory, Recorder, marks
from engine.upcasts import Body, read

__all__ = ["Factory", "SQLiteLog"]

_GLANCE, _QUICK_GLANCE = 0.05, 0.005
"""Seconds between two looks for what other processes have committed: the quick one while something
has come within the last second, so that a reader at the heels of a busy log is there at once."""


class SQLiteLog:
    """``engine.store.log.Log`` on a ledger file, made where there is none.

    Raises ``StoreFailed`` where the file cannot be opened or is not a ledger, ``LogDamaged`` with
    the first position that is lost where it is damaged so much that it cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(Path(path).absolute())
        with self._plainly():
            try:
                self._datastore = Datastore(self._path)
            except (EventSourcingError, sqlite3.Error) as error:
                if sqlite_file.is_cut_off(error):
                    raise self._damaged(sqlite_file.first_unreadable(self._path), error) from error
                raise
        self._recorder = Recorder(self._datastore)
        self._mapper = Mapper()
        self._moved_at = 0.0
        self._last = (GENESIS, "")  # the end of the log by its chain, and when it was recorded

    def append(self, appends: Sequence[Append]) -> list[Appended | Conflict | Late | Marked]:
        judgement: Judgement | None = None
        try:
            with self._datastore.transaction(commit=True) as c:
                judgement = judge(
                    appends,
                    _select_markers(c, [append.command_id for append in appends]),
                    self._versions(c, streams_of(appends)),
                    *self._end(c),
                )
                if judgement.markers:
                    self._insert(c, judgement)
                    self._commit()
        except (persistence.PersistenceError, sqlite3.Error) as error:
            # A commit that reported failure may have happened all the same: the markers tell.
            if judgement is None or not self.marked(list(judgement.markers)):
                raise sqlite_file.failed(self._path, error) from error
        return judgement.answers

    def _versions(self, c: stock.SQLiteCursor, streams: Iterable[str]) -> dict[str, int]:
        """Of these streams: most are those that were written last."""
        known = self._datastore.versions
        if unknown := [stream for stream in streams if stream not in known]:
            known.update(dict.fromkeys(unknown, 0))
            known.update(_select_versions(c, unknown))
        return {stream: known[stream] for stream in streams}

    def _insert(self, c: stock.SQLiteCursor, judgement: Judgement) -> None:
        events = list(judgement.events())
        self._recorder.add(
            c, [(event.stream, event.version, event.type, to_bytes(event)) for event in events]
        )
        _insert_markers(c, judgement.markers)
        if events:
            self._last = (self._datastore.head[1], events[-1].recorded_at)

    def _commit(self) -> None:
        """Benches slow this down to see what a slower disk would cost."""
        self._datastore.commit()

    def _end(self, c: stock.SQLiteCursor) -> tuple[int, str]:
        """The last position, and when it was recorded."""
        position, chain = self._datastore.head
        if self._last[0] != chain:
            c.execute("SELECT state FROM events WHERE position = ?", (position,))
            recorded_at = canonical.decode(c.fetchone()["state"])["recorded_at"] if position else ""
            self._last = (chain, recorded_at)
        return position, self._last[1]

    def marked(self, command_ids: Sequence[str]) -> dict[str, Marked]:
        with self._reading() as c:
            return _select_markers(c, command_ids)

    def stream(self, stream: str, after: int = 0) -> list[Recorded]:
        with self._plainly():
            return self._recorded(self._recorder.select_stream(stream, after))

    def version(self, stream: str) -> int:
        return self.versions([stream]).get(stream, 0)

    def versions(self, streams: Collection[str]) -> dict[str, int]:
        with self._reading() as c:
            return _select_versions(c, streams)

    def read(self, after: int, limit: int) -> list[Recorded]:
        with self._plainly():
            return self._recorded(
                self._recorder.select_notifications(after, limit, inclusive_of_start=False)
            )

    def states(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        with self._reading() as c:
            c.execute(
                "SELECT position, state FROM events WHERE position > ? ORDER BY position LIMIT ?",
                (after, limit),
            )
            c.sqlite_cursor.row_factory = None  # tuples: nothing here asks for a column by name
            rows: list[tuple[int, bytes]] = c.fetchall()
        return rows

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]:
        rows = self.states(after, limit)
        return [(position, read(position, state, canonical.decode)) for position, state in rows]

    def head(self) -> int:
        with self._plainly():
            return self._recorder.max_notification_id() or 0

    def wait(self, after: int, timeout: float) -> bool:
        """An append in this process wakes at once; one in another is noticed within 50 ms, within 5
        on a busy log.

        SQLite tells nobody of a commit, so a waiting thread asks for the head again and again.
        """
        deadline = monotonic() + timeout
        store = self._datastore
        while True:
            seen = store.commits
            now = monotonic()
            if self.head() > after:
                self._moved_at = now
                return True
            left = deadline - now
            if left <= 0:
                return False
            glance = _QUICK_GLANCE if now - self._moved_at < 1 else _GLANCE
            with store.committed:
                store.committed.wait_for(partial(store.has_moved, seen), min(left, glance))

    def chain(self, position: int) -> bytes | None:
        with self._reading() as c:
            return _chain_at(c, position)

    def check(self, after: int = 0) -> int:
        position = after
        try:
            with self._datastore.transaction(commit=False) as c:
                chain = _chain_at(c, after)
                if chain is None:
                    raise LogDamaged(after, "missing")
                c.execute("SELECT * FROM events WHERE position > ? ORDER BY position", (after,))
                for position in verified(starmap(Row, c.sqlite_cursor), after, chain):  # noqa: B007
                    pass  # remembered for the error below
                if after == 0:
                    c.execute("SELECT min(position) AS first FROM events")
                    check_first(c.fetchone()["first"])
                    c.execute(
                        "SELECT first_position, count FROM command_markers"
                        " ORDER BY first_position, count"
                    )
                    check_markers(map(tuple, c.sqlite_cursor), position)
                    _check_structure(c, position)
        except (persistence.PersistenceError, sqlite3.Error) as error:
            if not sqlite_file.is_damage(error):
                raise sqlite_file.failed(self._path, error) from error
            raise self._damaged(position + 1, error) from error
        return position - after

    def rows(self, after: int, limit: int) -> list[Row]:
        with self._reading() as c:
            c.execute(
                "SELECT * FROM events WHERE position > ? ORDER BY position LIMIT ?", (after, limit)
            )
            return [Row(*row) for row in c.fetchall()]

    def markers(self, after: str, limit: int) -> dict[str, Marked]:
        with self._reading() as c:
            c.execute(
                "SELECT * FROM command_markers WHERE command_id > ? ORDER BY command_id LIMIT ?",
                (after, limit),
            )
            return {command_id: Marked(*rest) for command_id, *rest in c.fetchall()}

    def restore(self, pages: Iterable[Page]) -> None:
        with self._plainly(), self._datastore.transaction(commit=True) as c:
            if (head := self._end(c)[0]) or _select_any_marker(c):
                raise not_empty(self._path, head)
            for page in pages:
                self._recorder._insert_events(c, [stored_event(row) for row in page.rows])
                _insert_markers(c, page.markers)

    def close(self) -> None:
        self._datastore.close()

    def _damaged(self, position: int, error: BaseException) -> LogDamaged:
        why = str(error).partition(" with text ")[0]
        what = f"{self._path} is damaged and cannot be read from there on ({why})"
        return LogDamaged(position, f"{what}; restore it from a backup")

    def _recorded(self, found: Sequence[persistence.Notification]) -> list[Recorded]:
        try:
            return [Recorded(event.id, self._mapper.to_domain_event(event)) for event in found]
        except (persistence.MapperDeserialisationError, TypeError, AttributeError):
            for event in found:
                _check_event(self._mapper, event)
            raise

    @contextmanager
    def _reading(self) -> Iterator[stock.SQLiteCursor]:
        with self._plainly(), self._datastore.transaction(commit=False) as c:
            yield c

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except persistence.ConnectionPoolClosedError as error:
            raise StoreFailed(f"{self._path}: the log is closed") from error
        except (EventSourcingError, sqlite3.Error) as error:
            raise sqlite_file.failed(self._path, error) from error


def _check_event(mapper: Mapper, event: persistence.Notification) -> None:
    try:
        mapper.to_domain_event(event)
    except (persistence.MapperDeserialisationError, TypeError, AttributeError) as error:
        raise LogDamaged(event.id, f"what is stored there is no event: {error}") from error


def _select_markers(c: stock.SQLiteCursor, command_ids: Sequence[str]) -> dict[str, Marked]:
    found = {}
    for some in _portions(command_ids):
        c.execute(f"SELECT * FROM command_markers WHERE command_id IN ({marks(some)})", some)
        for command_id, first_position, count, fingerprint in c.fetchall():
            found[command_id] = Marked(first_position, count, fingerprint)
    return found


def _select_any_marker(c: stock.SQLiteCursor) -> bool:
    c.execute("SELECT 1 FROM command_markers LIMIT 1")
    return c.fetchone() is not None


def _insert_markers(c: stock.SQLiteCursor, markers: dict[str, Marked]) -> None:
    c.executemany(
        "INSERT INTO command_markers VALUES (?,?,?,?)",
        [
            (command_id, marked.first_position, marked.count, marked.fingerprint)
            for command_id, marked in markers.items()
        ],
    )


def _select_versions(c: stock.SQLiteCursor, streams: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _portions(list(streams)):
        c.execute(
            "SELECT originator_id, max(originator_version) FROM events"
            f" WHERE originator_id IN ({marks(some)}) GROUP BY originator_id",
            some,
        )
        found.update(map(tuple, c.fetchall()))
    return found


def _chain_at(c: stock.SQLiteCursor, position: int) -> bytes | None:
    if position == 0:
        return GENESIS
    c.execute("SELECT chain FROM events WHERE position = ?", (position,))
    row = c.fetchone()
    return bytes(row["chain"]) if row else None


def _check_structure(c: stock.SQLiteCursor, head: int) -> None:
    """What the chain cannot see: a damaged index hides events from those who look by stream."""
    c.execute("PRAGMA integrity_check(1)")
    (answer,) = c.fetchone()
    if answer != "ok":
        row = re.search(r"row (\d+)", answer)
        raise LogDamaged(int(row[1]) if row else head, answer)
    if difference := sqlite_file.compare_schema(c.sqlite_cursor.connection):
        raise LogDamaged(head, difference)


def _portions(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """SQLite takes 32,766 parameters in a statement; far fewer keep its parser quick."""
    for start in range(0, len(items), 500):
        yield items[start : start + 500]
