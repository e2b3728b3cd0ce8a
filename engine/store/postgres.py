"""The log on PostgreSQL 15 or newer: any number of processes on one database.

``PERSISTENCE_MODULE=engine.store.postgres`` gives a stock ``eventsourcing`` application the same
table, positions and hash chain, through the same recorder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic, sleep

import psycopg
from eventsourcing import persistence
from psycopg import Cursor, Pipeline
from psycopg.rows import TupleRow

from engine import canonical
from engine.errors import LogDiverged, StoreFailed
from engine.events import AnyEvent
from engine.store import postgres_errors
from engine.store.chain import GENESIS, link
from engine.store.copy import not_empty, stored_event
from engine.store.group import Judgement, judge, streams_of
from engine.store.log import Append, Appended, Conflict, Late, Marked, Page
from engine.store.postgres_connection import plain_address
from engine.store.postgres_listener import Listener
from engine.store.postgres_pool import Connection
from engine.store.postgres_reader import PostgresReader, chain_at, cursor, select_markers
from engine.store.postgres_recorders import LOCK, Factory, write

__all__ = ["Factory", "PostgresLog"]

_GLANCE = 1.0
"""Seconds between two looks of who waits, in case a notification was lost with its connection."""

_PATIENCE = 10.0
"""Seconds to find out what became of a commit that was not answered."""

_AGAIN = 0.1
"""Seconds between two attempts to ask."""

# What a group is judged by, in one answer: the end of the log (with the event itself, unless its
# chain is the one that is known), the markers that are there, and the versions of the streams.
_KNOWN = """
SELECT NULL AS stream, position AS number, 0 AS count, NULL AS command_id, chain AS bytes,
       CASE WHEN chain = %b THEN NULL ELSE state END AS state
FROM (SELECT * FROM pmo_log.events ORDER BY position DESC LIMIT 1) AS last
UNION ALL
SELECT NULL, first_position, count, command_id, fingerprint, NULL
FROM pmo_log.command_markers WHERE command_id = ANY(%b)
UNION ALL
SELECT stream, (SELECT max(originator_version) FROM pmo_log.events WHERE originator_id = stream),
       0, NULL, NULL, NULL
FROM unnest(%b::text[]) AS stream
"""
_STANDBY_IS_AWAITED = """
SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = %s AND backend_start = %s
"""
_END_SESSION = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE pid = %s AND backend_start = %s
"""
# A commit of its own, which like every commit waits for a synchronous standby if there is one.
_CONFIRM = "SELECT pg_logical_emit_message(true, 'pmo', '')"


@dataclass(slots=True)
class _Group:
    """Appends on their way into the log."""

    appends: Sequence[Append]
    stored: dict[int, persistence.StoredEvent] = field(default_factory=dict)
    session: tuple[int, datetime] | None = None
    judgement: Judgement | None = None
    events: list[AnyEvent] = field(default_factory=list)
    chain_before: bytes = GENESIS
    head: int = 0  # after the group

    @property
    def answers(self) -> list[Appended | Conflict | Late | Marked]:
        return self.judgement.answers if self.judgement else []


