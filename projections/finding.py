"""How the rows of a page are found in a register, among those of every moment.

Without moments a query asks for the rows that hold now, with moments for those that hold there
(``projections.timeline``): no event is replayed. In a database that reads an index without its
table (``Tables.holds``) the rows of a moment lie together in an index that holds all that pages
sort and filter by: those that began in the same month, by their end. So no more rows are looked at
than held, however long the past is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from projections.moments import known_position, last_position, occurred_by
from projections.store import Tables, quote, read_sql

Row = tuple[Any, ...]

_SQL = read_sql("register.sql")
NOW = "_next_known IS NULL AND _known_to IS NULL"
_END = "coalesce(_next_valid, '~')"
THEN = (
    "_known_from <= :known AND (_known_to IS NULL OR :known < _known_to)"
    " AND _valid_from <= :as_of"
    f" AND (_next_known IS NULL OR :known < _next_known OR :as_of < {_END})"
)
_BEGUN = "_known_to IS NULL AND _valid_from <= :as_of"
_AS_OF = f"{_BEGUN} AND (_next_valid IS NULL OR :as_of < _next_valid)"
"""As ``THEN``, where everything that is recorded is known."""
_SAMPLE = 500
_RARE = 10
"""So many rows of a sample are few: an index leads to them sooner than the way through all that
hold."""
_WALKED = 4_000
"""Rows that are read one by one, each perhaps from a page of its own, in the time in which 100,000
that lie together are sorted."""
_OF_A_CASE = 10
"""Rows of a case, as the index of the keys has them: with the whole past."""


@dataclass(frozen=True, slots=True)
class Way:
    """To all rows that hold at a moment: where they are looked for, by what they are told, and in
    which order, where it matters."""

    rows: str
    sql: str
    order: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """``sql``: whether a row holds. ``way``: to all that do."""

    sql: str
    given: dict[str, Any]
    way: Way

    @property
    def is_now(self) -> bool:
        return self.sql is NOW


def moment_of(tables: Tables, as_of: str | None, known_at: str | None) -> Moment:
    """Where nothing was recorded since, as it was known is as it is known."""
    given: dict[str, Any] = {"as_of": occurred_by(as_of)}
    if known_at is not None:
        given["known"] = known_position(tables, known_at)
        if given["known"] < last_position(tables):
            way = _by_month(THEN) if tables.holds else Way(_TABLE, THEN, _BACKWARDS)
            return Moment(THEN, given, way)
    if as_of is None:
        now = f"{_END} = :as_of AND {NOW}"
        return Moment(NOW, given, _by_month(now) if tables.holds else Way(_TABLE, NOW))
    then = f"{_END} > :as_of AND {_BEGUN}"
    return Moment(
        _AS_OF, given, _by_month(then) if tables.holds else Way(_TABLE, _AS_OF, _BACKWARDS)
    )


_TABLE = "${table}"
_BACKWARDS = "ORDER BY _valid_from DESC"
"""What changed long before a day has mostly changed again."""


def _by_month(holds: str) -> Way:
    """From the month of the day backwards. Of each month the index tells those first that have not
    ended, so that no others are met where the end is asked for."""
    return Way(_SQL["months"], f"substr(_valid_from, 1, 7) = _month AND {holds}")


@dataclass(frozen=True, slots=True)
class Condition:
    """``given``: its parameters. ``found``: whether an index of the column tells its rows."""

    column: str
    sql: str
    given: dict[str, Any]
    found: bool

    @property
    def apart(self) -> str:
        """The condition where no index serves it."""
        return _apart(self.sql)


def _apart(sql: str) -> str:
    return f"CASE WHEN {sql} THEN 1 END = 1"


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds the rows of a page.

    Few rows are looked for and sorted. Of many, the first are found by walking along the index of
    the column they are sorted by, or, where that takes longer, by sorting all that hold. Which it
    is depends on how many there are. A database cannot know that beforehand, so a condition that
    it must not look for is put into ``CASE``, which no index serves. What is looked for and sorted
    is keys: whole rows are read for the page alone.
    """

    tables: Tables
    table: str
    columns: Sequence[str]
    moment: Moment
    conditions: list[Condition]

    def keys(self, most: int, indexed: Collection[str]) -> list[str]:
        """The keys of the cases there are, up to so many.

        Of the conditions that an index serves, the one that fewest rows meet leads to them.
        """
        leading = self._leading([c for c in self.conditions if c.found and c.column in indexed])
        if leading:
            # The states of now have an index of their own; others have the rows of all moments.
            holds = self.moment.sql if leading.column == "_state" else _apart(self.moment.sql)
            rest = [c.apart for c in self.conditions if c is not leading]
            way = Way(_TABLE, " AND ".join([holds, leading.sql, *rest]))
        else:
            way = self._way
        return [key for (key,) in self._run("keys", _parts(way), {"most": most})]

    @property
    def _way(self) -> Way:
        """To all that hold and meet the conditions. Which index leads there is not left to the
        database where one does."""
        way, held = self.moment.way, self.tables.holds
        told = [c.apart if held else c.sql for c in self.conditions]
        return replace(way, sql=" AND ".join([way.sql, *told]))

    def _leading(self, served: list[Condition]) -> Condition | None:
        """The condition that fewest of some rows meet, if it is shorter than the way to all."""
        if not served or (len(served) == 1 and not self.tables.holds):
            return served[0] if served else None
        counts = self._sample([c.sql for c in served])
        leading = served[counts.index(min(counts))]
        # Where it is all that is asked of those that hold now, the index of their states is enough.
        is_all = self.moment.is_now and self.conditions == [leading] and leading.column == "_state"
        return leading if is_all or min(counts) <= _RARE or not self.tables.holds else None

    def _sample(self, asked: Sequence[str]) -> list[int]:
        """Of some rows, how many meet each of what is asked: of those that hold now the first by
        key, and of any other moment those that began last."""
        some = Way(_TABLE, NOW) if self.moment.is_now else self.moment.way
        met = ", ".join(f"count(CASE WHEN {sql} THEN 1 END)" for sql in asked)
        return [*self._run("sample", _parts(some) | {"{met}": met}, {"some": _SAMPLE})[0]]

    def is_near(self, by: str, end: int) -> bool:
        """Whether a walk along the index of a column comes to the page's end before all that hold
        are sorted."""
        is_read_alone = by == "_key" and self.moment.is_now and not self.conditions
        if is_read_alone or not self.tables.holds:
            return True
        (met,) = self._sample([" AND ".join(["true", *(c.sql for c in self.conditions)])])
        each = 1 if by != "_key" or self.moment.is_now else _OF_A_CASE
        return end * each * _SAMPLE <= _WALKED * met

    def among(
        self, keys: list[str], by: str, descending: bool, limit: int, offset: int
    ) -> list[Row]:
        """Rows of these cases ``by`` a column, what is missing last, then by key."""
        given = {f"k{number}": key for number, key in enumerate(keys)}
        chosen = f"_key IN ({', '.join(f':{name}' for name in given) or 'NULL'})"
        way = Way(_TABLE, f"{_apart(self.moment.sql)} AND {chosen}", _order(by, descending))
        return self._rows(way, limit, offset, given)

    def all_sorted(self, by: str, descending: bool, limit: int, offset: int) -> list[Row]:
        """As ``among``, of all that meet the conditions."""
        return self._rows(replace(self._way, order=_order(by, descending)), limit, offset)

    def along(self, by: str, descending: bool, limit: int, offset: int) -> list[Row]:
        """As ``all_sorted``, if the column has an index."""
        column, direction = quote(by), "DESC" if descending else "ASC"
        walked = [self.moment.sql, *(condition.apart for condition in self.conditions)]

        def way(order: str, *more: str) -> Way:
            return Way(_TABLE, " AND ".join([*walked, *more]), f"ORDER BY {order}")

        if by == "_key":
            return self._rows(way(f"_key {direction}"), limit, offset)
        there = way(f"{column} {direction}, _key {direction}", f"{column} IS NOT NULL")
        rows = self._rows(there, limit, offset)
        if len(rows) < limit:
            skipped = max(0, offset - self._count(there)) if offset else 0
            missing = way("_key", f"{column} IS NULL")
            rows += self._rows(missing, limit - len(rows), skipped)
        return rows

    def _count(self, way: Way) -> int:
        ((count,),) = self._run("count", _parts(way))
        return int(count)

    def _rows(
        self,
        way: Way,
        limit: int,
        offset: int,
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Row]:
        parts = _parts(way) | {
            "{columns}": ", ".join(map(quote, self.columns)),
            "{holds}": _apart(self.moment.sql),
        }
        return self._run("page", parts, {"limit": limit, "offset": offset, **given})

    def _run(
        self,
        statement: str,
        parts: dict[str, str],
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Row]:
        everything = dict(given) | self.moment.given
        for condition in self.conditions:
            everything |= condition.given
        sql = filled(statement, parts | {"{table}": self.table})
        return self.tables.run(sql, everything)


def _parts(way: Way) -> dict[str, str]:
    return {"{rows}": way.rows, "{conditions}": way.sql, "{order}": way.order}


def _order(by: str, descending: bool) -> str:
    column, direction = quote(by), "DESC" if descending else "ASC"
    if by == "_key":
        return f"ORDER BY _key {direction}"
    last = f"CASE WHEN {column} IS NULL THEN _key END, _key DESC" if descending else "_key"
    return f"ORDER BY {column} {direction} NULLS LAST, {last}"


def filled(statement: str, parts: dict[str, str]) -> str:
    sql = _SQL[statement]
    for mark, text in parts.items():
        sql = sql.replace(mark, text)
    return sql
