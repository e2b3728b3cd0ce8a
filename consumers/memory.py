"""Where consumers keep what they remember: a file, or a database (``consumers.postgres``).

Unlike views this cannot be made again from the log: without it nobody knows what the world has been
told already. Every change is durable before it counts.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from engine.errors import StoreFailed
from engine.store.sqlite_file import address

Said = Sequence[Any] | Mapping[str, Any]

_PLAIN_WORDS = {
    sqlite3.SQLITE_BUSY: "another process holds it; try again when it is done",
    sqlite3.SQLITE_FULL: "the disk is full; make room and try again",
    sqlite3.SQLITE_IOERR: "the disk reported an error",
    sqlite3.SQLITE_READONLY: "it is read-only; check the permissions of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and may be written",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup of the same moment or earlier",
    sqlite3.SQLITE_NOTADB: "it is not a database; restore it from a backup",
}


class Memory(Protocol):
    """One connection, for one thread at a time; other processes may have theirs.

    Every call raises ``StoreFailed`` for what the machine did.
    """

    def run(self, sql: str, said: Said = ()) -> list[tuple[Any, ...]]: ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside, durable when it ends, or nothing."""

    def now(self) -> float:
        """Seconds since 1970 by the clock that all who use this memory share."""

    def close(self) -> None: ...


class Place(Protocol):
    """Where a memory is, if not in a file."""

    def open(self, reading: bool) -> Memory: ...


class FileMemory:
    """A memory in an SQLite file of its own."""

    def __init__(self, path: Path, tables: str, form: int, reading: bool = False) -> None:
        """Opens it, and makes it where there is none; if only for ``reading``, it must be there.

        ``tables`` makes what an older ``form`` lacks, and changes nothing else. Raises
        ``StoreFailed``.
        """
        self._path = path
        with self._told():
            self._connection = sqlite3.connect(
                address(path, "rw" if reading else "rwc"),
                uri=True,
                isolation_level=None,
                timeout=10,
                check_same_thread=False,
            )
            try:
                self._prepare(tables, form, reading)
            except BaseException:
                self._connection.close()
                raise

    def run(self, sql: str, said: Said = ()) -> list[tuple[Any, ...]]:
        with self._told():
            return self._connection.execute(sql, said).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def now(self) -> float:
        return time.time()

    def close(self) -> None:
        self._connection.close()

    def _prepare(self, tables: str, form: int, reading: bool) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found > form or (reading and not found):
            raise StoreFailed(
                f"{self._path}: of form {found}, this program knows {form}; use the version of pmo"
                " that wrote it"
            )
        if reading:
            self._connection.execute("PRAGMA query_only = ON")
            return
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        if found != form:
            with self.transaction():
                for statement in tables.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {form}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The machine's failures in words that a user can act on."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            raise StoreFailed(f"{self._path}: {_PLAIN_WORDS.get(code, error)}") from error