class PostgresLog(PostgresReader):
    """``engine.store.log.Log`` in a database, in the schema ``pmo_log``, made where there is none.

    ``address``: ``postgresql://USER@HOST:PORT/DATABASE``, or whatever libpq takes; the password is
    better left to the environment. Raises ``StoreFailed`` where it cannot be opened.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._listener = Listener(address)
        self._alone = True  # as far as the last append could tell
        self._last = (GENESIS, "")  # the end of the log by its chain, and when it was recorded

    def append(self, appends: Sequence[Append]) -> list[Appended | Conflict | Late | Marked]:
        group = _Group(appends)
        # Made into bytes before the lock is taken, which others wait for.
        for append in appends:
            for event in append.events:
                group.stored[id(event)] = self._mapper.to_stored_event(event)
        try:
            with self._datastore.pool.connection() as connection:
                group.session = connection.session
                if not (self._alone and self._add(connection, group)):
                    self._add_under_lock(connection, group)
        except psycopg.Error as error:
            if not self._was_added(group, error):
                raise postgres_errors.failed(self._address, error) from error
        if group.events:
            self._see(group.head, group.events[-1].event_id)
        self._listener.tell(group.head)
        return group.answers

    def _add(self, connection: Connection, group: _Group) -> bool:
        """Judge by what is there, then add if it is still all: the lock is held for the second
        alone, and no transaction waits for Python. Whether that was so."""
        with cursor(connection) as c:
            if self._judge(c, group):
                self._write(c, group)
                self._alone = c.fetchone() == (True,)
                if not self._alone:
                    group.judgement = None
        return self._alone

    def _add_under_lock(self, connection: Connection, group: _Group) -> None:
        """Where others append at the same time, the first way would mostly be in vain."""
        with connection.pipeline() as pipeline, cursor(connection) as c:
            c.execute("BEGIN")
            c.execute(LOCK)
            before = self._last[0]
            wanted = self._judge(c, group, pipeline)
            self._alone = group.chain_before == before
            if wanted:
                self._write(c, group)
            c.execute("COMMIT")

    def _judge(self, c: Cursor[TupleRow], group: _Group, pipeline: Pipeline | None = None) -> bool:
        """Whether there is anything to be written."""
        known = self._look(c, group.appends, pipeline)
        position, group.chain_before, recorded_at, markers, versions = known
        group.judgement = judge(group.appends, markers, versions, position, recorded_at)
        group.events = list(group.judgement.events())
        group.head = position + len(group.events)
        return bool(group.judgement.markers)

    def _write(self, c: Cursor[TupleRow], group: _Group) -> None:
        """Tests make this fail, before or after it has happened."""
        assert group.judgement
        stored = self._stored(group)
        after = group.head - len(stored)
        chain = write(c, after, group.chain_before, stored, group.judgement.markers)
        if group.events:
            self._last = (chain, group.events[-1].recorded_at)

    def _look(
        self, c: Cursor[TupleRow], appends: Sequence[Append], pipeline: Pipeline | None
    ) -> tuple[int, bytes, str, dict[str, Marked], dict[str, int]]:
        """What a group is judged by: the log's end, and the markers and versions that are there."""
        last = self._last  # another thread may exchange it meanwhile
        sought = ([append.command_id for append in appends], list(streams_of(appends)))
        c.execute(_KNOWN, (last[0], *sought), prepare=True)
        if pipeline:
            pipeline.sync()  # else the server, if we stop here, does not count us as idle
        position, chain = 0, GENESIS
        markers: dict[str, Marked] = {}
        versions: dict[str, int] = {}
        for stream, number, count, command_id, fixed, state in c:
            if command_id is not None:
                markers[command_id] = Marked(number, count, fixed)
            elif stream is None:
                position, chain = number, fixed
                if state is not None:
                    last = self._last = (chain, canonical.decode(state)["recorded_at"])
            elif number is not None:
                versions[stream] = number
        return position, chain, last[1] if position else "", markers, versions

    def _was_added(self, group: _Group, error: psycopg.Error) -> bool:
        """Whether a group has been written although it was answered by a failure, or not at all.

        The session that was to write it is ended first: nothing comes of it later. But not while it
        waits for a standby to have the commit, too: everybody would see what a failover may lose.
        Raises ``StoreFailed`` for that, and when the server cannot be asked for ``_PATIENCE``
        seconds.
        """
        if not group.judgement or not group.judgement.markers:
            return False
        give_up = monotonic() + _PATIENCE
        while True:
            try:
                with self._datastore.pool.connection() as connection, cursor(connection) as c:
                    if connection.session != group.session:
                        c.execute(_STANDBY_IS_AWAITED, group.session)
                        if c.fetchone() == (True,):
                            raise self._unanswered(
                                "waits for a synchronous standby that does not answer"
                            ) from error
                        c.execute(_END_SESSION, group.session)
                    if connection.session == group.session or c.fetchone() != (False,):
                        markers = group.judgement.markers
                        found = select_markers(c, list(markers)) == markers and chain_at(
                            c, group.head
                        ) == self._chain_of(group)
                        if found:
                            c.execute(_CONFIRM)
                        return found
            except psycopg.OperationalError:
                pass
            if monotonic() > give_up:
                raise self._unanswered(
                    "was not answered, and the server cannot be asked what became of it"
                ) from error
            sleep(_AGAIN)

    def _stored(self, group: _Group) -> list[persistence.StoredEvent]:
        return [
            group.stored.get(id(event)) or self._mapper.to_stored_event(event)
            for event in group.events
        ]

    def _chain_of(self, group: _Group) -> bytes:
        """After the group, which may have been written though whoever wrote it heard nothing."""
        chain = group.chain_before
        for stored in self._stored(group):
            chain = link(chain, stored.state)
        return chain

    def _unanswered(self, what: str) -> StoreFailed:
        return StoreFailed(
            f"{plain_address(self._address)}: a commit {what}. Send the command again with the same"
            " id: it has one effect"
        )

    def wait(self, after: int, timeout: float) -> bool:
        """A commit anywhere is told by the server; once a second the log is looked at besides."""
        deadline = monotonic() + timeout
        while (head := self.head()) <= after:
            if head < after:
                raise LogDiverged(after, "a reader", "Begin again after a position that both have")
            left = deadline - monotonic()
            if left <= 0:
                return False
            if self._listener.wait(after, min(left, _GLANCE)):
                return True
        return True

    def restore(self, pages: Iterable[Page]) -> None:
        pool = self._datastore.pool
        with (
            self._plainly(),
            pool.connection() as connection,
            connection.unhurried(),
            connection.transaction(),
            cursor(connection) as c,
        ):
            c.execute(LOCK)
            c.execute(
                "SELECT coalesce(max(position), 0) FROM pmo_log.events UNION ALL"
                " SELECT count FROM pmo_log.command_markers LIMIT 2"
            )
            ((head,), *markers) = c.fetchall()
            if head or markers:
                raise not_empty(plain_address(self._address), head)
            chain = GENESIS
            for page in pages:
                stored = [stored_event(row) for row in page.rows]
                chain = write(c, head, chain, stored, page.markers)
                head += len(stored)
        self._listener.tell(head)

    def close(self) -> None:
        self._listener.close()
        self._datastore.close()
