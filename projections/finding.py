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
from heapq import nlargest, nsmallest
from types import MappingProxyType
from typing import Any

from projections.moments import known_position, last_position, occurred_by
from projections.register import LOT, index_of_learnt
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
_KNOWN = "_known_from <= :known AND (_known_to IS NULL OR :known < _known_to)"
_UNLEARNT = f"{_END} <= :as_of AND _next_known > :known AND {_KNOWN}"
"""What has ended by the day, which nobody knew yet; no row begins after it ends."""
_LEARNT = f"_known_from / {{lot}} = _lot AND {_UNLEARNT.replace(_END, '_next_valid')}"
"""As ``_UNLEARNT``, in the index that tells in which lot of positions rows became known, and then
when their end did."""
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
class Order:
    """By a column, what is missing last, then by key; of it, what comes ``after`` the case with
    this value and this key."""

    by: str
    descending: bool
    after: tuple[Any, str] | None = None

    @property
    def sql(self) -> str:
        column, direction = quote(self.by), "DESC" if self.descending else "ASC"
        if self.by == "_key":
            return f"ORDER BY _key {direction}"
        last = f"CASE WHEN {column} IS NULL THEN _key END, _key DESC" if self.descending else "_key"
        return f"ORDER BY {column} {direction} NULLS LAST, {last}"

    @property
    def of_index(self) -> str:
        """As ``sql``, where nothing is missing: as an index of the column has it."""
        direction = "DESC" if self.descending else "ASC"
        return f"ORDER BY {quote(self.by)} {direction}, _key {direction}"

    @property
    def given(self) -> dict[str, Any]:
        return {"value": self.after[0], "after": self.after[1]} if self.after else {}

    @property
    def behind(self) -> list[str]:
        """What comes after the case, whether it has a value or not."""
        if not self.after or self.by == "_key":
            return self.there
        if self.after[0] is None:
            return self.missing
        return [f"({self.there[-1]} OR {quote(self.by)} IS NULL)"]

    @property
    def there(self) -> list[str]:
        """What comes after the case and has a value."""
        column, sign = quote(self.by), "<" if self.descending else ">"
        if not self.after:
            return []
        if self.by == "_key":
            return [f"_key {sign} :after"]
        return [f"({column}, _key) {sign} (:value, :after)"]

    @property
    def missing(self) -> list[str]:
        """What comes after the case and has none."""
        lacks = f"{quote(self.by)} IS NULL"
        return [lacks, "_key > :after"] if self.after and self.after[0] is None else [lacks]

    def first(self, told: Sequence[Row], limit: int) -> list[str]:
        """Of keys with their values the first so many keys in this order."""
        there = [(value, key) for key, value in told if value is not None]
        missing = [key for key, value in told if value is None]
        if self.after:
            value, key = self.after
            if value is None:
                there, missing = [], [each for each in missing if each > key]
            elif self.descending:
                there = [each for each in there if each < self.after]
            else:
                there = [each for each in there if each > self.after]
        chosen = (nlargest if self.descending else nsmallest)(limit, there)
        return [*(key for _, key in chosen), *nsmallest(limit - len(chosen), missing)]


@dataclass(frozen=True, slots=True)
class Way:
    """To all rows that hold at a moment: where they are looked for, by what they are told, and in
    which order, where it matters. ``beside``: another, to those that lie elsewhere."""

    rows: str
    sql: str
    order: str = ""
    beside: Way | None = None

    def to(self, *conditions: str) -> Way:
        """To those of them, in any order, that meet these conditions as well."""
        sql = " AND ".join([self.sql, *conditions])
        return Way(self.rows, sql, "", self.beside and self.beside.to(*conditions))

    def select(self, columns: str) -> str:
        sql = f"SELECT {columns} FROM {self.rows} WHERE {self.sql} {self.order}"
        return f"{sql} UNION ALL {self.beside.select(columns)}" if self.beside else sql


