"""A look at a ledger in PostgreSQL through one connection, for processes that must start fast.

Neither ``eventsourcing`` nor the event models are imported: what is read was validated on its way
in (``engine.store.glance`` for a ledger in a file).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from psycopg.rows import tuple_row

from engine.errors import StoreFailed
from engine.store import postgres_errors
from engine.store.postgres_connection import plain_address
from engine.store.postgres_pool import Connection, connect
from engine.upcasts import Body, read

_STREAM = """
SELECT position, state FROM pmo_log.events WHERE originator_id = %s ORDER BY originator_version
"""
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind = 'r' AND nspname LIKE %s
"""


class Glance:
    """Looks at the ledger of a database, whether there is one or not. Close it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: Connection | None = None

    def is_there(self) -> bool:
        """Whether a ledger has been made. Raises ``StoreFailed`` where nobody can tell."""
        return bool(self._ask("SELECT to_regclass('pmo_log.events') IS NOT NULL")[0][0])

    def may_write(self) -> bool:
        """No standby, and not set to be read only."""
        told = self._ask("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
        return told[0] == (False, "off")

    def head(self) -> int:
        """The last position. Raises ``StoreFailed`` where there is no ledger."""
        return int(self._ask("SELECT coalesce(max(position), 0) FROM pmo_log.events")[0][0])

    def stream(self, stream: str) -> list[tuple[int, Body]]:
        """The events of one stream in order: position, and body lifted to today's form."""
        rows = self._ask(_STREAM, stream)
        return [(position, read(position, state, orjson.loads)) for position, state in rows]

    def admit(self, role: str) -> None:
        """Let a role read the log and append to it, and nothing else; as the schema's owner."""
        self._ask("SELECT pmo_log.admit(%s)", role)

    def size(self, schemas: str) -> int:
        """Bytes of the tables in the schemas whose names are LIKE this."""
        return int(self._ask(_SIZE, schemas)[0][0])

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _ask(self, sql: str, *said: str) -> list[tuple[Any, ...]]:
        with self._told():
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._address)
            with self._connection.cursor(row_factory=tuple_row) as cursor:
                return cursor.execute(sql, said or None).fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.errors.UndefinedTable as error:
            name = plain_address(self._address)
            raise StoreFailed(f"{name}: there is no ledger here") from error
        except psycopg.Error as error:
            raise postgres_errors.failed(self._address, error) from error
