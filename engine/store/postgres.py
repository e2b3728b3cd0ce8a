"""The log on PostgreSQL 15 or newer: any number of processes on one database.

``PERSISTENCE_MODULE=engine.store.postgres`` gives a stock ``eventsourcing`` application the same
table, positions and hash chain, through the same recorder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from time import monotonic, sleep

import psycopg
from eventsourcing import persistence
from psycopg import Cursor
from psycopg.rows import TupleRow, tuple_row

from engine import canonical
from engine.errors import LogDamaged, StoreFailed
from engine.events import AnyEvent
from engine.store import postgres_errors, postgres_schema
from engine.store.chain import GENESIS, Row, check_markers, verified
from engine.store.group import Judgement, judge, streams_of
from engine.store.log import Append, Appended, Conflict, Marked, Recorded
from engine.store.mapper import Mapper
from engine.store.postgres_listener import Listener
from engine.store.postgres_pool import Connection, plain_address
from engine.store.postgres_recorders import LOCK, Datastore, Factory, write
from engine.upcasts import Body, read

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
SELECT NULL AS stream, position AS number, 0 AS count, NULL::bytea AS marker, chain AS bytes,
       CASE WHEN chain = %b THEN NULL ELSE state END AS state
FROM (SELECT * FROM pmo_log.events ORDER BY position DESC LIMIT 1) AS last
UNION ALL
SELECT NULL, first_position, count, marker, fingerprint, NULL
FROM pmo_log.command_markers WHERE marker = ANY(%b)
UNION ALL
SELECT stream, (SELECT max(originator_version) FROM pmo_log.events WHERE originator_id = stream),
       0, NULL, NULL, NULL
FROM unnest(%b::text[]) AS stream
"""
_EVENTS = "SELECT position, originator_id, originator_version, topic, state FROM pmo_log.events"
_END_SESSION = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE pid = %s AND backend_start = %s
"""


@dataclass(slots=True)
class _Group:
    """Appends on their way into the log."""

    appends: Sequence[Append]
    stored: dict[int, persistence.StoredEvent] = field(default_factory=dict)
    session: tuple[int, datetime] | None = None
    judgement: Judgement | None = None
    events: list[AnyEvent] = field(default_factory=list)
    chain_before: bytes = GENESIS
    chain_after: bytes = GENESIS
    head: int = 0  # after the group

    @property
    def answers(self) -> list[Appended | Conflict | Marked]:
        return self.judgement.answers if self.judgement else []


class PostgresLog:
    """``engine.store.log.Log`` in a database, in the schema ``pmo_log``, made where there is none.

    ``address``: ``postgresql://USER@HOST:PORT/DATABASE``, or whatever libpq takes; the password is
    better left to the environment. Raises ``StoreFailed`` where it cannot be opened.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        with self._plainly():
            self._datastore = Datastore(address)
        self._listener = Listener(address)
        self._mapper = Mapper()
        self._alone = True  # as far as the last append could tell
        self._last = (GENESIS, "")  # the end of the log by its chain, and when it was recorded

    def append(self, appends: Sequence[Append]) -> list[Appended | Conflict | Marked]:
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
        self._listener.tell(group.head)
        return group.answers

    def _add(self, connection: Connection, group: _Group) -> bool:
        """Judge by what is there, then add if it is still all: the lock is held for the second
        alone, and no transaction waits for Python. Whether that was so."""
        with _cursor(connection) as c:
            if self._judge(c, group):
                self._write(c, group)
                self._alone = c.fetchone() == (True,)
                if not self._alone:
                    group.judgement = None
        return self._alone

    def _add_under_lock(self, connection: Connection, group: _Group) -> None:
        """Where others append at the same time, the first way would mostly be in vain."""
        with connection.pipeline(), _cursor(connection) as c:
            c.execute("BEGIN")
            c.execute(LOCK)
            before = self._last[0]
            wanted = self._judge(c, group)
            self._alone = group.chain_before == before
            if wanted:
                self._write(c, group)
            c.execute("COMMIT")

    def _judge(self, c: Cursor[TupleRow], group: _Group) -> bool:
        """Whether there is anything to be written."""
        position, group.chain_before, recorded_at, markers, versions = self._look(c, group.appends)
        group.judgement = judge(group.appends, markers, versions, position, recorded_at)
        group.events = list(group.judgement.events())
        group.head = position + len(group.events)
        return bool(group.judgement.markers)

    def _write(self, c: Cursor[TupleRow], group: _Group) -> None:
        """Tests make this fail, before or after it has happened."""
        assert group.judgement
        stored = [
            group.stored.get(id(event)) or self._mapper.to_stored_event(event)
            for event in group.events
        ]
        after = group.head - len(stored)
        group.chain_after = write(c, after, group.chain_before, stored, group.judgement.markers)
        if group.events:
            self._last = (group.chain_after, group.events[-1].recorded_at)

    def _look(
        self, c: Cursor[TupleRow], appends: Sequence[Append]
    ) -> tuple[int, bytes, str, dict[bytes, Marked], dict[str, int]]:
        """What a group is judged by: the log's end, and the markers and versions that are there."""
        sought = ([append.marker for append in appends], list(streams_of(appends)))
        c.execute(_KNOWN, (self._last[0], *sought), prepare=True)
        position, chain = 0, GENESIS
        markers: dict[bytes, Marked] = {}
        versions: dict[str, int] = {}
        for stream, number, count, marker, fixed, state in c:
            if marker is not None:
                markers[marker] = Marked(number, count, fixed)
            elif stream is None:
                position, chain = number, fixed
                if state is not None:
                    self._last = (chain, canonical.decode(state)["recorded_at"])
            elif number is not None:
                versions[stream] = number
        return position, chain, self._last[1] if position else "", markers, versions

    def _was_added(self, group: _Group, error: psycopg.Error) -> bool:
        """Whether a group has been written although it was answered by a failure, or not at all.

        The session that was to write it is ended first: nothing comes of it later. Raises
        ``StoreFailed`` when the server cannot be asked for ``_PATIENCE`` seconds.
        """
        if not group.judgement or not group.judgement.markers:
            return False
        give_up = monotonic() + _PATIENCE
        while True:
            try:
                with self._datastore.pool.connection() as connection, _cursor(connection) as c:
                    if connection.session != group.session:
                        c.execute(_END_SESSION, group.session)
                    if connection.session == group.session or c.fetchone() != (False,):
                        markers = group.judgement.markers
                        return (
                            _select_markers(c, list(markers)) == markers
                            and _chain_at(c, group.head) == group.chain_after
                        )
            except psycopg.OperationalError:
                pass
            if monotonic() > give_up:
                raise StoreFailed(
                    f"{plain_address(self._address)}: a commit was not answered, and the server"
                    " cannot be asked what became of it. Send the command again with the same id:"
                    " it has one effect"
                ) from error
            sleep(_AGAIN)

    def marked(self, markers: Sequence[bytes]) -> dict[bytes, Marked]:
        with self._reading() as c:
            return _select_markers(c, markers)

    def stream(self, stream: str, after: int = 0) -> list[Recorded]:
        with self._reading() as c:
            c.execute(
                f"{_EVENTS} WHERE originator_id = %b AND originator_version > %b"
                " ORDER BY originator_version",
                (stream, after),
                prepare=True,
            )
            return self._recorded(c.fetchall())

    def version(self, stream: str) -> int:
        with self._reading() as c:
            c.execute(
                "SELECT coalesce(max(originator_version), 0) FROM pmo_log.events"
                " WHERE originator_id = %b",
                (stream,),
                prepare=True,
            )
            return _number(c)

    def read(self, after: int, limit: int) -> list[Recorded]:
        with self._reading() as c:
            c.execute(
                f"{_EVENTS} WHERE position > %b ORDER BY position LIMIT %b",
                (after, limit),
                prepare=True,
            )
            return self._recorded(c.fetchall())

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]:
        with self._reading() as c:
            c.execute(
                "SELECT position, state FROM pmo_log.events WHERE position > %b"
                " ORDER BY position LIMIT %b",
                (after, limit),
                prepare=True,
            )
            rows = c.fetchall()
        return [(position, read(position, state, canonical.decode)) for position, state in rows]

    def head(self) -> int:
        with self._reading() as c:
            c.execute("SELECT coalesce(max(position), 0) FROM pmo_log.events", prepare=True)
            return _number(c)

    def wait(self, after: int, timeout: float) -> bool:
        """A commit anywhere is told by the server; once a second the log is looked at besides."""
        deadline = monotonic() + timeout
        while self.head() <= after:
            left = deadline - monotonic()
            if left <= 0:
                return False
            if self._listener.wait(after, min(left, _GLANCE)):
                return True
        return True

    def chain(self, position: int) -> bytes | None:
        with self._reading() as c:
            return _chain_at(c, position)

    def check(self, after: int = 0) -> int:
        position = after
        try:
            with self._snapshot() as connection, connection.cursor(row_factory=tuple_row) as c:
                chain = _chain_at(c, after)
                if chain is None:
                    raise LogDamaged(after, "missing")
                with connection.cursor("events", row_factory=tuple_row) as rows:
                    rows.execute(
                        "SELECT position, originator_id, originator_version, topic, state, chain"
                        " FROM pmo_log.events WHERE position > %s ORDER BY position",
                        (after,),
                        binary=True,
                    )
                    for position in verified(starmap(Row, rows), after, chain):  # noqa: B007
                        pass  # remembered for the error below
                if after == 0:
                    with connection.cursor("markers", row_factory=tuple_row) as spans:
                        spans.execute(
                            "SELECT first_position, count FROM pmo_log.command_markers"
                            " ORDER BY first_position, count"
                        )
                        check_markers(spans, position)
                    if difference := postgres_schema.compare(connection):
                        raise LogDamaged(position, difference)
        except psycopg.Error as error:
            failure = postgres_errors.failed(self._address, error)
            if not postgres_errors.is_damage(error):
                raise failure from error
            raise LogDamaged(position + 1, str(failure)) from error
        return position - after

    def close(self) -> None:
        self._listener.close()
        self._datastore.close()

    def _recorded(self, rows: list[TupleRow]) -> list[Recorded]:
        found = []
        for position, stream, version, topic, state in rows:
            stored = persistence.StoredEvent(stream, version, topic, state)
            try:
                found.append(Recorded(position, self._mapper.to_domain_event(stored)))
            except (persistence.MapperDeserialisationError, TypeError, AttributeError) as error:
                raise LogDamaged(position, f"what is stored there is no event: {error}") from error
        return found

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """A connection that sees one state of the log until it is given back."""
        with self._datastore.pool.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Cursor[TupleRow]]:
        pool = self._datastore.pool
        with self._plainly(), pool.connection() as connection, _cursor(connection) as c:
            yield c

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise postgres_errors.failed(self._address, error) from error


def _cursor(connection: Connection) -> Cursor[TupleRow]:
    return connection.cursor(binary=True, row_factory=tuple_row)


def _number(c: Cursor[TupleRow]) -> int:
    (number,) = c.fetchone() or (0,)
    return int(number)


def _select_markers(c: Cursor[TupleRow], markers: Sequence[bytes]) -> dict[bytes, Marked]:
    c.execute(
        "SELECT marker, first_position, count, fingerprint FROM pmo_log.command_markers"
        " WHERE marker = ANY(%b)",
        (list(markers),),
        prepare=True,
    )
    return {marker: Marked(*rest) for marker, *rest in c}


def _chain_at(c: Cursor[TupleRow], position: int) -> bytes | None:
    if position == 0:
        return GENESIS
    c.execute("SELECT chain FROM pmo_log.events WHERE position = %b", (position,), prepare=True)
    row = c.fetchone()
    return bytes(row[0]) if row else None
