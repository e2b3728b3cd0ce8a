"""What can be read of a log on PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import starmap

import psycopg
from eventsourcing import persistence
from psycopg import Cursor
from psycopg.rows import TupleRow, tuple_row

from engine import canonical
from engine.errors import LogDamaged, LogDiverged
from engine.store import postgres_errors, postgres_schema
from engine.store.chain import GENESIS, Row, check_first, check_markers, verified
from engine.store.log import Marked, Recorded
from engine.store.mapper import Mapper
from engine.store.postgres_pool import Connection
from engine.store.postgres_recorders import Datastore
from engine.upcasts import Body, read

_MARKERS = "SELECT command_id, first_position, count, fingerprint FROM pmo_log.command_markers"
_ROWS = """
SELECT position, originator_id, originator_version, topic, state, chain FROM pmo_log.events
"""
_EVENTS = "SELECT position, originator_id, originator_version, topic, state FROM pmo_log.events"


class PostgresReader:
    """The reading half of ``engine.store.log.Log``, in a database that has a ledger or gets one."""

    def __init__(self, address: str) -> None:
        self._address = address
        with self._plainly():
            self._datastore = Datastore(address)
        self._datastore.pool.recognise = self._recognise
        self._mapper = Mapper()
        self._seen = (0, "")  # the last position whose event anybody was given, and its id

    def marked(self, command_ids: Sequence[str]) -> dict[str, Marked]:
        with self._reading() as c:
            return select_markers(c, command_ids)

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

    def versions(self, streams: Collection[str]) -> dict[str, int]:
        with self._reading() as c:
            c.execute(
                "SELECT originator_id, max(originator_version) FROM pmo_log.events"
                " WHERE originator_id = ANY(%b) GROUP BY originator_id",
                (list(streams),),
            )
            return dict(c.fetchall())

    def read(self, after: int, limit: int) -> list[Recorded]:
        with self._reading() as c:
            c.execute(
                f"{_EVENTS} WHERE position > %b ORDER BY position LIMIT %b",
                (after, limit),
                prepare=True,
            )
            return self._recorded(c.fetchall())

    def states(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        with self._reading() as c:
            c.execute(
                "SELECT position, state FROM pmo_log.events WHERE position > %b"
                " ORDER BY position LIMIT %b",
                (after, limit),
                prepare=True,
            )
            found: list[tuple[int, bytes]] = c.fetchall()
        if found:
            position, state = found[-1]
            self._see(position, read(position, state, canonical.decode)["event_id"])
        return found

    def bodies(self, after: int, limit: int) -> list[tuple[int, Body]]:
        rows = self.states(after, limit)
        return [(position, read(position, state, canonical.decode)) for position, state in rows]

    def head(self) -> int:
        with self._reading() as c:
            c.execute("SELECT coalesce(max(position), 0) FROM pmo_log.events", prepare=True)
            return _number(c)

    def chain(self, position: int) -> bytes | None:
        with self._reading() as c:
            return chain_at(c, position)

    def check(self, after: int = 0) -> int:
        position = after
        try:
            with self._snapshot() as connection, connection.cursor(row_factory=tuple_row) as c:
                chain = chain_at(c, after)
                if chain is None:
                    raise LogDamaged(after, "missing")
                with connection.cursor("events", row_factory=tuple_row) as rows:
                    rows.execute(
                        f"{_ROWS} WHERE position > %s ORDER BY position",
                        (after,),
                        binary=True,
                    )
                    for position in verified(starmap(Row, rows), after, chain):  # noqa: B007
                        pass  # remembered for the error below
                if after == 0:
                    c.execute("SELECT min(position) FROM pmo_log.events")
                    check_first(*c.fetchall()[0])
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

    def rows(self, after: int, limit: int) -> list[Row]:
        with self._reading() as c:
            c.execute(
                f"{_ROWS} WHERE position > %b ORDER BY position LIMIT %b",
                (after, limit),
                prepare=True,
            )
            return [Row(*row) for row in c]

    def markers(self, after: str, limit: int) -> dict[str, Marked]:
        with self._reading() as c:
            c.execute(
                f"{_MARKERS} WHERE command_id > %b ORDER BY command_id LIMIT %b",
                (after, limit),
                prepare=True,
            )
            return {command_id: Marked(*rest) for command_id, *rest in c}

    def _recorded(self, rows: list[TupleRow]) -> list[Recorded]:
        found = []
        for position, stream, version, topic, state in rows:
            stored = persistence.StoredEvent(stream, version, topic, state)
            try:
                found.append(Recorded(position, self._mapper.to_domain_event(stored)))
            except (persistence.MapperDeserialisationError, TypeError, AttributeError) as error:
                raise LogDamaged(position, f"what is stored there is no event: {error}") from error
        if found:
            self._see(found[-1].position, found[-1].event.event_id)
        return found

    def _see(self, position: int, event_id: str) -> None:
        if position > self._seen[0]:
            self._seen = (position, event_id)

    def _recognise(self, connection: Connection) -> None:
        """Raises ``LogDiverged`` where a new connection leads to a log without what this process
        has seen: cases that it keeps could be at the same version there, and be in another state.
        """
        position, event_id = self._seen
        if not position:
            return
        with cursor(connection) as c:
            c.execute("SELECT state FROM pmo_log.events WHERE position = %b", (position,))
            row = c.fetchone()
        if not row or canonical.decode(row[0])["event_id"] != event_id:
            raise LogDiverged(position, "this process", "Start it anew to go on with what is there")

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """A connection that sees one state of the log until it is given back."""
        with (
            self._datastore.pool.connection() as connection,
            connection.unhurried(),
            connection.transaction(),
        ):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Cursor[TupleRow]]:
        pool = self._datastore.pool
        with self._plainly(), pool.connection() as connection, cursor(connection) as c:
            yield c

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise postgres_errors.failed(self._address, error) from error


def cursor(connection: Connection) -> Cursor[TupleRow]:
    return connection.cursor(binary=True, row_factory=tuple_row)


def _number(c: Cursor[TupleRow]) -> int:
    (number,) = c.fetchone() or (0,)
    return int(number)


def select_markers(c: Cursor[TupleRow], command_ids: Sequence[str]) -> dict[str, Marked]:
    c.execute(f"{_MARKERS} WHERE command_id = ANY(%b)", (list(command_ids),), prepare=True)
    return {command_id: Marked(*rest) for command_id, *rest in c}


def chain_at(c: Cursor[TupleRow], position: int) -> bytes | None:
    if position == 0:
        return GENESIS
    c.execute("SELECT chain FROM pmo_log.events WHERE position = %b", (position,), prepare=True)
    row = c.fetchone()
    return bytes(row[0]) if row else None