@dataclass(frozen=True, slots=True)
class Moment:
    """``sql``: whether a row holds. ``way``: to all that do. ``lacking``: indexes with which it
    would be shorter."""

    sql: str
    given: dict[str, Any]
    way: Way
    lacking: Sequence[str] = ()

    @property
    def is_now(self) -> bool:
        return self.sql is NOW


def moment_of(tables: Tables, table: str, as_of: str | None, known_at: str | None) -> Moment:
    """Of a register. Where nothing was recorded since, as it was known is as it is known."""
    given: dict[str, Any] = {"as_of": occurred_by(as_of)}
    held = f"{_END} = :as_of" if as_of is None else f"{_END} > :as_of"
    if known_at is not None:
        given["known"] = known_position(tables, known_at)
        if given["known"] < last_position(tables):
            if not tables.holds:
                return Moment(THEN, given, Way(_TABLE, THEN, _BACKWARDS))
            index = index_of_learnt(table)
            is_there = tables.is_indexed(table, index)
            ended = Way(_SQL["lots"], _LEARNT) if is_there else _by_month(_UNLEARNT)
            way = _by_month(f"{held} AND {_KNOWN} AND _valid_from <= :as_of", ended)
            return Moment(THEN, given, way, () if is_there else (index,))
    if as_of is None:
        now = f"{held} AND {NOW}"
        return Moment(NOW, given, _by_month(now) if tables.holds else Way(_TABLE, NOW))
    then = f"{held} AND {_BEGUN}"
    return Moment(
        _AS_OF, given, _by_month(then) if tables.holds else Way(_TABLE, _AS_OF, _BACKWARDS)
    )


_TABLE = "${table}"
_BACKWARDS = "ORDER BY _valid_from DESC"
"""What changed long before a day has mostly changed again."""


