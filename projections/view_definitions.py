"""What a view is, and a metric: the grammar of their files, read with lines and columns.

A view answers one question with one SELECT over relations as they stood at the chosen moments
(``projections.relations``). A metric is one figure, or one for each group, and is defined once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Constrained

from engine.errors import BadInput, Problem
from engine.grammar import Listed, Maybe, Word
from engine.source import Source
from engine.validation import suggest, validate
from engine.yaml_source import read_yaml
from projections.select_text import Select

PROVIDED = ("as_of", "known", "known_at", "me", "my_roles", "now", "today")
"""Parameters that every view may use: the moments it is asked for, and by whom."""

Sql = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
ViewId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z][A-Za-z0-9.\-]{0,19}$"),
    Constrained(
        json_schema_extra={"patternErrorMessage": "start with a capital, like V1 or RISK-2"}
    ),
]
ParameterName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40),
    Constrained(
        json_schema_extra={"patternErrorMessage": "use small letters and underscores, like unit"}
    ),
]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Parameter(_File):
    """What may be asked for besides: ``pmo view NAME unit=transport``; ``of`` which words, or of
    which a column holds (``decision.state``), and of no others."""

    about: str = ""
    required: bool = False
    default: Maybe[str | int] = None
    type: Literal["text", "number", "date"] = "text"
    of: Listed[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = []


class Column(_File):
    """How a column is headed and shown; ``unit`` is a currency, ``%`` (of 1), or any word."""

    title: str = ""
    unit: str = ""
    about: str = ""


class Chart(_File):
    """How the rows could be drawn; whoever draws is free to draw a table."""

    type: Literal["bars", "line", "timeline", "matrix", "radar", "stepper"]
    x: ParameterName
    y: Listed[ParameterName]


class ViewFile(_File):
    id: ViewId
    title: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    about: Annotated[str, StringConstraints(min_length=1)]
    parameters: dict[ParameterName, Parameter] = {}
    columns: dict[ParameterName, Column] = {}
    chart: Maybe[Chart] = None
    restricted: bool = False
    readers: Listed[Word] = []
    sql: Sql


class MetricEntry(_File):
    id: Word
    version: Annotated[int, Constrained(ge=1, le=1_000_000)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    about: Annotated[str, StringConstraints(min_length=1)]
    view: Maybe[ViewId] = None
    unit: str = ""
    since: Maybe[Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")]] = None
    restricted: bool = False
    readers: Listed[Word] = []
    sql: Sql


class MetricsFile(_File):
    metrics: list[MetricEntry]


@dataclass(frozen=True, slots=True)
class Question:
    """A SELECT that somebody wrote, and where: what views and metrics have in common."""

    id: str
    name: str
    title: str
    about: str
    select: Select
    parameters: Mapping[str, Parameter]
    columns: Mapping[str, Column]
    readers: tuple[str, ...]
    file: str
    sql_line: int
    sql_column: int
    literal: tuple[str, ...]
    """The lines of the file from ``sql_line`` on, where the SQL stands in them as it is."""

    def where(self, offset: int | None = None) -> str:
        """``file:line:column`` of a place in the SQL; without one, of the SQL."""
        if offset is None or not self.literal:
            return f"{self.file}:{self.sql_line}:{self.sql_column}"
        before = self.select.text[:offset]
        row = before.count("\n")
        column = len(before) - (before.rfind("\n") + 1)
        said = self.select.text.split("\n")[row]
        indent = max(0, self.literal[row].find(said)) if row < len(self.literal) else 0
        return f"{self.file}:{self.sql_line + 1 + row}:{indent + column + 1}"


@dataclass(frozen=True, slots=True)
class View(Question):
    chart: Chart | None
    restricted: bool


@dataclass(frozen=True, slots=True)
class Metric(Question):
    """``view`` is the id of the view it belongs to; ``since`` the day from which it counts."""

    version: int
    unit: str
    view: str | None
    since: str
    restricted: bool


def load_view(text: str | bytes, file: str, name: str) -> View:
    """The view in ``text``. Raises ``BadInput`` with the ``file:line:column`` of every problem."""
    source = read_yaml(text, file)
    said = validate(ViewFile, source)
    view = View(
        name=name,
        chart=said.chart,
        columns=said.columns,
        parameters=said.parameters,
        **_question(said, source, text, ""),
    )
    _refuse([*_problems(view), *_reader_problems(said, source, "")])
    return view


def load_metrics(text: str | bytes, file: str) -> list[Metric]:
    """The metrics in ``text``, all versions. Raises ``BadInput`` with every problem."""
    source = read_yaml(text, file)
    said = validate(MetricsFile, source)
    metrics = [
        Metric(
            name=entry.id,
            version=entry.version,
            unit=entry.unit,
            view=entry.view,
            since=entry.since or "",
            columns={"value": Column(unit=entry.unit)},
            parameters={},
            **_question(entry, source, text, f"/metrics/{place}"),
        )
        for place, entry in enumerate(said.metrics)
    ]
    problems = [problem for metric in metrics for problem in _problems(metric)]
    seen: set[tuple[str, int]] = set()
    for place, entry in enumerate(said.metrics):
        pointer = f"/metrics/{place}"
        problems.extend(_reader_problems(entry, source, pointer))
        if (entry.id, entry.version) in seen:
            what = f"{entry.id} version {entry.version} is defined twice"
            problems.append(Problem(source.where(f"{pointer}/id"), what, "raise the version"))
        seen.add((entry.id, entry.version))
    _refuse(problems)
    return metrics


def _question(
    said: ViewFile | MetricEntry, source: Source, text: str | bytes, pointer: str
) -> dict[str, Any]:
    line, column = source.mark(f"{pointer}/sql")
    decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
    lines = decoded.splitlines()
    is_literal = lines[line - 1][column - 1 : column] == "|"
    return {
        "id": said.id,
        "title": said.title,
        "about": " ".join(said.about.split()),
        "select": Select(said.sql),
        "restricted": said.restricted,
        "readers": tuple(said.readers),
        "file": source.file,
        "sql_line": line,
        "sql_column": column,
        "literal": tuple(lines[line:]) if is_literal else (),
    }


def _problems(question: Question) -> Iterator[Problem]:
    select = question.select
    for fault in select.faults():
        yield Problem(question.where(fault.offset), fault.what, fault.mend)
    known = [*PROVIDED, *question.parameters]
    for token in select.parameters:
        if token.text[1:] not in known:
            what = f"there is no parameter {token.text}"
            yield Problem(question.where(token.offset), what, suggest(token.text[1:], known))


def _reader_problems(said: ViewFile | MetricEntry, source: Source, at: str) -> Iterator[Problem]:
    if said.restricted and not said.readers:
        where = source.where(f"{at}/restricted")
        yield Problem(where, "it is restricted to nobody", "name who may: readers: [auditor]")
    if said.readers and not said.restricted:
        where = source.where(f"{at}/readers")
        yield Problem(where, "it has readers and is open to all", "write restricted: true")


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise BadInput(found)


def in_force(metrics: Iterable[Metric], on: str) -> list[Metric]:
    """Of each metric the newest version that counted on a day, in the order of the file."""
    chosen: dict[str, Metric] = {}
    for metric in metrics:
        before = chosen.get(metric.id)
        if metric.since <= on and (before is None or before.version < metric.version):
            chosen[metric.id] = metric
    return list(chosen.values())


def read_parameters(
    question: Question,
    words: Mapping[str, str],
    choices: Callable[[Sequence[str]], Sequence[str] | None] = lambda of: of,
) -> dict[str, Any]:
    """What was asked for besides, as the SQL takes it; ``choices`` says which words a parameter is
    one of. Raises ``BadInput`` with every problem."""
    problems = [
        Problem(name, f"{question.name} has no parameter {name!r}",
                suggest(name, question.parameters))
        for name in words
        if name not in question.parameters
    ]  # fmt: skip
    values: dict[str, Any] = {}
    for name, parameter in question.parameters.items():
        word = words.get(name)
        if word is None:
            values[name] = parameter.default
            if parameter.required:
                problems.append(Problem(name, "is needed", f"write {name}=..., {parameter.about}"))
            continue
        if parameter.of and (known := choices(parameter.of)) and word not in known:
            problems.append(Problem(name, f"{word!r} is not a choice", suggest(word, known)))
            continue
        try:
            values[name] = _value(parameter, word)
        except ValueError:
            what = f"{word!r} is not a {parameter.type}"
            problems.append(Problem(name, what, _WRITTEN[parameter.type]))
    _refuse(problems)
    return values


_WRITTEN = {"number": "write it like 3 or 2.5", "date": "write it as 2026-12-31"}


def _value(parameter: Parameter, word: str) -> str | int | float:
    match parameter.type:
        case "number":
            number = float(word)
            if not isfinite(number):
                raise ValueError(word)
            return int(number) if number.is_integer() else number
        case "date":
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", word):
                raise ValueError(word)
            date.fromisoformat(word)
    return word
