"""A connection to the views on PostgreSQL, and the words in which its failures are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import ClientCursor, errors, pq
from psycopg.adapt import Loader
from psycopg.types.numeric import FloatLoader

from engine.errors import StoreFailed
from engine.store.postgres_connection import PatientConnection, connect
from projections.sql import Unfit

Parameters = Sequence[Any] | Mapping[str, Any]

# Seconds would be text of their own; PostgreSQL counts milliseconds. A process that is stopped in
# the middle of writing holds up all the others: after ten seconds the server ends its transaction.
_WRITING = (
    "SET lock_timeout = 10000; SET idle_in_transaction_session_timeout = 10000;"
    " SET synchronous_commit = off; SET client_min_messages = warning"
)
_READING = "SET statement_timeout = 60000; SET default_transaction_read_only = on"

# How long an answer is waited for: longer than the server itself lets a view take, and than it
# takes to make an index.
_READ_SECONDS, _WRITE_SECONDS = 90.0, 900.0

# What the machine or an operator did to us, as opposed to what an event did.
_SURROUNDINGS = ("08", "25", "40", "53", "54", "55", "57", "58", "F0", "XX")

_PLAIN_WORDS = {
    "25006": "views are only read here (readonly)",
    "25P03": "it took too long, and the server ended the transaction; it is done again",
    "42501": "this role may not do that; docs/postgresql.md tells what it has to be granted",
    "53100": "the disk is full",
    "53300": "the server takes no more connections",
    "55P03": "another process holds the views; try again when it is done",
    "57014": "it took longer than a minute",
}


class Session:
    """A connection that is made again when it was lost, and what is true of its transaction."""

    def __init__(self, address: str, reading: bool) -> None:
        self._address = address
        self.reading = reading
        self.set: int | None = None
        """The set whose tables are named by their bare names in this transaction."""
        self._connection = self._connect()
        self.name = f"{self._connection.info.dbname} at {self._connection.info.host}"

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.info.transaction_status not in (
            pq.TransactionStatus.IDLE,
            pq.TransactionStatus.UNKNOWN,
        )

    def cursor(self) -> ClientCursor[tuple[Any, ...]]:
        return ClientCursor(self._connection)

    def server_cursor(self) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._connection.cursor()

    def ask(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Rows of the last statement in it that has any."""
        with self.told(), self.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows = cursor.fetchall() if cursor.description else []
            while cursor.nextset():
                rows = cursor.fetchall() if cursor.description else rows
            return rows

    def begin(self, sql: str) -> list[tuple[Any, ...]]:
        """Begin a transaction, through a new connection if the old one was lost."""
        if self._connection.closed or self._connection.broken:
            self._connection.close()
            self._connection = self._connect()
        self.set = None
        return self.ask(sql)

    def end(self, sql: str) -> None:
        self.set = None
        if self.is_busy:
            self.ask(sql)

    @contextmanager
    def told(self) -> Iterator[None]:
        """The machine's failures in words that a user can act on."""
        try:
            yield
        except psycopg.Error as error:
            raise _explained(error, self.name) from error

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            connection = connect(PatientConnection, self._address, "pmo views")
        except psycopg.Error as error:
            raise StoreFailed(f"PostgreSQL: {_first_line(error)}") from error
        connection.adapters.register_loader("numeric", FloatLoader)
        connection.adapters.register_loader("bool", _BoolAsInt)
        connection.patience = _READ_SECONDS if self.reading else _WRITE_SECONDS
        connection.execute(_READING if self.reading else _WRITING)
        return connection


class _BoolAsInt(Loader):
    """A condition's answer is 1 or 0, as in SQLite."""

    def load(self, data: bytes | bytearray | memoryview) -> int:
        return int(bytes(data) == b"t")


def _explained(error: psycopg.Error, name: str) -> Exception:
    state = error.sqlstate or ""
    if isinstance(error, psycopg.DataError):  # a text with a NUL character is not even sent
        return Unfit(_first_line(error))
    if not state or state.startswith(_SURROUNDINGS) or state in _PLAIN_WORDS:
        return StoreFailed(f"{name}: {_PLAIN_WORDS.get(state, _first_line(error))}")
    return Unfit(_first_line(error))


def as_asked(error: psycopg.Error, name: str) -> Exception:
    """A complaint about a view, in the words in which it is found in the view's text."""
    said = _first_line(error)
    match error:
        case errors.UndefinedColumn():
            column = _between(said, "column ", " does not").replace('"', "")
            return Unfit(f"no such column: {column}")
        case errors.AmbiguousColumn():
            column = _between(said, '"', '"')
            return Unfit(f"ambiguous column name: {column}")
        case errors.SyntaxError() if "at or near" in said:
            return Unfit(f"near {said.split(' at or near ')[1]}: syntax error")
    return _explained(error, name)


def _between(text: str, before: str, after: str) -> str:
    return text.partition(before)[2].partition(after)[0]


def _first_line(error: psycopg.Error) -> str:
    return (
        error.diag.message_primary or (str(error).strip() or type(error).__name__).splitlines()[0]
    )
