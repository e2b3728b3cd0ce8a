"""The views' database: SQLite today, and the only module here that knows it.

SQL lives in ``.sql`` files under names (``-- name: insert``). ``$`` stands before the name of every
table and index: nothing for the views that people read, and a prefix for a set that is being
built beside them. Reading needs no more than this module and plain values, so that a command
which only looks something up starts fast.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from engine.errors import StoreFailed
from engine.store.sqlite_file import address
from projections.functions import AGGREGATES, SCALARS

Parameters = Sequence[Any] | Mapping[str, Any]

_FORM = 1
"""``PRAGMA user_version``. Views of another form are not read: they are built again."""

_ROWS = 50

# Kibibytes of pages kept in memory, and while indexes are made.
_CACHE, _SORTING = 24_576, 4_096

# What the machine did to us, as opposed to what an event did: never a reason to park an event.
_SURROUNDINGS = {
    sqlite3.SQLITE_BUSY: "another process holds the views; try again when it is done",
    sqlite3.SQLITE_LOCKED: "another process holds the views; try again when it is done",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_READONLY: "the file or its folder may not be written",
    sqlite3.SQLITE_IOERR: "the disk could not be read or written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; delete it, and it is built again from the log",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_NOTADB: "the file is not a database; delete it, and it is built again",
}


# Binding None costs CPython 0.45 µs, because it looks for an adapter in vain: with rows half empty
# that was a third of the time of an insert. This one is found, and changes nothing.
sqlite3.register_adapter(type(None), {}.get)  # type: ignore[arg-type]

to_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
"""JSON as it stands in columns: the same value is the same text."""


def read_sql(file: str) -> dict[str, str]:
    """The named statements of a ``.sql`` file beside this module."""
    return sql_beside(__file__, file)


def sql_beside(module: str, file: str) -> dict[str, str]:
    """The named statements of a ``.sql`` file beside another module (its ``__file__``)."""
    text = Path(module).with_name(file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def quote(identifier: str) -> str:
    """A table or column name that comes from a definition, fit to stand in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


