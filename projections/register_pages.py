"""What a workflow's register says: now, as of a time, or as it was known at one.

Without moments a query reads the rows that hold now by an index of their own. With moments it asks
which rows hold there (``projections.timeline``): no event is replayed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from engine.errors import BadInput
from projections.cases import case
from projections.moments import known_position, occurred_by
from projections.register import index_of, is_sorted_by, table_of
from projections.store import Tables, from_json, quote, read_sql
from projections.timeline import SYSTEM

Row = tuple[Any, ...]
Comparison = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "missing", "withheld", "present"]

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

_MANY = 20
"""So many times the rows of a page are many: the first of them are soon met on any way."""

COUNTED = 10_000
"""Cases are counted up to so many, or to the end of the page if it comes later."""

_JSON_TYPES = ("list", "document")
_WITHHELD = "(_withheld IS NOT NULL AND _withheld LIKE {pattern} ESCAPE '\\')"


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a register: its type in the grammar's words, and how to head it."""

    name: str
    type: str
    title: str
    currency: str | None
    unit: str


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on a column: a field, or ``key``, ``state``, ``version``, ``definition``.

    A field goes before what the case itself has by the same name; that is ``_state``, then. Values
    compare as the column does: text with text, numbers and amounts of money with numbers.
    """

    column: str
    comparison: Comparison = "="
    value: Any = None


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as its register has it at some moment.

    ``data`` has the shape of the engine's own case: what is missing is absent, what is withheld is
    ``{"withheld": ground}``, money is ``{"amount", "currency"}``. ``position`` and ``version`` are
    those of the event that made it so; ``occurred_at`` is since when it is.
    """

    key: str
    state: str | None
    version: int
    definition_version: int
    position: int
    occurred_at: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """``total``: how many cases there are in all, or ``None`` for more than are counted: to count
    them takes longer than to find the first."""

    rows: list[CaseRow]
    total: int | None


def fields(tables: Tables, workflow: str) -> list[Field]:
    """The columns of a workflow's register: by version that brought them, then by name.

    Raises ``BadInput`` when no such workflow has been published.
    """
    if not tables.columns(table_of(workflow)):
        raise BadInput.one("", f"no workflow {workflow!r} has been published", "see: pmo list")
    return [Field(*row) for row in tables.run(_SQL["fields"], [workflow])]


def page(
    tables: Tables,
    workflow: str,
    *,
    as_of: str | None = None,
    known_at: str | None = None,
    where: Sequence[Where] = (),
    sort: str = "_key",
    descending: bool = False,
    limit: int = 100,
    offset: int = 0,
) -> Page:
    """Cases of a workflow, read in one moment.

    ``as_of`` and ``known_at`` are instants or dates (a date covers its whole day); without them it
    is what is known now, of all time. What is missing sorts last. Raises ``BadInput`` for a
    workflow or column that there is not.
    """
    table = table_of(workflow)
    with tables.snapshot():
        columns = fields(tables, workflow)
        by = _column(columns, sort)
        conditions = _conditions(columns, where)
        kinds = {field.name: field.type for field in columns}
        named = dict.fromkeys([by, *(condition.column for condition in conditions)])
        wanted = [name for name in named if is_sorted_by(name, kinds.get(name))]
        there = [name for name in wanted if tables.is_indexed(table, name)]
        find = _Finder(tables, table, columns, _moment(tables, as_of, known_at), conditions)
        most = max(COUNTED, offset + limit)
        keys = find.keys(most + 1, there)
        if len(keys) <= COUNTED and len(keys) < _MANY * limit:
            rows = find.among(keys, by, descending, limit, offset)
        else:
            rows = find.along(by, descending, limit, offset)
    tables.ask_for(table, [index_of(table, name) for name in wanted if name not in there])
    total = len(keys) if len(keys) <= most else None
    return Page([_case_row(columns, row) for row in rows], total)


def one(
    tables: Tables, key: str, *, as_of: str | None = None, known_at: str | None = None
) -> CaseRow | None:
    """One case as of a time and as known at one; ``None`` if there was nothing of it yet."""
    with tables.snapshot():
        known = case(tables, key)
        if known is None:
            return None
        columns = fields(tables, known["workflow"])
        moment = _moment(tables, as_of, known_at)
        sql = {
            "{columns}": _selected(columns),
            "{conditions}": f"_key = :key AND {moment.sql}",
            "{order}": "_key",
            "{table}": table_of(known["workflow"]),
        }
        given = moment.given | {"key": key, "limit": 1, "offset": 0}
        rows = tables.run(_filled("holding", sql), given)
    return _case_row(columns, rows[0]) if rows else None


