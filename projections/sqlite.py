"""The views in a file: ``projections.store.Tables`` on SQLite, which only this module and
``projections.sqlite_file`` know.

A set that is being built lies in the same file, its tables and indexes under a prefix.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Thread
from typing import Any

from engine.errors import StoreFailed
from engine.store.sqlite_file import address
from projections.functions import AGGREGATES, SCALARS
from projections.meanwhile import Meanwhile
from projections.sql import Unfit, quote
from projections.sqlite_file import FORM, MEND, checkpoint, connect, explained, of_another_form
from projections.store import Tables

Parameters = Sequence[Any] | Mapping[str, Any]

_ROWS = 50
_NULL = float("nan")

_LARGE = 20_000
"""Rows that are read, filtered and sorted in 20 ms; an index is made of no fewer."""

# Pages in the write-ahead log from which on a commit moves them into the file (a checkpoint), and
# in a build, which has that done beside it: 32 and 256 MB where they have 8 KB.
_LONG_WAL, _LONGEST_WAL = 4_000, 32_000

_EVERY = 0.25
"""Seconds between two checkpoints beside a build: a short one is over before the first."""

_PAGE = 8_192
"""Bytes of a page in a file that is made now: half as many calls of the system as SQLite's own half
of it, which are a quarter of a build. A file that is there keeps what it has."""

# Kibibytes of pages kept in memory, and while indexes are made.
_CACHE, _SORTING = 24_576, 4_096


class SQLiteTables:
    """One connection, and the prefix under which it sees the views."""

    holds = True

    def __init__(self, connection: sqlite3.Connection, path: Path, prefix: str = "") -> None:
        self._connection = connection
        self.path = path
        self.prefix = prefix
        self._mark: sqlite3.Connection | None = None  # locked while this set is being built
        self._checkpoints: Meanwhile | None = None  # while this set is being built
        self._reads = False

    def _under(self, prefix: str) -> SQLiteTables:
        return SQLiteTables(self._connection, self.path, prefix)

    def run(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(self._prefixed(sql), parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        try:
            self._connection.executemany(self._prefixed(sql), rows)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Many rows a statement: a statement for each row costs half as much again.

        NaN is NULL to SQLite (sqlite.org/floatingpoint.html), and CPython binds it at a quarter of
        the cost of ``None``, for which it looks for an adapter.

        ``OR FAIL``, since what fails is undone as a whole (``attempt``): so that it could undo the
        one statement, SQLite would set a copy aside of each page before it changes.
        """
        whole = len(rows) - len(rows) % _ROWS
        for start in range(0, whole, _ROWS):
            some = rows[start : start + _ROWS]
            self.run(
                _several(sql), [_NULL if value is None else value for row in some for value in row]
            )
        if whole < len(rows):
            self.run_many(sql, rows[whole:])

    def run_script(self, sql: str) -> None:
        for statement in filter(str.strip, sql.split(";")):
            self.run(statement)

    def fetch(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        try:
            cursor = self._connection.execute(self._prefixed(sql), parameters)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def located(self, sql: str) -> str:
        return self._prefixed(sql)

    def select(
        self, sql: str, parameters: Mapping[str, Any], most: int
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            cursor = self._connection.execute(sql, parameters)
            return [column[0] for column in cursor.description], cursor.fetchmany(most)
        except sqlite3.Error as error:
            if "no such table: main." in str(error):  # one of ours: a view names relations
                raise self._failure(error) from error
            raise explained(error, self.path) from error

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        try:
            rows = self._connection.execute(self._prefixed(sql), parameters)
            # Not from the cursor: who stops early closes it, and may have closed its database.
            yield from (row for row in rows)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._bracket("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        with self._bracket("BEGIN", "COMMIT", "ROLLBACK"):
            yield

    @contextmanager
    def attempt(self) -> Iterator[None]:
        undo = "ROLLBACK TO attempt; RELEASE attempt"
        with self._bracket("SAVEPOINT attempt", "RELEASE attempt", undo):
            yield

    @contextmanager
    def _bracket(self, begin: str, end: str, undo: str) -> Iterator[None]:
        self.run(begin)
        try:
            yield
            self.run(end)
        except BaseException:
            # After some errors (disk full) SQLite has rolled back by itself.
            if self._connection.in_transaction:
                self.run_script(undo)
            raise

    def names(self) -> list[str]:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ? ESCAPE '\\'"
        found = [name for (name,) in self.run(sql, [self.prefix.replace("_", "\\_") + "%"])]
        return found if self.prefix else [name for name in found if not _SHADOW.match(name)]

    def flaw(self) -> str:
        """What no reader of rows sees, empty if there is nothing: an index that hides or holds back
        some from whoever finds them by it, or what others have put beside the tables."""
        beside = "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view') LIMIT 1"
        for kind, name in self.run(beside):
            return f"{name} is a {kind} that the views were not made with"
        ((answer,),) = self.run("PRAGMA integrity_check(1)")
        return "" if answer == "ok" else str(answer)

    def columns(self, table: str) -> list[str]:
        rows = self.run("SELECT name FROM pragma_table_info(?)", [self.prefix + table])
        return [name for (name,) in rows]

    def key(self, table: str) -> list[str]:
        sql = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
        return [name for (name,) in self.run(sql, [self.prefix + table])]

    def shadow(self) -> SQLiteTables:
        """A build marks its set by a lock on a file, which ends with its process, so that what
        another one builds at the same time is left alone."""
        with self.transaction():
            numbers = self._numbers()
            for left in (self._under(f"b{number}_") for number in numbers):
                if left._try_to_mark():
                    left._drop()
                    left.give_up()
            new = self._under(f"b{max(numbers, default=0) + 1}_")
            new._try_to_mark()
        self.run(f"PRAGMA wal_autocheckpoint = {_LONGEST_WAL}")
        new._checkpoints = Meanwhile(partial(checkpoint, self.path), _EVERY)
        return new

    def promote(self) -> None:
        """Indexes go along and keep the prefix in their names, which is why each set has its own.

        Readers with an open snapshot keep the old tables.
        """
        self._under("")._drop()
        for name in self.names():
            bare = name.removeprefix(self.prefix)
            self.run(f"ALTER TABLE {quote(name)} RENAME TO {quote(bare)}")

    def give_up(self) -> None:
        if self._checkpoints:
            self._checkpoints.stop()
            self._checkpoints = None
            self.run(f"PRAGMA wal_autocheckpoint = {_LONG_WAL}")
        if self._mark:
            self._mark.close()
            self._mark = None
            for purpose in ("build", "part"):
                self._file(purpose).unlink(missing_ok=True)

    @contextmanager
    def sorting(self) -> Iterator[None]:
        """SQLite sorts in as much memory as its page cache may take, and beside it."""
        self.run(f"PRAGMA cache_size = -{_SORTING}")
        self.run("PRAGMA shrink_memory")
        try:
            yield
        finally:
            self.run(f"PRAGMA cache_size = -{_CACHE}")

    def hold(self, table: str, index: str) -> None:
        # Of a register's indexes of all rows it is the one that begins with an expression (-2).
        sql = (
            "SELECT made.name, made.sql FROM pragma_index_list(?) AS listed,"
            " sqlite_master AS made, pragma_index_info(made.name) AS part"
            " WHERE made.name = listed.name AND NOT listed.partial"
            " AND part.seqno = 0 AND part.cid = -2"
        )
        for name, made in self.run(sql, [self.prefix + table]):
            if made.partition("(")[2] == index.partition("(")[2]:
                return
            self.run(f"DROP INDEX {quote(name)}")
        self.run(index)

    def is_indexed(self, table: str, index: str) -> bool:
        sql = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql NOT NULL"
        there = [made.partition("(")[2] for (made,) in self.run(sql, [self.prefix + table])]
        return index.partition("(")[2] in there

    def foresee(self, table: str, index: str) -> None:
        """Nobody may ever ask for it, and it costs as much as the row does: so only a set that is
        built beside one that has it gets it, too."""
        if self.prefix and self._under("").is_indexed(table, index):
            self.run(index)

    def ask_for(self, table: str, indexes: Sequence[str]) -> None:
        """In a process of its own, where a register is large and may be written."""
        size = f"SELECT coalesce(max(rowid), 0) FROM {quote(self.prefix + table)}"
        if indexes and self.run(size)[0][0] >= _LARGE and os.access(self.path, os.W_OK):
            _make_apart(self.path, [self._prefixed(index) for index in indexes])

    def scratch(self) -> Scratch:
        return Scratch(self._file("part"), self.prefix)

    def _try_to_mark(self) -> bool:
        mark = connect(self._file("build"), "rwc", timeout=0)
        try:
            mark.execute("PRAGMA journal_mode = OFF")  # nothing is written
            mark.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            mark.close()
            return False
        self._mark = mark
        return True

    def _file(self, purpose: str) -> Path:
        return self.path.with_name(f"{self.path.name}-{self.prefix}{purpose}")

    def _numbers(self) -> set[int]:
        """Those of the sets that have a table, an index or a file."""
        names = [name for (name,) in self.run("SELECT name FROM sqlite_master")]
        start = f"{self.path.name}-"
        names += [file.name.removeprefix(start) for file in self.path.parent.glob(f"{start}*")]
        return {int(match[1]) for name in names if (match := _SHADOW.match(name))}

    def _drop(self) -> None:
        for name in self.names():
            self.run(f"DROP TABLE {quote(name)}")

    def provide_functions(self) -> None:
        """What views may call (``projections.functions``)."""
        for name, (count, answer) in SCALARS.items():
            self._connection.create_function(
                name,
                count,
                answer,  # type: ignore[arg-type]  # typeshed knows no union of functions
                deterministic=True,
            )
        for name, (count, aggregate) in AGGREGATES.items():
            self._connection.create_aggregate(name, count, aggregate)  # type: ignore[arg-type]

    def close(self) -> None:
        self._connection.close()

    def _prefixed(self, sql: str) -> str:
        return sql.replace("$", self.prefix)

    def _failure(self, error: sqlite3.Error) -> Exception:
        """In words. A reader asks for what is there: else the file is not what was built."""
        failure = explained(error, self.path)
        if self._reads and isinstance(failure, Unfit):
            return StoreFailed(f"{self.path}: it is not what was built; {MEND} ({error})")
        return failure


@lru_cache(maxsize=100)
def _several(sql: str) -> str:
    """An ``INSERT`` of a row as one of ``_ROWS`` rows."""
    one = sql.replace("INSERT", "INSERT OR FAIL", 1)
    return one + f", {sql[sql.rindex('(') :]}" * (_ROWS - 1)


_SHADOW = re.compile(r"b(\d+)_")

_MISSING = (
    "SELECT sql FROM part.sqlite_master WHERE sql NOT NULL"
    " AND name NOT IN (SELECT name FROM main.sqlite_master) ORDER BY rowid"
)
"""What made those tables and indexes of a part that are not here, in that order."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """``projections.store.Scratch``, a file that is built anew after whatever ends it."""

    file: Path
    prefix: str

    def open(self) -> SQLiteTables:
        tables = _open(self.file, "rwc")
        tables.run(f"PRAGMA page_size = {_PAGE}")
        tables.run("PRAGMA journal_mode = MEMORY")
        tables.run("PRAGMA synchronous = OFF")
        tables.run(f"PRAGMA cache_size = -{_CACHE}")
        return tables._under(self.prefix)

    def pour(self, into: Tables, but: Collection[str]) -> None:
        """Where a table is empty and has the columns and indexes that it has here, SQLite copies
        rows and indexes as they are, without reading or sorting them."""
        left_out = [self.prefix + table for table in but]
        into.run("ATTACH ? AS part", [address(self.file, "rw")])
        try:
            for (statement,) in into.run(_MISSING):
                into.run(statement)
            for (name,) in into.run("SELECT name FROM part.sqlite_master WHERE type = 'table'"):
                if name not in left_out:
                    table = quote(name)
                    into.run(f"INSERT INTO main.{table} SELECT * FROM part.{table}")
        finally:
            into.run("DETACH part")

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)


def open_for_writing(path: Path) -> SQLiteTables:
    """The views at ``path``, made if there are none.

    A power cut may cost the last batches, rows and checkpoint together (WAL, ``NORMAL``): they are
    projected again. Raises ``StoreFailed``.
    """
    tables = _open(path, "rwc")
    if (form := _form(tables)) not in (0, FORM):
        raise of_another_form(path, form)
    tables.run(f"PRAGMA page_size = {_PAGE}")
    tables.run("PRAGMA journal_mode = WAL")
    tables.run("PRAGMA synchronous = NORMAL")
    tables.run(f"PRAGMA cache_size = -{_CACHE}")
    tables.run(f"PRAGMA wal_autocheckpoint = {_LONG_WAL}")
    tables.run(f"PRAGMA user_version = {FORM}")
    return tables


def _make_apart(path: Path, indexes: Iterable[str]) -> None:
    """Start ``projections.asked`` and wait for nothing. The module ``subprocess`` would take longer
    to import than a page takes."""
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    command = [sys.executable, "-m", "projections.asked", str(path), *indexes]
    # What this process can import, that one can.
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = os.posix_spawn(sys.executable, command, env, file_actions=nothing)
    # Nobody else takes note of its end, where the reader lives on.
    Thread(target=os.waitpid, args=(process, 0), daemon=True).start()


def make_indexes(path: Path, indexes: Iterable[str]) -> None:
    """Make what is not there of these. Raises ``StoreFailed``."""
    with closing(_open(path, "rw")) as tables:
        for index in indexes:
            tables.run(index)


def open_for_reading(path: Path) -> SQLiteTables:
    """The views at ``path``; writing through these is refused.

    Raises ``StoreFailed`` when there are none, or they are of another form.
    """
    if not path.exists():
        raise StoreFailed(f"{path}: no views yet; build them from the log (pmo rebuild)")
    if path.is_dir():
        raise StoreFailed(f"{path}: it is a folder; {MEND}")
    tables = _open(path, "rw")
    if (form := _form(tables)) != FORM:
        raise of_another_form(path, form)
    tables.run("PRAGMA query_only = ON")
    tables.provide_functions()
    tables._reads = True
    return tables


def _form(tables: SQLiteTables) -> int:
    return int(tables.run("PRAGMA user_version")[0][0])


def _open(path: Path, mode: str, timeout: float = 10) -> SQLiteTables:
    return SQLiteTables(connect(path, mode, timeout), path)
