"""What consumers remember, on PostgreSQL: the schema ``pmo_consumers``, the only module here that
knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import ClientCursor, pq

from consumers.memory import Said
from engine.errors import StoreFailed
from engine.store.postgres_connection import PatientConnection, connect, plain_address
from engine.store.postgres_errors import failed
from projections.postgres_text import translate
from projections.sql import sql_beside

_SQL = sql_beside(__file__, "postgres.sql")
_FORM = 2
_MAKES = 0x504D4F43

# What counts here must be durable, whatever the server does by default. Whoever stops in the middle
# of a transaction holds up whoever wants to take over: after ten seconds the server ends it.
_SETTINGS = (
    "SET search_path TO pmo_consumers; SET lock_timeout = 10000;"
    " SET idle_in_transaction_session_timeout = 10000; SET client_min_messages = warning;"
    " SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)


class PostgresMemories:
    """``consumers.memory.Place`` in a database; ``address`` as libpq takes it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def open(self, reading: bool) -> PostgresMemory:
        """Raises ``StoreFailed``."""
        memory = PostgresMemory(self._address, reading)
        try:
            memory.prepare()
        except BaseException:
            memory.close()
            raise
        return memory

    def is_made(self) -> bool:
        """Whether anybody has ever kept anything here. Raises ``StoreFailed``."""
        memory = PostgresMemory(self._address, reading=True)
        try:
            return bool(memory.run(_SQL["is_made"])[0][0])
        finally:
            memory.close()


class PostgresMemory:
    """A connection that is made again when it was lost."""

    def __init__(self, address: str, reading: bool) -> None:
        self._address = address
        self._reading = reading
        self._connection = self._connect()

    def run(self, sql: str, said: Said = ()) -> list[tuple[Any, ...]]:
        self._look_after_connection()
        with self._told(), ClientCursor(self._connection) as cursor:
            cursor.execute(translate(sql), said)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._look_after_connection()
        with self._told(), self._connection.transaction():
            yield

    def now(self) -> float:
        """By the server's clock, which is the same for all machines."""
        return float(self.run(_SQL["now"])[0][0])

    def close(self) -> None:
        self._connection.close()

    def prepare(self) -> None:
        is_made = bool(self.run(_SQL["is_made"])[0][0])
        form = self.run(_SQL["form"])[0][0] if is_made else 0
        if form > _FORM or (self._reading and not form):
            raise StoreFailed(
                f"{plain_address(self._address)}: pmo_consumers is of form {form}, this program"
                f" knows {_FORM}; use the version of pmo that made it"
            )
        if form == _FORM or self._reading:
            return
        with self.transaction():
            self.run(f"SELECT pg_advisory_xact_lock({_MAKES}, 0)")
            with self._told():
                self._connection.execute(_SQL["tables"])
            self.run("DELETE FROM form")
            self.run("INSERT INTO form (number) VALUES (?)", [_FORM])

    def _look_after_connection(self) -> None:
        if self._connection.closed or (
            self._connection.info.transaction_status == pq.TransactionStatus.UNKNOWN
        ):
            self._connection.close()
            self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        with self._told():
            connection = connect(PatientConnection, self._address, "pmo consumers")
            connection.execute(_SETTINGS)
            if self._reading:
                connection.execute("SET default_transaction_read_only = on")
            return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise failed(self._address, error) from error