class Tables:
    """One connection, and the prefix under which it sees the views. For one thread at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        prefix: str = "",
        mark: sqlite3.Connection | None = None,
    ) -> None:
        self._connection = connection
        self.path = path
        self.prefix = prefix
        self._mark = mark  # held locked as long as this set is being built

    def under(self, prefix: str) -> Tables:
        """The tables of another set, on the same connection."""
        return Tables(self._connection, self.path, prefix)

    def run(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        return self._execute(sql, parameters).fetchall()

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        try:
            self._connection.executemany(self._prefixed(sql), rows)
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """As ``run_many`` for an ``INSERT ... VALUES (?, ...)``, many rows a statement.

        A statement for each row costs half as much again.
        """
        several = sql + f", {sql[sql.rindex('(') :]}" * (_ROWS - 1)
        whole = len(rows) - len(rows) % _ROWS
        for start in range(0, whole, _ROWS):
            self._execute(several, [*chain.from_iterable(rows[start : start + _ROWS])])
        self.run_many(sql, rows[whole:])

    def run_script(self, sql: str) -> None:
        """Several statements without parameters, inside the transaction that is open."""
        for statement in filter(str.strip, sql.split(";")):
            self.run(statement)

    def fetch(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Rows as dicts by column name."""
        cursor = self._execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def select(
        self, sql: str, parameters: Mapping[str, Any], most: int
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and up to so many rows, of a statement in which ``$`` is no
        prefix: what a view says is nobody's but its author's.

        Raises ``Unfit`` for a statement that the database does not take.
        """
        try:
            cursor = self._connection.execute(sql, parameters)
            return [column[0] for column in cursor.description], cursor.fetchmany(most)
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """Rows one at a time, for tables larger than memory."""
        yield from self._execute(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside or nothing; other writers wait from its beginning."""
        with self._bracket("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside stems from one moment; nobody waits for it. May be nested."""
        if self._connection.in_transaction:
            yield
            return
        with self._bracket("BEGIN", "COMMIT", "ROLLBACK"):
            yield

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Inside a transaction: everything in here or nothing, the rest of it unharmed."""
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

    @contextmanager
    def sorting(self) -> Iterator[None]:
        """Indexes of large tables are made in here.

        SQLite sorts in as much memory as its page cache may take, and beside it: so that one gives
        way, and memory does not grow with the tables.
        """
        self.run(f"PRAGMA cache_size = -{_SORTING}")
        self.run("PRAGMA shrink_memory")
        try:
            yield
        finally:
            self.run(f"PRAGMA cache_size = -{_CACHE}")

    def names(self) -> list[str]:
        """Every table of this set."""
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ? ESCAPE '\\'"
        found = [name for (name,) in self.run(sql, [self.prefix.replace("_", "\\_") + "%"])]
        return found if self.prefix else [name for name in found if not _SHADOW.match(name)]

    def columns(self, table: str) -> list[str]:
        """The columns of a table, in order, none when there is no such table."""
        rows = self.run("SELECT name FROM pragma_table_info(?)", [self.prefix + table])
        return [name for (name,) in rows]

    def key(self, table: str) -> list[str]:
        """The columns of a table's primary key, in order."""
        sql = "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
        return [name for (name,) in self.run(sql, [self.prefix + table])]

    def drop(self) -> None:
        """Remove every table of this set."""
        for name in self.names():
            self.run(f"DROP TABLE {quote(name)}")

    def promote(self) -> None:
        """Let this set take the place of the one people read; call it inside a transaction.

        Indexes go along and keep the prefix in their names, which is why each set has its own.
        """
        self.under("").drop()
        for name in self.names():
            bare = name.removeprefix(self.prefix)
            self.run(f"ALTER TABLE {quote(name)} RENAME TO {quote(bare)}")

    def aside(self) -> Path:
        """Where another process may build a part of this set (``open_for_scratch``)."""
        return self._file("part")

    def absorb(self, file: Path, but: Sequence[str]) -> None:
        """Add the rows that tables of the same names have in another file, ``but`` some.

        Where a table is empty here and has the same columns and indexes there, SQLite copies rows
        and indexes as they are, without reading or sorting them.
        """
        self.run("ATTACH ? AS part", [address(file, "rw")])
        try:
            left_out = [self.prefix + table for table in but]
            for (name,) in self.run("SELECT name FROM part.sqlite_master WHERE type = 'table'"):
                if name not in left_out:
                    name = quote(name)
                    self.run(f"INSERT INTO main.{name} SELECT * FROM part.{name}")
        finally:
            self.run("DETACH part")

    def shadow(self) -> Tables:
        """A new set beside this one, as yet without tables; what killed builds left behind goes.

        A build marks its set by a lock on a file, which ends with the build, so that what another
        process builds at the same time is left alone.
        """
        with self.transaction():
            numbers = self._numbers()
            for left in (self.under(f"b{number}_") for number in numbers):
                left._mark = left._try_mark()
                if left._mark:
                    left.drop()
                    left.give_up()
            new = self.under(f"b{max(numbers, default=0) + 1}_")
            new._mark = new._try_mark()
            return new

    def _numbers(self) -> set[int]:
        """Those of the sets that have a table, an index or a file."""
        names = [name for (name,) in self.run("SELECT name FROM sqlite_master")]
        start = f"{self.path.name}-"
        names += [file.name.removeprefix(start) for file in self.path.parent.glob(f"{start}*")]
        return {int(match[1]) for name in names if (match := _SHADOW.match(name))}

    def _try_mark(self) -> sqlite3.Connection | None:
        mark = _connect(self._file("build"), "rwc", timeout=0)
        try:
            mark.execute("PRAGMA journal_mode = OFF")  # nothing is written
            mark.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            mark.close()
            return None
        return mark

    def give_up(self) -> None:
        """Nobody builds this set any more: if it was not promoted, the next build removes it."""
        if self._mark:
            self._mark.close()
            self._mark = None
            for purpose in ("build", "part"):
                self._file(purpose).unlink(missing_ok=True)

    def _file(self, purpose: str) -> Path:
        return self.path.with_name(f"{self.path.name}-{self.prefix}{purpose}")

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

    def _execute(self, sql: str, parameters: Parameters) -> sqlite3.Cursor:
        try:
            return self._connection.execute(self._prefixed(sql), parameters)
        except sqlite3.Error as error:
            raise _explained(error, self.path) from error


_SHADOW = re.compile(r"b(\d+)_")


class Unfit(Exception):
    """The database did not take what an event would have it take; the machine is not to blame."""


def open_for_writing(path: Path) -> Tables:
    """The views at ``path``, made if there are none.

    A power cut may cost the last batches, rows and checkpoint together (WAL, ``NORMAL``): they are
    projected again. Raises ``StoreFailed``.
    """
    tables = _open(path, "rwc")
    form = tables.run("PRAGMA user_version")[0][0]
    if form not in (0, _FORM):
        raise StoreFailed(f"{path}: views of form {form}; delete the file, and it is built again")
    tables.run("PRAGMA journal_mode = WAL")
    tables.run("PRAGMA synchronous = NORMAL")
    tables.run(f"PRAGMA cache_size = -{_CACHE}")
    tables.run("PRAGMA wal_autocheckpoint = 8000")
    tables.run(f"PRAGMA user_version = {_FORM}")
    return tables


def open_for_scratch(path: Path) -> Tables:
    """Tables in a file that nobody else reads, and that is built anew after whatever ends it."""
    tables = _open(path, "rwc")
    tables.run("PRAGMA journal_mode = MEMORY")
    tables.run("PRAGMA synchronous = OFF")
    tables.run(f"PRAGMA cache_size = -{_CACHE}")
    return tables


def open_for_reading(path: Path) -> Tables:
    """The views at ``path``; writing through these is refused.

    Raises ``StoreFailed`` when there are none, or they are of another form.
    """
    if not path.exists():
        raise StoreFailed(f"{path}: no views yet; build them from the log (pmo rebuild)")
    tables = _open(path, "rw")
    form = tables.run("PRAGMA user_version")[0][0]
    if form != _FORM:
        raise StoreFailed(f"{path}: views of form {form}; delete the file, and it is built again")
    tables.run("PRAGMA query_only = ON")
    tables.provide_functions()
    return tables


def _open(path: Path, mode: str) -> Tables:
    return Tables(_connect(path, mode, timeout=10), path)


def _connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            address(path, mode),
            uri=True,
            isolation_level=None,
            timeout=timeout,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise _explained(error, path) from error


def _explained(error: sqlite3.Error, path: Path) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _SURROUNDINGS:
        return StoreFailed(f"{path}: {_SURROUNDINGS[code]} ({error})")
    return Unfit(f"{error}")
