"""What a mapping file may say: which reports there are, how they read, what a difference means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic import Field as Constrained

from engine.clock import is_instant_or_date
from engine.definition import Definition
from engine.errors import BadInput, NotFound, Problem
from engine.grammar import DomainName, Listed, Maybe, Name, Word, WorkflowName
from engine.source import Source, escape
from engine.validation import suggest, validate
from engine.yaml_source import read_yaml

UNITS = {"one": 0, "thousand": 3, "million": 6, "billion": 9}
"""What figures of money count, as a power of ten."""

DATE_SIGNS = ("yyyy", "yy", "mm", "dd")


def _as_text(value: object) -> object:
    """``2014`` in YAML is a number, but the cell it is compared with is text."""
    return str(value) if type(value) is int else value


def _day(text: str) -> str:
    if len(text) != 10 or not is_instant_or_date(text):
        raise ValueError(f"{text!r} is not a date: write it as 2026-03-31")
    return text


def _date_format(text: str) -> str:
    years = text.count("yyyy") + text.replace("yyyy", "").count("yy")
    if (years, text.count("mm"), text.count("dd")) != (1, 1, 1):
        raise ValueError(f"{text!r} is not a form of date: write it as dd/mm/yyyy or dd.mm.yy")
    return text


Pattern = Annotated[str, BeforeValidator(_as_text), StringConstraints(min_length=1, max_length=200)]
Day = Annotated[str, AfterValidator(_day)]
DateFormat = Annotated[str, AfterValidator(_date_format)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Money(Part):
    """How money is written: what its figures count, and the signs around them that say nothing."""

    unit: Literal["one", "thousand", "million", "billion"] = "one"
    signs: Listed[str] = []


class Layout(Part):
    """The form of a table. ``columns``: the patterns of the heading under which a field stands.

    In a ``transposed`` table each line is a field and each column a project. ``header`` is the line
    (or column) of the headings, counted from 1. ``ignore``: lines that start so are no data.
    """

    shape: Literal["wide", "transposed"] = "wide"
    delimiter: Annotated[str, StringConstraints(pattern=r"^[,;|\t]$")] = ","
    encodings: Annotated[
        list[Literal["utf-8", "cp1252", "latin-1", "utf-16"]], Constrained(min_length=1)
    ] = ["utf-8"]
    undecodable: Literal["refuse", "replace"] = "refuse"
    header: Annotated[int, Constrained(ge=1, le=1_000)] = 1
    ignore: Listed[Pattern] = []
    dates: Listed[DateFormat] = ["yyyy-mm-dd"]
    money: Money = Money()
    columns: Annotated[dict[Name, Listed[Pattern]], Constrained(min_length=1)]


class ReportRule(Part):
    """One report. ``as_of``: the day whose state it describes; its facts occurred then.

    ``rows`` picks some rows of a file with several reports: a heading, and what its cells fit.
    """

    file: str
    layout: Word
    as_of: Day
    published_on: Maybe[Day] = None
    rows: dict[Pattern, Pattern] = {}


class StateEvent(Part):
    """The event that puts a case into a state."""

    name: DomainName
    state: Word


class Merged(Part):
    """How a record that was merged into another is known: by its state, and the ref field ``into``
    that names the record of the same project that goes on."""

    state: Word
    into: Name


class Events(Part):
    """Which difference is which event.

    ``changed`` names a change from one value to another; ``withheld``, a value that is kept back
    from now on (needed where the mapping says how such cells read); ``otherwise``, all the rest, so
    that nothing a report says is lost.
    """

    joined: StateEvent
    left: StateEvent
    rejoined: StateEvent
    changed: dict[Name, DomainName] = {}
    withheld: Maybe[DomainName] = None
    otherwise: DomainName


class Mapping(Part):
    """How the reports of one portfolio become observations of the cases of one workflow.

    ``identify``: the fields by which a project is known again. The first that both sides have
    decides; all but the first only look at what was in the portfolio just before. What a report
    says of a record that was ``merged`` is said of the one that goes on.
    """

    mapping: WorkflowName
    title: str = ""
    workflow: WorkflowName
    identify: Annotated[Listed[Name], Constrained(min_length=1)]
    merged: Maybe[Merged] = None
    uppercase: Listed[Name] = []
    missing: Listed[Pattern] = []
    withheld: dict[Pattern, str] = {}
    events: Events
    reports: Annotated[dict[str, ReportRule], Constrained(min_length=1)]
    layouts: Annotated[dict[Word, Layout], Constrained(min_length=1)]


def read_mapping(
    text: str | bytes, file: str, definition_of: Callable[[str], Definition]
) -> Mapping:
    """The mapping in ``text``, checked against the workflow it writes to.

    ``definition_of`` gives the definition of a workflow, or raises ``NotFound``. Raises
    ``BadInput`` with every problem, each with ``file:line:column`` and how to mend it.
    """
    source = read_yaml(text, file)
    mapping = validate(Mapping, source)
    try:
        definition = definition_of(mapping.workflow)
    except NotFound as error:
        (problem,) = error.problems
        raise BadInput.one(source.where("/workflow"), problem.what, problem.mend) from None
    if problems := [*_lost_references(mapping, source), *_strangers(mapping, definition, source)]:
        raise BadInput(problems)
    return mapping


def _lost_references(mapping: Mapping, source: Source) -> Iterator[Problem]:
    for name, report in mapping.reports.items():
        if report.layout not in mapping.layouts:
            where = source.where(f"/reports/{escape(name)}/layout")
            mend = suggest(report.layout, mapping.layouts)
            yield Problem(where, f"there is no layout {report.layout!r}", mend)
    if mapping.withheld and mapping.events.withheld is None:
        what = "there is no event for a value that is kept back from now on"
        yield Problem(source.where("/events"), what, "add `withheld: InformationWithheld`")
    for name, layout in mapping.layouts.items():
        if not any(field in layout.columns for field in mapping.identify):
            where = source.where(f"/layouts/{name}/columns")
            wanted = " or ".join(mapping.identify)
            yield Problem(where, "no column identifies a project", f"say which holds {wanted}")


def _strangers(mapping: Mapping, definition: Definition, source: Source) -> Iterator[Problem]:
    """What the workflow does not know."""
    if definition.key_parts:
        what = f"the cases of {mapping.workflow} are not numbered: {definition.key}"
        yield Problem(source.where("/workflow"), what, "use a workflow with numbered cases")
    listed = [("identify", mapping.identify), ("uppercase", mapping.uppercase)]
    named = [(f"/{at}/{i}", name) for at, names in listed for i, name in enumerate(names)]
    named += [(f"/events/changed/{name}", name) for name in mapping.events.changed]
    for at, layout in mapping.layouts.items():
        named += [(f"/layouts/{at}/columns/{name}", name) for name in layout.columns]
    for pointer, name in named:
        if name not in definition.data:
            what = f"{mapping.workflow} has no field {name!r}"
            yield Problem(source.where_key(pointer), what, suggest(name, definition.data))
    parts = [
        (f"/events/{at}", getattr(mapping.events, at)) for at in ("joined", "left", "rejoined")
    ]
    if merged := mapping.merged:
        parts.append(("/merged", merged))
        refs = [name for name, field in definition.data.items() if field.to == mapping.workflow]
        if merged.into not in refs:
            what = f"{merged.into!r} names no other {mapping.workflow}"
            yield Problem(source.where("/merged/into"), what, suggest(merged.into, refs))
    for at, part in parts:
        if part.state not in definition.states:
            where = source.where(f"{at}/state")
            what = f"{mapping.workflow} has no state {part.state!r}"
            yield Problem(where, what, suggest(part.state, definition.states))
