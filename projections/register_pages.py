"""What a workflow's register says: now, as of a time, or as it was known at one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from engine.errors import BadInput
from projections.cases import case
from projections.finding import Condition, Finder, Order, filled, moment_of
from projections.register import index_of, is_sorted_by, table_of
from projections.store import Tables, from_json, quote, read_sql
from projections.timeline import SYSTEM

Comparison = Literal["=", "!=", "<", "<=", ">", ">=", "contains", "missing", "withheld", "present"]

_SQL = read_sql("register.sql")
_MANY = 20
"""So many times the rows of a page are many: the first of them are soon met on any way."""

_OFTEN = 0.2
"""Where fewer cases meet the conditions, it takes long to find as many as are counted. As many more
are taken along, since then these may be all, and nobody has to look for them again."""

COUNTED = 10_000
"""Cases are counted up to so many, or to as many as are asked for if that is more."""

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
    those of the event that made it so; ``occurred_at`` is since when it is, and ``known_from`` the
    position from which on it is known so: a later one, where a fact or a correction came late.
    """

    key: str
    state: str | None
    version: int
    definition_version: int
    position: int
    known_from: int
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
    after: str | None = None,
) -> Page:
    """Cases of a workflow, read in one moment.

    ``as_of`` and ``known_at`` are instants or dates (a date covers its whole day); without them it
    is what is known now, of all time. What is missing sorts last. ``after``: only what comes after
    the case with this key, which may be anywhere in the register: so the page after another begins
    where that ends, however far behind the first it is. Raises ``BadInput`` for a workflow, column
    or case that there is not.
    """
    table = table_of(workflow)
    with tables.snapshot():
        columns = fields(tables, workflow)
        by = _column(columns, sort)
        conditions = _conditions(columns, where)
        kinds = {field.name: field.type for field in columns}
        named = dict.fromkeys([by, *(condition.column for condition in conditions)])
        wanted = [name for name in named if is_sorted_by(name, kinds.get(name))]
        there = [name for name in wanted if tables.is_indexed(table, index_of(table, name))]
        moment = moment_of(tables, table, as_of, known_at)
        find = Finder(tables, table, _names(columns), moment, conditions)
        order = Order(by, descending, _place(find, by, after))
        most = max(COUNTED, limit)
        ordered = [*there, "_key"]
        leading = find.leading([*ordered, "_state"] if moment.is_now else ordered)
        share = find.share()
        is_told = by == "_key" or (leading is None and tables.holds and by in wanted)
        taken = 2 * most if is_told and share < _OFTEN else most
        # Where many meet the conditions there are mostly more than are counted: no key is needed.
        are_many = share >= _OFTEN and find.are_more(most, leading)
        told = f"_key, {quote(by)}" if is_told else "_key"
        found = [] if are_many else find.first(taken + 1, told, leading)
        total = None if are_many or len(found) > most else len(found)
        if is_told and not are_many and len(found) <= taken:
            rows = find.among(order.first(found, limit), order, limit)
        elif total is not None and total < min(COUNTED, _MANY * limit):
            rows = find.among([key for (key,) in found], order, limit)
        elif by in ordered and find.is_near(by, limit, share):
            rows = find.along(order, limit)
        else:
            rows = find.all_sorted(order, limit)
    lacking = [index_of(table, name) for name in wanted if name not in there]
    tables.ask_for(table, [*lacking, *moment.lacking])
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
        table = table_of(known["workflow"])
        moment = moment_of(tables, table, as_of, known_at)
        sql = {
            "{columns}": ", ".join(map(quote, _names(columns))),
            "{conditions}": f"_key = :key AND {moment.sql}",
            "{table}": table,
        }
        rows = tables.run(filled("holding", sql), moment.given | {"key": key})
    return _case_row(columns, rows[0]) if rows else None


def _place(find: Finder, by: str, key: str | None) -> tuple[Any, str] | None:
    if key is None:
        return None
    if (row := find.value(by, key)) is None:
        raise BadInput.one("", f"there is no case {key!r}", "go on after one that was listed")
    return row[0], key


def _conditions(columns: list[Field], where: Sequence[Where]) -> list[Condition]:
    return [_condition(columns, item, str(number)) for number, item in enumerate(where)]


def _condition(columns: list[Field], item: Where, number: str) -> Condition:
    name = _column(columns, item.column)
    column, value, pattern = quote(name), f"v{number}", f"w{number}"
    withheld = _WITHHELD.replace("{pattern}", f":{pattern}")
    named = {pattern: f'%"{_literal(name)}":%'}
    match item.comparison:
        case "withheld":
            return Condition("_withheld", f"_withheld > '' AND {withheld}", named, True)
        case "missing":
            return Condition(name, f"{column} IS NULL AND NOT {withheld}", named, True)
        case "present":
            return Condition(name, f"{column} IS NOT NULL", {}, False)
        case "contains":
            part = {value: f"%{_literal(str(item.value))}%"}
            return Condition(name, f"{column} LIKE :{value} ESCAPE '\\'", part, False)
        case sign:
            given = {value: item.value}
            return Condition(name, f"{column} {sign} :{value}", given, sign != "!=")


def _names(columns: list[Field]) -> list[str]:
    return [*SYSTEM, *(field.name for field in columns)]


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
        known_from=system["_known_from"],
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
