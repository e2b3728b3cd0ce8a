"""Connections to PostgreSQL: opened when first needed, kept, and dropped when the server has gone.

``psycopg_pool`` would do more than is wanted here: it opens connections in threads of its own,
which a forked process does not have, and hands out dead ones after a restart of the server unless
each is asked first, one round trip more for every command.
"""

from __future__ import annotations

import select
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from engine.errors import StoreFailed
from engine.store import postgres_connection
from engine.store.postgres_connection import PatientConnection, plain_address

MOST = 10
"""Connections of one log. A group is written on one, so the others serve readers; ten logs fit
beside each other into PostgreSQL's usual limit of 100."""

WAIT_SECONDS = 10
"""How long to wait for a lock or for a connection: as long as on SQLite."""

_PREPARE = f"""
SELECT pid, backend_start,
       set_config('lock_timeout', '{WAIT_SECONDS}s', false),
       -- Who stops while it holds the lock of the log must not stop everybody.
       set_config('idle_in_transaction_session_timeout', '{WAIT_SECONDS}s', false),
       -- Every query of the log goes by an index; plans that were made for empty tables must, too.
       set_config('enable_seqscan', 'off', false),
       -- With a synchronous standby "local" would acknowledge what a failover loses.
       set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit')
                  IN ('off', 'local') THEN 'on' ELSE current_setting('synchronous_commit') END,
                  false)
FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""


class Connection(PatientConnection[DictRow]):
    """``session`` names the server's side of it, also after it was lost."""

    session: tuple[int, datetime]


def connect(address: str) -> Connection:
    """A connection in autocommit mode, whose commits are durable. Raises ``psycopg.Error``."""
    connection = postgres_connection.connect(Connection, address, "pmo", row_factory=dict_row)
    try:
        (row,) = connection.execute(_PREPARE, prepare=False)
        connection.session = (row["pid"], row["backend_start"])
    except BaseException:
        connection.close()
        raise
    return connection


class Pool:
    """Up to ``MOST`` connections, the last used first. For any number of threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.recognise: Callable[[Connection], object] = lambda _: None
        """Raises where a new connection leads to something else than those before it."""
        self._idle: deque[Connection] = deque()
        self._free = threading.BoundedSemaphore(MOST)
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection, with no transaction open; what is left open is rolled back.

        Raises ``psycopg.Error``, and ``StoreFailed`` when the pool is closed or all are in use.
        """
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise StoreFailed(
                f"{plain_address(self.address)}: all {MOST} connections of this process were in"
                f" use for more than {WAIT_SECONDS} seconds"
            )
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._put(connection)
        finally:
            self._free.release()

    def open(self, wait: bool = False, timeout: float = 0) -> None:
        """``eventsourcing`` asks for it before each use; connections open when they are needed."""

    def close(self) -> None:
        """Those in use are closed when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> Connection:
        if self._closed:
            raise StoreFailed(f"{plain_address(self.address)}: the log is closed")
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._open()
            if not _has_something_to_say(connection):
                return connection
            connection.close()

    def _open(self) -> Connection:
        connection = connect(self.address)
        try:
            self.recognise(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _put(self, connection: Connection) -> None:
        if not connection.closed and _status(connection) != TransactionStatus.IDLE:
            try:
                connection.rollback()
            except psycopg.Error:
                connection.close()
        if connection.closed:
            # Whatever ended it is likely to have met the others: an idle one whose network was cut
            # does not know, and whoever took it would wait for an answer.
            while self._idle:
                self._idle.pop().close()
            return
        if self._closed or _status(connection) != TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append(connection)


def _status(connection: Connection) -> TransactionStatus:
    return connection.info.transaction_status


def _has_something_to_say(connection: Connection) -> bool:
    """An idle server speaks only to say goodbye. Costs a system call, not a round trip."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
