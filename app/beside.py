"""Checking what people write beside definitions: mappings, views, metrics, chapters, settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from app.definitions import SCENARIOS, Kind, read_file
from app.importing.mapping import read_mapping
from app.settings import load_settings
from app.year.chapters import Moment, read_year
from engine.definition import Definition
from engine.errors import BadInput, NotFound, Problem
from engine.validation import suggest
from projections.choices import bodies_of, faults
from projections.relations import relation_names
from projections.view_definitions import Question, View, load_metrics, load_view

Known = Mapping[str, Definition]
"""The definitions that such a file may speak of, by workflow."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A sound file, and what it holds, for people to read."""

    path: Path
    kind: Kind
    told: str


def check_beside(
    files: Iterable[tuple[Path, Kind]], known: Known, problems: list[Problem]
) -> Iterator[Beside]:
    """Those that are sound; what is wrong with the others is added to ``problems``."""
    year_in = cache(partial(_Year, known=known))
    for path, kind in files:
        try:
            if kind == "chapter":
                told = year_in(path.parent).told(path)
            else:
                told = _read(path, kind, known)
            yield Beside(path, kind, told)
        except BadInput as error:
            problems += error.problems


def _read(path: Path, kind: Kind, known: Known) -> str:
    """What the file holds. Raises ``BadInput`` with everything that is wrong with it."""
    file = str(path)
    if kind == "scenarios":
        stem = path.name.removesuffix(SCENARIOS)
        mend = f"name {stem}.yaml, beside it: they are played with it"
        raise BadInput.one(file, "holds scenarios, and no definition", mend)
    text = read_file(path)
    match kind:
        case "mapping":
            mapping = read_mapping(text, file, partial(_definition_of, known))
            return f"mapping {mapping.mapping}: {len(mapping.reports)} reports"
        case "view":
            view = load_view(text, file, path.stem)
            _require_relations([view], known)
            _require_choices(view, known)
            return f"view {view.id}: {view.title}"
        case "metrics":
            metrics = load_metrics(text, file)
            _require_relations(metrics, known)
            return f"{len(metrics)} metrics"
        case _:
            load_settings(text, file)
            return "settings"


def _definition_of(known: Known, workflow: str) -> Definition:
    if workflow not in known:
        raise NotFound.one("", f"there is no workflow {workflow!r}", suggest(workflow, known))
    return known[workflow]


def _require_relations(questions: Iterable[Question], known: Known) -> None:
    there = relation_names(known)
    problems = [
        Problem(
            question.where(token.offset),
            f"there is no relation {token.name!r}",
            suggest(token.name or "", there),
        )
        for question in questions
        for token in question.select.relations
        if token.name not in there
    ]
    if problems:
        raise BadInput(problems)


def _require_choices(view: View, known: Known) -> None:
    bodies = bodies_of(definition.body for definition in known.values())
    problems = [
        Problem(view.file, f"parameter {name}: {what}", mend)
        for name, parameter in view.parameters.items()
        for what, mend in faults(parameter.of, bodies)
    ]
    if problems:
        raise BadInput(problems)


class _Year:
    """The chapters of a folder, which name the cases of each other."""

    def __init__(self, folder: Path, known: Known) -> None:
        self._moments: tuple[Moment, ...] = ()
        self._problems: tuple[Problem, ...] = ()
        try:
            self._moments = read_year(folder, known).moments
        except BadInput as error:
            self._problems = error.problems

    def told(self, path: Path) -> str:
        """What a chapter holds. Raises ``BadInput`` with everything that is wrong with it."""
        here = f"{path}:"
        if problems := [problem for problem in self._problems if problem.where.startswith(here)]:
            raise BadInput(problems)
        count = sum(moment.where.startswith(here) for moment in self._moments)
        return f"chapter of a year, {count} steps" if count else "chapter of a year"
