"""What a workflow's register says: now, as of a time, or as it was known at one.

Without moments a query reads the rows that hold now by an index of their own. With moments it asks
which rows hold there (``projections.timeline``): no event is replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from engine.errors import BadInput
from projections.cases import case
from projections.moments import known_position, occurred_by
from projections.register import index_of, is_sorted_by, table_of
from projections.store import Tables, from_json, quote, read_sql
from projections.timeline import SYSTEM

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
    rows: list[CaseRow]
    total: int


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
    """Cases of a workflow, and how many there are in all, read in one moment.

    ``as_of`` and ``known_at`` are instants or dates (a date covers its whole day); without them it
    is what is known now, of all time. What is missing sorts last. Raises ``BadInput`` for a
    workflow or column that there is not.
    """
    _ask_for_indexes(tables, workflow, [sort, *[item.column for item in where]])
    with tables.snapshot():
        columns = fields(tables, workflow)
        moment = _moment(tables, as_of, known_at)
        conditions, given = _conditions(columns, where)
        given |= moment.given
        parts = {
            "{columns}": ", ".join([*SYSTEM, *(quote(field.name) for field in columns)]),
            "{table}": table_of(workflow),
        }
        find = _Finder(tables, parts, [moment.condition], conditions, given)
        total = find.count()
        by = _column(columns, sort)
        rows = find.rows(by, descending, limit, offset, total)
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
            "{columns}": ", ".join([*SYSTEM, *(quote(field.name) for field in columns)]),
            "{conditions}": f"_key = :key AND {moment.condition}",
            "{order}": "_key",
            "{table}": table_of(known["workflow"]),
        }
        given = moment.given | {"key": key, "limit": 1, "offset": 0}
        rows = tables.run(_filled("holding", sql), given)
    return _case_row(columns, rows[0]) if rows else None


def _ask_for_indexes(tables: Tables, workflow: str, columns: Sequence[str]) -> None:
    table = table_of(workflow)
    for field in fields(tables, workflow):
        if field.name in columns and is_sorted_by(field.name, field.type):
            tables.ask_for(table, field.name, index_of(table, field.name))


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the rows of a page.

    Of many rows the first few are found by walking along the index of the column they are sorted
    by, and of few by looking for them and sorting; which it is depends on how many there are. A
    database cannot know that beforehand, so a condition that it must not look for is put into
    ``CASE``, which no index serves.
    """

    tables: Tables
    parts: dict[str, str]
    moment: list[str]
    conditions: list[str]
    given: dict[str, Any]

    def count(self, *more: str) -> int:
        sql = self._filled("count", [*self.moment, *self.conditions, *more], "")
        return int(self.tables.run(sql, self.given)[0][0])

    def rows(
        self, by: str, descending: bool, limit: int, offset: int, total: int
    ) -> list[tuple[Any, ...]]:
        """Those ``by`` a column, what is missing last, then by key."""
        direction = "DESC" if descending else "ASC"
        if by == '"_key"':
            return self._run(self.conditions, f"_key {direction}", limit, offset)
        last = f"CASE WHEN {by} IS NULL THEN _key END, _key {direction}"
        if total < _MANY * (limit + offset):
            order = f"{by} IS NULL, {by} {direction}, {last}"
            return self._run(self.conditions, order, limit, offset)
        walked = [f"CASE WHEN {condition} THEN 1 END = 1" for condition in self.conditions]
        there, missing = f"{by} IS NOT NULL", f"{by} IS NULL"
        rows = self._run([*walked, there], f"{by} {direction}, _key {direction}", limit, offset)
        if len(rows) < limit:
            before = self.count(there) if offset else 0
            skipped = max(0, offset - before)
            rows += self._run([*walked, missing], "_key", limit - len(rows), skipped)
        return rows

    def _run(
        self, conditions: list[str], order: str, limit: int, offset: int
    ) -> list[tuple[Any, ...]]:
        sql = self._filled("holding", [*self.moment, *conditions], order)
        return self.tables.run(sql, self.given | {"limit": limit, "offset": offset})

    def _filled(self, statement: str, conditions: list[str], order: str) -> str:
        # Counting keys, the present is read from its own, smaller indexes, which hold the key.
        counted = "_key" if NOW in self.moment else "*"
        told = {"{conditions}": " AND ".join(conditions), "{order}": order, "{counted}": counted}
        return _filled(statement, self.parts | told)


@dataclass(frozen=True, slots=True)
class _Moment:
    condition: str
    given: dict[str, Any]


def _moment(tables: Tables, as_of: str | None, known_at: str | None) -> _Moment:
    if as_of is None and known_at is None:
        return _Moment(NOW, {})
    if known_at is None:
        return _Moment(_AS_OF, {"as_of": occurred_by(as_of)})
    known = known_position(tables, known_at)
    return _Moment(THEN, {"known": known, "as_of": occurred_by(as_of)})


def _conditions(columns: list[Field], where: Sequence[Where]) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    given: dict[str, Any] = {}
    for number, item in enumerate(where):
        column = _column(columns, item.column)
        withheld = _WITHHELD.replace("{pattern}", f":w{number}")
        named = f'%"{_literal(item.column)}":%'
        match item.comparison:
            case "withheld":
                conditions.append(withheld)
                given[f"w{number}"] = named
            case "missing":
                conditions.append(f"{column} IS NULL AND NOT {withheld}")
                given[f"w{number}"] = named
            case "present":
                conditions.append(f"{column} IS NOT NULL")
            case "contains":
                conditions.append(f"{column} LIKE :v{number} ESCAPE '\\'")
                given[f"v{number}"] = f"%{_literal(str(item.value))}%"
            case comparison:
                conditions.append(f"{column} {comparison} :v{number}")
                given[f"v{number}"] = item.value
    return conditions, given


def _literal(text: str) -> str:
    """``text`` as a part of a LIKE pattern that means just that."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _column(columns: list[Field], name: str) -> str:
    own = [field.name for field in columns]
    for candidate in (name, f"_{name}"):
        if candidate in own or candidate in SYSTEM:
            return quote(candidate)
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
