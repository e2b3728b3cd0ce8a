"""``eventsourcing``'s recorders on the ledger: dense positions and one hash chain."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Literal
from uuid import UUID

from eventsourcing import persistence, utils
from eventsourcing import sqlite as stock

from engine.errors import LogDamaged
from engine.store import sqlite_file
from engine.store.chain import GENESIS, link

_VERSIONS_KEPT = 50_000


class Pool(stock.SQLiteConnectionPool):
    """Connections for readers, opened when first needed and kept."""

    def __init__(self, path: str) -> None:
        super().__init__(
            db_name=path, pool_size=32, max_overflow=0, pool_timeout=sqlite_file.BUSY_SECONDS
        )

    def _create_connection(self) -> stock.SQLiteConnection:
        connection = sqlite_file.connect(self.db_name)
        connection.row_factory = sqlite3.Row
        return stock.SQLiteConnection(connection, max_age=self.max_age)

    def put_connection(self, conn: stock.SQLiteConnection) -> None:
        try:
            super().put_connection(conn)
        except persistence.ConnectionPoolClosedError:
            conn.close()

    def close(self) -> None:
        """Those in use close when they come back: a close under a running query is a crash in C."""
        with self._put_condition:
            self._in_use.clear()
            super().close()


class Datastore(stock.SQLiteDatastore):
    """One connection that writes, a pool of them that read, and what was last seen: the ``head`` of
    the log, and ``versions`` of streams (0: no events). Both are right within a transaction.

    Raises ``StoreFailed`` or ``sqlite3.Error`` where the file cannot be opened.
    """

    def __init__(self, path: str, originator_id_type: Literal["uuid", "text"] = "text") -> None:
        self._own = ExitStack()
        super().__init__(path, originator_id_type=originator_id_type)
        self.pool = Pool(path)
        self.commits = 0
        self.committed = threading.Condition()
        self._writing = threading.RLock()
        self.head = (0, GENESIS)
        self.versions: dict[str, int] = {}
        self._seen: int | None = None
        self._writer = self._own.enter_context(closing(sqlite_file.connect(path)))
        self._writer.row_factory = sqlite3.Row

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[stock.SQLiteCursor]:
        """With ``commit``, under the write lock of the file from the first statement on."""
        if not commit:
            with super().transaction(commit=False) as cursor:
                yield cursor
            return
        with self._writing, _as_persistence_errors(), closing(self._writer.cursor()) as own:
            try:
                own.execute("BEGIN IMMEDIATE")
                self._look_at_head(own)
                yield stock.SQLiteCursor(own)
                self.commit()  # nothing is left to do where the block has called it
            except BaseException:
                self._seen = None
                self._writer.rollback()
                raise
        with self.committed:
            self.commits += 1
            self.committed.notify_all()

    def commit(self) -> None:
        """What is written is durable when this returns."""
        self._writer.commit()

    def _look_at_head(self, own: sqlite3.Cursor) -> None:
        """Keep ``head``, the last position and its chain, right for the transaction that begins,
        and ``versions``.

        Who writes moves them on; a rollback forgets them. What other connections have committed
        shows in ``data_version``, at 1 µs instead of 10 for reading the last row each time.
        """
        (seen,) = own.execute("PRAGMA data_version").fetchone()
        if seen != self._seen:
            last = own.execute("SELECT position, chain FROM events ORDER BY position DESC LIMIT 1")
            self.head = tuple(last.fetchone() or (0, GENESIS))
            if type(self.head[1]) is not bytes:
                raise LogDamaged(self.head[0], f"{type(self.head[1]).__name__} where its hash was")
            self._seen = seen
            self.versions.clear()
        if len(self.versions) > _VERSIONS_KEPT:
            self.versions.clear()

    def has_moved(self, seen: int) -> bool:
        return self.commits != seen

    def close(self) -> None:
        super().close()
        with self._writing:
            self._own.close()


class Recorder(stock.SQLiteApplicationRecorder):
    """Dense positions and the hash chain, both assigned under the write lock.

    The stock recorder's rowids are reused after a delete and have no chain.
    """

    datastore: Datastore

    def __init__(self, datastore: Datastore, events_table_name: str = "events") -> None:
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = f"INSERT INTO {events_table_name} VALUES (?,?,?,?,?,?)"
        self.select_max_notification_id_statement = f"SELECT max(position) FROM {events_table_name}"

    def construct_create_table_statements(self) -> list[str]:
        return []  # ledger.sql has been run when the file was opened

    def _insert_events(
        self,
        c: stock.SQLiteCursor,
        stored_events: Sequence[persistence.StoredEvent],
        **_: Any,
    ) -> Sequence[int] | None:
        return self.add(
            c,
            [
                (
                    event.originator_id.hex
                    if isinstance(event.originator_id, UUID)
                    else event.originator_id,
                    event.originator_version,
                    event.topic,
                    event.state,
                )
                for event in stored_events
            ],
        )

    def add(
        self, c: stock.SQLiteCursor, events: Iterable[tuple[str, int, str, bytes]]
    ) -> list[int]:
        """Stream, version, type and bytes of each event go to the end of the log: its positions."""
        position, chain = self.datastore.head
        versions = self.datastore.versions
        rows = []
        for stream, version, topic, state in events:
            position += 1
            chain = link(chain, state)
            rows.append((position, stream, version, topic, state, chain))
            versions[stream] = version
        c.executemany(self.insert_events_statement, rows)
        self.datastore.head = (position, chain)
        return [row[0] for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[persistence.Notification]:
        after = 0 if start is None else start - inclusive_of_start
        statement = f"SELECT * FROM {self.events_table_name} WHERE position > ?"
        params: list[Any] = [after]
        if stop is not None:
            statement += " AND position <= ?"
            params.append(stop)
        if topics:
            statement += f" AND topic IN ({marks(topics)})"
            params.extend(topics)
        statement += " ORDER BY position LIMIT ?"
        with self.datastore.transaction(commit=False) as c:
            c.execute(statement, [*params, limit])
            return [self._notification(row) for row in c.fetchall()]

    def select_stream(self, stream: str, after: int) -> list[persistence.Notification]:
        """As ``select_events``, with positions."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                f"SELECT * FROM {self.events_table_name} WHERE originator_id = ?"
                " AND originator_version > ? ORDER BY originator_version",
                (stream, after),
            )
            return [self._notification(row) for row in c.fetchall()]

    def _notification(self, row: sqlite3.Row) -> persistence.Notification:
        position, stream, version, topic, state, _ = row
        return persistence.Notification(
            self.convert_originator_id(stream), version, topic, state, position
        )


class ProcessRecorder(stock.SQLiteProcessRecorder, Recorder):
    """With a downstream position kept in the same transaction."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore, events_table_name="events")


class Factory(stock.SQLiteFactory):
    """Recorders on the ledger named by ``SQLITE_DBNAME``, a path."""

    application_recorder_class: type[stock.SQLiteApplicationRecorder] = Recorder
    process_recorder_class: type[stock.SQLiteProcessRecorder] = ProcessRecorder

    def __init__(self, env: utils.Environment | utils.EnvType | None) -> None:
        super().__init__(env)
        stock_datastore = self.datastore
        if stock_datastore.pool.is_sqlite_memory_mode:
            raise OSError("SQLITE_DBNAME names a file; in memory use engine.store.memory")
        self.datastore = Datastore(stock_datastore.pool.db_name, stock_datastore.originator_id_type)


def marks(items: Sequence[Any]) -> str:
    return ",".join("?" * len(items))


@contextmanager
def _as_persistence_errors() -> Iterator[None]:
    """The errors of PEP 249 under the names that ``eventsourcing`` has for them."""
    try:
        yield
    except sqlite3.Error as error:
        of = getattr(persistence, type(error).__name__, persistence.PersistenceError)
        raise of(error) from error