def _by_month(holds: str, beside: Way | None = None) -> Way:
    """From the month of the day backwards. Of each month the index tells those first that have not
    ended, so that no others are met where the end is asked for."""
    return Way(_SQL["months"], f"substr(_valid_from, 1, 7) = _month AND {holds}", "", beside)


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
    return f"({sql}) IS TRUE"


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds the rows of a page.

    Few rows are looked for and sorted. Of many, the first are found by walking along the index of
    the column they are sorted by, or, where that takes longer, by sorting all that hold. Which it
    is depends on how many there are. A database cannot know that beforehand, so a condition that
    it must not look for is asked whether it is TRUE, which no index serves. What is looked for and
    sorted is keys: whole rows are read for the page alone.
    """

    tables: Tables
    table: str
    columns: Sequence[str]
    moment: Moment
    conditions: list[Condition]

    def first(self, most: int, columns: str, leading: Condition | None) -> list[Row]:
        """These columns of the cases there are, up to so many."""
        return self._run("first", self._first(leading).select(columns), {"most": most})

    def are_more(self, most: int, leading: Condition | None) -> bool:
        """Whether there are more cases than so many: they are counted, which takes two thirds of
        bringing them here."""
        ((count,),) = self._run("count", self._first(leading).select("1"), {"most": most + 1})
        return bool(count > most)

    def _first(self, leading: Condition | None) -> Way:
        way = self._way
        if leading:
            # The states of now have an index of their own; others have the rows of all moments.
            holds = self.moment.sql if leading.column == "_state" else _apart(self.moment.sql)
            rest = [c.apart for c in self.conditions if c is not leading]
            way = Way(_TABLE, holds).to(leading.sql, *rest)
        return way

    @property
    def _way(self) -> Way:
        """To all that hold and meet the conditions. Which index leads there is not left to the
        database where one does."""
        way, held = self.moment.way, self.tables.holds
        told = [c.apart if held else c.sql for c in self.conditions]
        return replace(way.to(*told), order=way.order)

    def leading(self, indexed: Collection[str]) -> Condition | None:
        """Of the conditions that an index serves the one that fewest of some rows meet, if it is a
        shorter way than that to all."""
        served = [c for c in self.conditions if c.found and c.column in indexed]
        if not served or (len(served) == 1 and not self.tables.holds):
            return served[0] if served else None
        counts = self._sample([c.sql for c in served])
        leading = served[counts.index(min(counts))]
        # Where it is all that is asked of those that hold now, the index of their states is enough.
        is_all = self.moment.is_now and self.conditions == [leading] and leading.column == "_state"
        return leading if is_all or min(counts) <= _RARE or not self.tables.holds else None

    def _sample(self, asked: Sequence[str]) -> list[int]:
        """Of some rows, how many meet each of what is asked: as of a day, of those that began last
        before it; else of those that hold now, the first by key."""
        some = self.moment.way if self.moment.sql is _AS_OF else Way(_TABLE, NOW)
        met = ", ".join(f"count(CASE WHEN {sql} THEN 1 END)" for sql in asked)
        return [
            *self._run("sample", some.select("${table}.*"), {"some": _SAMPLE}, {"{met}": met})[0]
        ]

    def share(self) -> float:
        """How much of what holds meets the conditions, by a sample."""
        if not self.conditions:
            return 1
        (met,) = self._sample([" AND ".join(condition.sql for condition in self.conditions)])
        return met / _SAMPLE

    def is_near(self, by: str, limit: int, share: float) -> bool:
        """Whether a walk along the index of a column comes to the page's end before all that hold
        are sorted."""
        is_read_alone = by == "_key" and self.moment.is_now and not self.conditions
        if is_read_alone or not self.tables.holds:
            return True
        each = 1 if by != "_key" or self.moment.is_now else _OF_A_CASE
        return limit * each <= _WALKED * share

    def value(self, column: str, key: str) -> Any | None:
        """What a case has in the column at the moment, in a row; ``None`` if there is no such."""
        parts = {"{columns}": quote(column), "{conditions}": f"_key = :key AND {self.moment.sql}"}
        rows = self._run("holding", "", {"key": key}, parts)
        return rows[0] if rows else None

    def among(self, keys: Sequence[str], order: Order, limit: int) -> list[Row]:
        """Rows of these cases."""
        given = {f"k{number}": key for number, key in enumerate(keys)}
        chosen = f"_key IN ({', '.join(f':{name}' for name in given) or 'NULL'})"
        way = Way(_TABLE, _apart(self.moment.sql)).to(chosen, *order.behind)
        return self._rows(way, order, order.sql, limit, given)

    def all_sorted(self, order: Order, limit: int) -> list[Row]:
        """As ``among``, of all that meet the conditions."""
        return self._rows(self._way.to(*map(_apart, order.behind)), order, order.sql, limit)

    def along(self, order: Order, limit: int) -> list[Row]:
        """As ``all_sorted``, if the column has an index."""
        way = Way(_TABLE, self.moment.sql).to(*(condition.apart for condition in self.conditions))
        if order.by == "_key":
            return self._rows(way.to(*order.there), order, order.sql, limit)
        rows: list[Row] = []
        if not order.after or order.after[0] is not None:
            there = way.to(f"{quote(order.by)} IS NOT NULL", *order.there)
            rows = self._rows(there, order, order.of_index, limit)
        if len(rows) < limit:
            missing = way.to(*order.missing)
            rows += self._rows(missing, order, "ORDER BY _key", limit - len(rows))
        return rows

    def _rows(
        self,
        way: Way,
        order: Order,
        arranged: str,
        limit: int,
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Row]:
        parts = {
            "{columns}": ", ".join(map(quote, self.columns)),
            "{holds}": _apart(self.moment.sql),
            "{order}": arranged,
        }
        told = "_key" if order.by == "_key" else f"_key, {quote(order.by)}"
        return self._run("page", way.select(told), {"limit": limit, **order.given, **given}, parts)

    def _run(
        self,
        statement: str,
        way: str,
        given: dict[str, Any],
        parts: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Row]:
        everything = given | self.moment.given
        for condition in self.conditions:
            everything |= condition.given
        sql = filled(statement, {"{way}": way, **parts, "{table}": self.table, "{lot}": f"{LOT}"})
        return self.tables.run(sql, everything)


def filled(statement: str, parts: dict[str, str]) -> str:
    sql = _SQL[statement]
    for mark, text in parts.items():
        sql = sql.replace(mark, text)
    return sql
