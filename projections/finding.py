"""How the rows of a page are found in a register, among those of every moment.

Without moments a query reads the rows that hold now by an index of their own. With moments it asks
which rows hold there (``projections.timeline``): no event is replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from projections.moments import known_position, occurred_by
from projections.store import Tables, quote, read_sql

Row = tuple[Any, ...]

_SQL = read_sql("register.sql")
NOW = "_next_known IS NULL AND _known_to IS NULL"
THEN = (
    "_known_from <= :known AND (_known_to IS NULL OR :known < _known_to)"
    " AND _valid_from <= :as_of"
    " AND (_next_known IS NULL OR :known < _next_known OR :as_of < _next_valid)"
)
_AS_OF = (
    "_known_to IS NULL AND _valid_from <= :as_of AND (_next_valid IS NULL OR :as_of < _next_valid)"
)
"""As ``THEN``, where everything that is recorded is known."""


@dataclass(frozen=True, slots=True)
class Moment:
    """``latest``: the order in which rows are looked at, where it matters."""

    sql: str
    given: dict[str, Any]
    latest: str = "ORDER BY _valid_from DESC"


def moment_of(tables: Tables, as_of: str | None, known_at: str | None) -> Moment:
    if as_of is None and known_at is None:
        return Moment(NOW, {}, "")
    if known_at is None:
        return Moment(_AS_OF, {"as_of": occurred_by(as_of)})
    known = known_position(tables, known_at)
    return Moment(THEN, {"known": known, "as_of": occurred_by(as_of)})


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

    Of many rows the first few are found by walking along the index of the column they are sorted
    by, and of few by looking for them and sorting; which it is depends on how many there are. A
    database cannot know that beforehand, so a condition that it must not look for is put into
    ``CASE``, which no index serves. What is looked for and sorted is keys: whole rows are read for
    the page alone.
    """

    tables: Tables
    table: str
    columns: Sequence[str]
    moment: Moment
    conditions: list[Condition]

    def keys(self, most: int, indexed: Collection[str]) -> list[str]:
        """The keys of the cases there are, up to so many.

        Of the conditions that an index serves, the one that fewest rows meet leads to them.
        Without one they are met soonest from the day backwards: what changed long before it has
        mostly changed again.
        """
        served = [c for c in self.conditions if c.found and c.column in indexed]
        first = self._rarest(served) if served else None
        told = [c.apart if first and c is not first else c.sql for c in self.conditions]
        moment = _apart(self.moment.sql) if first else self.moment.sql
        latest = "" if first else self.moment.latest
        parts = {"{conditions}": " AND ".join([moment, *told]), "{order}": latest}
        return [key for (key,) in self._run("keys", parts, {"most": most})]

    def _rarest(self, conditions: list[Condition]) -> Condition:
        """The one that fewest of some rows meet."""
        if len(conditions) == 1:
            return conditions[0]
        met = ", ".join(f"count(CASE WHEN {c.sql} THEN 1 END)" for c in conditions)
        parts = {"{met}": met, "{moment}": self.moment.sql, "{order}": self.moment.latest}
        (counts,) = self._run("sample", parts)
        return conditions[counts.index(min(counts))]

    def among(
        self, keys: list[str], by: str, descending: bool, limit: int, offset: int
    ) -> list[Row]:
        """Rows of these cases ``by`` a column, what is missing last, then by key."""
        given = {f"k{number}": key for number, key in enumerate(keys)}
        chosen = f"_key IN ({', '.join(f':{name}' for name in given) or 'NULL'})"
        column, direction = quote(by), "DESC" if descending else "ASC"
        last = f"CASE WHEN {column} IS NULL THEN _key END, _key {direction}"
        order = f"{column} IS NULL, {column} {direction}, {last}"
        return self._rows([_apart(self.moment.sql), chosen], order, limit, offset, given)

    def along(self, by: str, descending: bool, limit: int, offset: int) -> list[Row]:
        """As ``among``, of all that meet the conditions."""
        column, direction = quote(by), "DESC" if descending else "ASC"
        walked = [self.moment.sql, *(condition.apart for condition in self.conditions)]
        if by == "_key":
            return self._rows(walked, f"_key {direction}", limit, offset)
        there, missing = [*walked, f"{column} IS NOT NULL"], [*walked, f"{column} IS NULL"]
        rows = self._rows(there, f"{column} {direction}, _key {direction}", limit, offset)
        if len(rows) < limit:
            skipped = max(0, offset - self._count(there)) if offset else 0
            rows += self._rows(missing, "_key", limit - len(rows), skipped)
        return rows

    def _count(self, conditions: list[str]) -> int:
        ((count,),) = self._run("count", {"{conditions}": " AND ".join(conditions)})
        return int(count)

    def _rows(
        self,
        conditions: list[str],
        order: str,
        limit: int,
        offset: int,
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Row]:
        parts = {
            "{columns}": ", ".join(map(quote, self.columns)),
            "{holds}": _apart(self.moment.sql),
            "{conditions}": " AND ".join(conditions),
            "{order}": order,
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


def filled(statement: str, parts: dict[str, str]) -> str:
    sql = _SQL[statement]
    for mark, text in parts.items():
        sql = sql.replace(mark, text)
    return sql
