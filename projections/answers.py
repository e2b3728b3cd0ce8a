"""What a view or a metric answers at the chosen moments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import BadInput, NotFound, Problem
from projections.relations import Relations
from projections.store import Tables, Unfit, from_json
from projections.view_definitions import Column, Metric, Question

_WITHHELD = "withheld"
_GROUND = "_withheld"
_NAMED = re.compile(r"""(?:no such \w+|ambiguous column name|near|function):? "?(?:\w+\.)?(\w+)""")
_COLUMN = re.compile(r"no such column: (?:\w+\.)?(\w+)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A column of an answer: its name, how to head it, and what its values are in."""

    name: str
    title: str
    unit: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows as the SELECT arranged them; ``more`` if there are others after them.

    A value is a number, text, or a list; ``None`` where it is missing, ``{"withheld": ground}``
    where it is kept back. Neither is zero.
    """

    columns: tuple[Shown, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric's value for one group; ``group`` is empty where there are none. What a part of it is
    not known to be is ``None``, and ``{"withheld": ground}`` where it is kept back."""

    group: tuple[str | dict[str, str] | None, ...]
    value: Any


def ask(
    tables: Tables,
    relations: Relations,
    question: Question,
    parameters: Mapping[str, Any],
    most: int,
) -> Answer:
    """Run it. Raises ``NotFound`` where a workflow it needs is not published, ``BadInput`` with the
    place in the file where it names what is not there.
    """
    with tables.snapshot():
        if missing := relations.missing(question.select):
            raise _unpublished(question, missing)
        sql = relations.statement(question.select)
        try:
            names, rows = tables.select(sql, relations.given() | dict(parameters), most + 1)
        except Unfit as error:
            raise BadInput([_explained(question, relations, str(error))]) from None
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        what = f"two columns are called {twice[0]}"
        raise BadInput.one(question.where(), what, "name one of them anew: AS another_name")
    return _answer(question, relations, names, rows[:most], len(rows) > most)


def figures(tables: Tables, relations: Relations, metric: Metric) -> list[Figure]:
    """What a metric says: one figure, or one for each group. Raises as ``ask`` does."""
    answer = ask(tables, relations, metric, {}, 10_000)
    names = [column.name for column in answer.columns]
    if len(names) == 1:
        return [Figure((), row[0]) for row in answer.rows] or [Figure((), None)]
    if "value" not in names:
        what = "no column is called value"
        raise BadInput.one(metric.where(), what, "name the figure: AS value")
    place = names.index("value")
    return [
        Figure(tuple(map(_part, row[:place] + row[place + 1 :])), row[place]) for row in answer.rows
    ]


def _part(value: Any) -> Any:
    return value if value is None or isinstance(value, dict) else str(value)


def _answer(
    question: Question,
    relations: Relations,
    names: list[str],
    rows: Sequence[tuple[Any, ...]],
    more: bool,
) -> Answer:
    grounds = {
        name: names.index(f"{name}{_GROUND}") for name in names if f"{name}{_GROUND}" in names
    }
    hidden = {_WITHHELD, *(f"{name}{_GROUND}" for name in grounds)}
    places = [place for place, name in enumerate(names) if name not in hidden]
    all_grounds = names.index(_WITHHELD) if _WITHHELD in names else None
    lists, currencies = _kinds(question, relations)

    def shown(row: tuple[Any, ...]) -> tuple[Any, ...]:
        kept_back = from_json((all_grounds is not None and row[all_grounds]) or "{}")
        return tuple(value(row, place, kept_back) for place in places)

    def value(row: tuple[Any, ...], place: int, kept_back: Mapping[str, str]) -> Any:
        name, said = names[place], row[place]
        if said is None:
            ground = row[grounds[name]] if name in grounds else kept_back.get(name)
            return None if ground is None else {"withheld": ground}
        if isinstance(said, float) and said.is_integer():
            return int(said)
        if name in lists and isinstance(said, str) and said[:1] in "[{":
            return from_json(said)
        return said

    columns = []
    for place in places:
        name = names[place]
        declared = question.columns.get(name, Column())
        unit = declared.unit or currencies.get(name, "")
        columns.append(Shown(name, declared.title or name.replace("_", " "), unit))
    return Answer(tuple(columns), tuple(map(shown, rows)), more)


def _kinds(question: Question, relations: Relations) -> tuple[set[str], dict[str, str]]:
    """The fields that hold lists or documents, and the currencies of those that hold money.

    By name: where two of the workflows disagree about a name, nothing is known of it.
    """
    lists: set[str] = set()
    currencies: dict[str, str] = {}
    disputed: set[str] = set()
    for relation in {name for token in question.select.relations if (name := token.name)}:
        for field in relations.fields(relation):
            if field.type in ("list", "document"):
                lists.add(field.name)
            currency = field.currency or ""
            if currencies.setdefault(field.name, currency) != currency:
                disputed.add(field.name)
    return lists, {name: c for name, c in currencies.items() if name not in disputed}


def _unpublished(question: Question, missing: Sequence[str]) -> NotFound:
    named = " and ".join(missing) if len(missing) < 3 else ", ".join(missing)
    plural = len(missing) > 1
    dashed = re.search(rf"\b({re.escape(missing[0])}(?:-\w+)+)", question.select.text)
    mend = "publish it: pmo publish FILE; pmo workflows lists what is there"
    if dashed:
        mend = f"in SQL a dash is an underscore: {dashed[1].replace('-', '_')}"
    return NotFound.one(
        question.where(),
        f"{question.id} needs the workflow{'s' if plural else ''} {named},"
        f" which {'are' if plural else 'is'} not published",
        mend,
    )


def _explained(question: Question, relations: Relations, error: str) -> Problem:
    """The database's complaint, at the place of the name it complains about."""
    select = question.select
    named = _NAMED.search(error)
    offset, mend = None, ""
    if named:
        name = named[1].lower()
        offset = next((t.offset for t in select.tokens if t.name == name), None)
        if _COLUMN.search(error):
            relation_names = [n for t in select.relations if (n := t.name)]
            mend = relations.suggest(named[1], relation_names)
    what = re.sub(r"^no such", "there is no", error)
    return Problem(question.where(offset), f"{question.id}: {what}", mend)
