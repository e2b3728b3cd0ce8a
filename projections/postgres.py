"""The views on PostgreSQL: ``projections.store.Tables`` there.

A set of views is a schema. Those that people read are the set whose number stands in
``pmo_views.standing``; a set that is being built has another, and takes their place when that
number changes. Renaming tables would wait for everybody who reads them, and make others wait
meanwhile; here neither happens. A set that has had its time is removed by the next who finds that
nobody reads it any more.

Advisory locks of two numbers each, so that they meet no others: whoever writes a set holds
``(_WRITES, set)``; whoever reads or builds one shares ``(_USES, set)``, so that nobody removes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import psycopg

from engine.errors import StoreFailed
from projections.postgres_connection import Session, as_asked
from projections.postgres_text import copied, translate, translate_view
from projections.sql import read_sql

Parameters = Sequence[Any] | Mapping[str, Any]

_SQL = read_sql("postgres.sql")
_WRITES, _USES, _MAKES = 0x504D4F57, 0x504D4F55, 0x504D4F4D

_FORM = 1
"""Goes up with what stands beside the sets: functions, and which of the sets is read."""

_FEW = 8
"""Rows up to which statements are quicker than a COPY."""


class PostgresPlace:
    """The views in a database; ``address`` as libpq takes it, the password from the environment."""

    def __init__(self, address: str) -> None:
        self._address = address

    def open_for_writing(self) -> PostgresTables:
        """Raises ``StoreFailed``, also for a database that does not sort text by its bytes: there
        views would list things in another order than elsewhere."""
        session = Session(self._address, reading=False)
        try:
            _make(session)
        except BaseException:
            session.close()
            raise
        return PostgresTables(session)

    def open_for_reading(self) -> PostgresTables:
        session = Session(self._address, reading=True)
        try:
            if not self._is_built(session):
                raise StoreFailed(
                    f"{session.name}: no views yet; build them from the log (pmo rebuild)"
                )
        except BaseException:
            session.close()
            raise
        return PostgresTables(session)

    def is_built(self) -> bool:
        """Whether there are views. Raises ``StoreFailed``."""
        session = Session(self._address, reading=True)
        try:
            return self._is_built(session)
        finally:
            session.close()

    def hand_over(self, role: str) -> None:
        """From now on that role keeps them, and what consumers remember. Raises ``StoreFailed``."""
        session = Session(self._address, reading=False)
        try:
            session.ask("SELECT pmo_views.hand_over(%s)", [role])
        finally:
            session.close()

    def _is_built(self, session: Session) -> bool:
        return bool(session.ask(_SQL["is_made"])[0][0] and session.ask(_SQL["standing"])[0][0])


class PostgresTables:
    """A set of views: of a number, or (without one) those that people read."""

    holds = False

    def __init__(self, session: Session, number: int | None = None) -> None:
        self._session = session
        self._number = number
        self._standing = 0  # the set that stood when we last looked
        self.prefix = "" if number is None else f"b{number}_"

    def run(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        with self._within():
            return self._session.ask(self._placed(sql), parameters)

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None:
        rows = list(rows)
        if not rows:
            return
        with self._within(), self._session.told(), self._session.server_cursor() as cursor:
            cursor.executemany(self._placed(sql), rows)

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        copy = copied(sql.replace("$", "")) if len(rows) > _FEW else None
        if copy is None:
            self.run_many(sql, rows)
            return
        with (
            self._within(),
            self._session.told(),
            self._session.server_cursor() as cursor,
            cursor.copy(copy) as into,
        ):
            for row in rows:
                into.write_row(row)

    def run_script(self, sql: str) -> None:
        for statement in filter(str.strip, sql.split(";")):
            self.run(statement)

    def fetch(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        with self._within(), self._session.told(), self._session.cursor() as cursor:
            cursor.execute(self._placed(sql), parameters)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def located(self, sql: str) -> str:
        return sql.replace("main.$", f"{self._schema}.").replace("$", "")

    def select(
        self, sql: str, parameters: Mapping[str, Any], most: int
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        # A cursor of the server's: what is not shown need not be sent. A savepoint, because whoever
        # is told what is wrong with a view is told more, from the same transaction. Behind filters
        # that it cannot estimate the server expects few rows, and then goes through the whole other
        # side for each: of 10,000 cases that wait a minute long, instead of a second.
        opening = f"DECLARE answer NO SCROLL CURSOR FOR {translate_view(sql)}"
        with self._within(), self.attempt(), self._session.cursor() as cursor:
            try:
                cursor.execute("SET LOCAL enable_nestloop = off")
                cursor.execute(opening, parameters)
                cursor.execute(f"FETCH {most:d} FROM answer")
                names = [column.name for column in cursor.description or ()]
                rows = cursor.fetchall()
                cursor.execute("CLOSE answer")
                cursor.execute("SET LOCAL enable_nestloop TO DEFAULT")
            except psycopg.Error as error:
                raise as_asked(error, self._session.name) from error
            return names, rows

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        with self._within(), self._session.told(), self._session.cursor() as cursor:
            opening = f"DECLARE rows NO SCROLL CURSOR FOR {self._placed(sql)}"
            cursor.execute(opening, parameters)
            while found := cursor.execute("FETCH 2000 FROM rows").fetchall():
                yield from found
            cursor.execute("CLOSE rows")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._begin("BEGIN ISOLATION LEVEL READ COMMITTED", "pg_advisory_xact_lock", _WRITES)
        with self._ended():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        if self._session.is_busy:
            yield
            return
        self._begin(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "pg_advisory_xact_lock_shared",
            _USES,
        )
        with self._ended():
            yield

    @contextmanager
    def attempt(self) -> Iterator[None]:
        self._session.ask("SAVEPOINT attempt")
        try:
            yield
            self._session.ask("RELEASE attempt")
        except BaseException:
            if self._session.is_busy:
                self._session.ask("ROLLBACK TO attempt; RELEASE attempt")
            self._session.set = None  # it may have been chosen since, which is undone now
            raise

    def names(self) -> list[str]:
        with self._within():
            return [name for (name,) in self._session.ask(_SQL["tables"], [self._schema])]

    def columns(self, table: str) -> list[str]:
        with self._within():
            said = [self._schema, table]
            return [name for (name,) in self._session.ask(_SQL["columns"], said)]

    def key(self, table: str) -> list[str]:
        with self._within():
            return [name for (name,) in self._session.ask(_SQL["key"], [self._schema, table])]

    def shadow(self) -> PostgresTables:
        for (number,) in self._session.ask(_SQL["builds"]):
            self._clear(number)
        ((number,),) = self._session.ask(_SQL["next_build"])
        self._session.begin(
            f"SELECT pg_advisory_lock_shared({_USES}, {number}); CREATE SCHEMA {_schema(number)}"
        )
        return PostgresTables(self._session, number)

    def promote(self) -> None:
        assert self._number is not None
        ((before,),) = self._session.ask(_SQL["standing"])
        self._session.ask(_SQL["stand"], [self._number])
        self._session.ask(f"SELECT pg_advisory_unlock_shared({_USES}, {self._number})")
        with suppress(StoreFailed), self.attempt():  # else the next build removes it
            self._session.ask("SET LOCAL lock_timeout = 500")
            self._drop(before)

    def give_up(self) -> None:
        """The lock that tells of a build ends with its connection."""

    def sorting(self) -> AbstractContextManager[None]:
        return nullcontext()  # the server knows its bounds

    def hold(self, table: str, index: str) -> None:
        """The server looks into the rows all the same, whether they are still there."""

    def foresee(self, _table: str, index: str) -> None:
        self.run(index)

    def is_indexed(self, _table: str, _index: str) -> bool:
        """The server weighs by itself what leads to the rows."""
        return True

    def ask_for(self, table: str, indexes: Sequence[str]) -> None:
        """All that are foreseen are there: a reader here may not write."""

    def scratch(self) -> None:
        """The server has processes of its own."""

    def close(self) -> None:
        self._session.close()

    @property
    def _schema(self) -> str:
        return _schema(self._standing if self._number is None else self._number)

    @contextmanager
    def _within(self) -> Iterator[None]:
        """Inside a transaction, in which bare names are those of this set."""
        if not self._session.is_busy:
            with self.snapshot() if self._session.reading else self.transaction():
                yield
            return
        self._use()
        yield

    def _use(self) -> None:
        number = self._standing if self._number is None else self._number
        if self._session.set != number:
            self._session.ask(f"SET LOCAL search_path TO {_schema(number)}, pmo_views")
            self._session.set = number

    def _begin(self, begin: str, lock: str, kind: int) -> None:
        """Begin, and be sure that the set is the one that stands and stays as long as it takes."""
        while True:
            number = self._standing if self._number is None else self._number
            ((standing, is_there),) = self._session.begin(
                f"{begin}; SELECT {lock}({kind}, {number});"
                f" SET LOCAL search_path TO {_schema(number)}, pmo_views;"
                " SELECT number, number = 0 OR to_regnamespace('pmo_views_b' || number) IS NOT NULL"
                " FROM pmo_views.standing"
            )
            if self._number is not None or (standing == number and is_there):
                self._session.set = number
                return
            self._session.end("ROLLBACK")
            self._standing = standing

    @contextmanager
    def _ended(self) -> Iterator[None]:
        try:
            yield
            self._session.end("COMMIT")
        except BaseException:
            self._session.end("ROLLBACK")
            raise

    def _clear(self, number: int) -> None:
        """Remove a set, unless it is the one that stands."""
        self._session.begin("BEGIN")
        with self._ended():
            if (number,) not in self._session.ask(_SQL["standing"]):
                self._drop(number)

    def _drop(self, number: int) -> None:
        """Remove a set, unless somebody uses it."""
        ((is_free,),) = self._session.ask(f"SELECT pg_try_advisory_xact_lock({_USES}, {number})")
        if is_free:
            self._session.ask(f"DROP SCHEMA IF EXISTS {_schema(number)} CASCADE")

    def _placed(self, sql: str) -> str:
        return translate(self.located(sql))


def _make(session: Session) -> None:
    ((by_bytes, is_utf8),) = session.ask(_SQL["sorts_by_bytes"])
    if not (by_bytes and is_utf8):
        raise StoreFailed(
            f"{session.name}: this database does not keep text as UTF-8 and sort it by its bytes;"
            " make one that does: CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8'"
            " LOCALE 'C'"
        )
    form = session.ask(_SQL["form"])[0][0] if session.ask(_SQL["is_made"])[0][0] else 0
    if form == _FORM:
        return
    if form > _FORM:
        raise StoreFailed(f"{session.name}: the views are of a newer version of pmo: use that one")
    session.begin(f"BEGIN; SELECT pg_advisory_xact_lock({_MAKES}, 0)")
    try:
        session.ask(_SQL["schema"].replace("%", "%%"))
        session.ask(_SQL["formed"], [_FORM])
    except BaseException:
        session.end("ROLLBACK")
        raise
    session.end("COMMIT")


def _schema(number: int) -> str:
    return f"pmo_views_b{number}"