@dataclass(frozen=True, slots=True)
class _Condition:
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
class _Finder:
    """Finds the rows of a page.

    Of many rows the first few are found by walking along the index of the column they are sorted
    by, and of few by looking for them and sorting; which it is depends on how many there are. A
    database cannot know that beforehand, so a condition that it must not look for is put into
    ``CASE``, which no index serves. What is looked for and sorted is keys: whole rows are read for
    the page alone.
    """

    tables: Tables
    table: str
    columns: list[Field]
    moment: _Moment
    conditions: list[_Condition]

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

    def _rarest(self, conditions: list[_Condition]) -> _Condition:
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
            "{columns}": _selected(self.columns),
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
        sql = _filled(statement, parts | {"{table}": self.table})
        return self.tables.run(sql, everything)


@dataclass(frozen=True, slots=True)
class _Moment:
    """``latest``: the order in which rows are looked at, where it matters."""

    sql: str
    given: dict[str, Any]
    latest: str = "ORDER BY _valid_from DESC"


def _moment(tables: Tables, as_of: str | None, known_at: str | None) -> _Moment:
    if as_of is None and known_at is None:
        return _Moment(NOW, {}, "")
    if known_at is None:
        return _Moment(_AS_OF, {"as_of": occurred_by(as_of)})
    known = known_position(tables, known_at)
    return _Moment(THEN, {"known": known, "as_of": occurred_by(as_of)})


def _conditions(columns: list[Field], where: Sequence[Where]) -> list[_Condition]:
    return [_condition(columns, item, str(number)) for number, item in enumerate(where)]


def _condition(columns: list[Field], item: Where, number: str) -> _Condition:
    name = _column(columns, item.column)
    column, value, pattern = quote(name), f"v{number}", f"w{number}"
    withheld = _WITHHELD.replace("{pattern}", f":{pattern}")
    named = {pattern: f'%"{_literal(name)}":%'}
    match item.comparison:
        case "withheld":
            return _Condition("_withheld", f"_withheld > '' AND {withheld}", named, True)
        case "missing":
            return _Condition(name, f"{column} IS NULL AND NOT {withheld}", named, True)
        case "present":
            return _Condition(name, f"{column} IS NOT NULL", {}, False)
        case "contains":
            part = {value: f"%{_literal(str(item.value))}%"}
            return _Condition(name, f"{column} LIKE :{value} ESCAPE '\\'", part, False)
        case sign:
            given = {value: item.value}
            return _Condition(name, f"{column} {sign} :{value}", given, sign != "!=")


def _selected(columns: list[Field]) -> str:
    return ", ".join([*SYSTEM, *(quote(field.name) for field in columns)])


def _literal(text: str) -> str:
    """``text`` as a part of a LIKE pattern that means just that."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _column(columns: list[Field], name: str) -> str:
    """The name of the column itself: a field goes before what the case has by the same name."""
    own = [field.name for field in columns]
    for candidate in (name, f"_{name}"):
        if candidate in own or candidate in SYSTEM:
            return candidate
    known = ", ".join([*own, "key", "state", "version", "definition"])
    raise BadInput.one("", f"no column {name!r}", f"the columns are: {known}")


def _filled(statement: str, parts: dict[str, str]) -> str:
    sql = _SQL[statement]
    for mark, text in parts.items():
        sql = sql.replace(mark, text)
    return sql


def _case_row(columns: list[Field], row: tuple[Any, ...]) -> CaseRow:
    system = dict(zip(SYSTEM, row, strict=False))
    withheld = from_json(system["_withheld"] or "{}")
    data = {}
    for field, value in zip(columns, row[len(SYSTEM) :], strict=True):
        if field.name in withheld:
            data[field.name] = {"withheld": withheld[field.name]}
        elif value is not None:
            data[field.name] = _value(field, value)
    return CaseRow(
        key=system["_key"],
        state=system["_state"],
        version=system["_version"],
        definition_version=system["_definition"],
        position=system["_position"],
        occurred_at=system["_valid_from"],
        data=data,
    )


def _value(field: Field, value: Any) -> Any:
    if field.type in _JSON_TYPES:
        return from_json(value)
    if isinstance(value, float):
        exact = str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
        if field.type == "money":
            return {"amount": exact, "currency": field.currency}
        return int(value) if value.is_integer() else value
    return value
