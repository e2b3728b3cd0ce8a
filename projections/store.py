"""The port of the views' database (``projections.opening`` opens one).

SQL lives in ``.sql`` files under names, written once: for the database that is a file, word for
word (``projections.sqlite``); PostgreSQL reads the same text (``projections.postgres``). ``$``
stands before the name of every table and index: nothing for the views that people read, and
something else for a set that is being built beside them. Reading needs no more than this and plain
values, so that a command which only looks something up starts fast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from projections.sql import Unfit, from_json, quote, read_sql, sql_beside, to_json

__all__ = [
    "Place",
    "Scratch",
    "Tables",
    "Unfit",
    "from_json",
    "quote",
    "read_sql",
    "sql_beside",
    "to_json",
]

Parameters = Sequence[Any] | Mapping[str, Any]


class Tables(Protocol):
    """A set of tables through one connection. For one thread at a time.

    Every call raises ``StoreFailed`` for what the machine did, and ``Unfit`` for what the database
    does not take.
    """

    @property
    def prefix(self) -> str:
        """What ``$`` stands for; not empty in a set that is being built."""

    def run(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]: ...

    def run_many(self, sql: str, rows: Iterable[Parameters]) -> None: ...

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """As ``run_many`` for an ``INSERT ... VALUES (?, ...)``, the quickest way there is."""

    def run_script(self, sql: str) -> None:
        """Several statements without parameters, inside the transaction that is open."""

    def fetch(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """Rows as dicts by column name."""

    def located(self, sql: str) -> str:
        """SQL in which ``main.$table`` is a table of this set, whatever else is named so."""

    def select(
        self, sql: str, parameters: Mapping[str, Any], most: int
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and up to so many rows, of a statement in which ``$`` stands
        for nothing: what a view says is nobody's but its author's."""

    def each(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """Rows one at a time, for tables larger than memory."""

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside or nothing; others who write the same set wait from its beginning."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read inside stems from one moment; nobody waits for it. May be nested."""

    def attempt(self) -> AbstractContextManager[None]:
        """Inside a transaction: everything in here or nothing, the rest of it unharmed."""

    def names(self) -> list[str]:
        """Every table of this set, by the name with which it stands in SQL."""

    def columns(self, table: str) -> list[str]:
        """The columns of a table, in order, none when there is no such table."""

    def key(self, table: str) -> list[str]:
        """The columns of a table's primary key, in order."""

    def shadow(self) -> Tables:
        """An empty set to build beside the one that people read. What a build that was killed has
        left behind is cleared away."""

    def promote(self) -> None:
        """Let this set take the place of the one people read; call it inside a transaction of
        that one."""

    def give_up(self) -> None:
        """Nobody builds this set any more: where it was not promoted, the next build removes it."""

    def sorting(self) -> AbstractContextManager[None]:
        """Indexes of large tables are made in here, in memory that does not grow with them."""

    @property
    def holds(self) -> bool:
        """Whether a register has one index in which a page of any moment is found without its rows
        (``hold``): for a database that reads an index alone."""

    def hold(self, table: str, index: str) -> None:
        """Make that index, in place of one that holds other columns."""

    def is_indexed(self, table: str, index: str) -> bool:
        """Whether that index of a table is there, or the database needs none."""

    def foresee(self, table: str, index: str) -> None:
        """Make an index that somebody may ask for, as in ``ask_for``; nothing where it is made when
        somebody does, and nobody has before."""

    def ask_for(self, table: str, indexes: Sequence[str]) -> None:
        """Have these indexes made for the next reader, who would wait for long without them; this
        one waits for nothing."""

    def scratch(self) -> Scratch | None:
        """A place where another process may build some of these tables; ``None`` where the
        database would gain nothing by it."""

    def close(self) -> None: ...


class Scratch(Protocol):
    """Some tables of a set, in a place of their own that dies with the build. It can be pickled."""

    def open(self) -> Tables: ...

    def pour(self, into: Tables, but: Collection[str]) -> None:
        """Add its rows to the tables of the same names, ``but`` some. Tables and indexes that are
        not there are made."""

    def remove(self) -> None: ...


class Place(Protocol):
    """Where views are kept, if not in a file."""

    def open_for_writing(self) -> Tables: ...

    def open_for_reading(self) -> Tables: ...
