"""How a year is written: chapters, one file each, of scenes, which are steps of scenarios in days.

A chapter follows one theme through the year, since that is how it reads well; the year is played
in the order of the days of all of them. So steps speak of cases by names that were given before
(``called``), and never by the numbers that the cases will get:

- ``<help-desk>`` is the key of the case called so, ``<help-desk.position>`` what one of its fields
  holds when the step is played;
- ``<month>`` is a word of the row for which a scene is played, if it is played ``for`` several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from engine.clock import instant, is_instant_or_date, last_instant, to_datetime
from engine.errors import BadInput, Problem
from engine.grammar import Maybe
from engine.scenarios.steps import Outcome, Part, Step
from engine.source import Mark, Source
from engine.validation import suggest, validate
from engine.yaml_source import LARGEST_FILE, read_yaml

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
Word = str | int

_WORD = re.compile(r"<([a-z0-9-]+)(?:\.([a-z_0-9]+))?>")
_DAY_BEGINS = "T09:00:00.000000Z"


class Act(Step):
    """A step in its place. ``called`` names the case for later; ``brings`` names those that
    reactions start because of it, by their workflow and, of several, in the order in which they
    come; ``then`` is what must come of it.

    Without ``case`` it is about the case of the step before it in its scene; without ``at`` it is
    done on the day of that step.
    """

    called: Maybe[Name] = None
    brings: Annotated[dict[Name, str], Field(default_factory=dict)]
    then: Maybe[Outcome] = None

    @model_validator(mode="after")
    def _named_once(self) -> Act:
        if self.called is not None and self.start is None and self.observe is None:
            raise ValueError("only what starts a case can name it: called stands with start")
        if self.wait is not None and self.at is not None:
            raise ValueError("wait says the day by itself, without at")
        return self


class Look(Part):
    """A view as it must be when the year is over: ``rows`` of it hold at least these values."""

    view: Maybe[str] = None
    metric: Maybe[str] = None
    given: Annotated[dict[str, str], Field(default_factory=dict)]
    reader: Annotated[str, Field(alias="as")] = "somebody"
    as_of: Maybe[str] = None
    known_at: Maybe[str] = None
    rows: Annotated[list[dict[str, Any]], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_question(self) -> Look:
        if (self.view is None) == (self.metric is None):
            raise ValueError("needs exactly one of view, metric")
        return self


class Scene(Part):
    scene: str
    on: Maybe[str] = None
    rows: Annotated[tuple[dict[str, Word], ...], Field(alias="for", min_length=1)] = ({},)
    steps: Annotated[list[dict[str, Any]], Field(min_length=1)]


class Chapter(Part):
    chapter: str
    about: str = ""
    scenes: tuple[Scene, ...] = ()
    afterwards: tuple[Look, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """An act when it is played: at an instant, which of a wait is its end. ``id`` is that of its
    command; acts of one ``scene`` follow each other; ``where`` it is written."""

    at: str
    act: Act
    id: str
    scene: str
    title: str
    where: str

    @property
    def day(self) -> str:
        return self.at[:10]


@dataclass(frozen=True, slots=True)
class Year:
    """``moments`` in the order in which they are played; ``afterwards``, each with its place."""

    moments: tuple[Moment, ...]
    afterwards: tuple[tuple[Look, str], ...]

    @property
    def begins_on(self) -> str:
        return self.moments[0].day

    @property
    def ends_on(self) -> str:
        """The last day of the year in which it ends."""
        return f"{self.moments[-1].day[:4]}-12-31"


def read_year(folder: Path, workflows: Collection[str] | None = None) -> Year:
    """The year in a folder of chapters, whose cases are of these ``workflows``, or of any.

    Raises ``BadInput`` with the ``file:line:column`` of everything that is wrong with it.
    """
    problems: list[Problem] = []
    moments: list[Moment] = []
    looks: list[tuple[Look, str]] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            source = read_yaml(_read(file), str(file))
            chapter = validate(Chapter, source)
        except BadInput as error:
            problems += error.problems
            continue
        moments += _moments(file.stem, chapter, source, problems)
        looks += [
            (look, source.where(f"/afterwards/{number}"))
            for number, look in enumerate(chapter.afterwards)
        ]
    if not problems and not moments:
        raise BadInput.one(str(folder), "there is no year in it", "a chapter is a .yaml file")
    moments.sort(key=lambda moment: moment.at)  # stable: on one day, as they are written
    if not problems:
        problems += _unknown_names(moments)
        problems += [] if workflows is None else _unknown_workflows(moments, workflows)
    if problems:
        raise BadInput(dict.fromkeys(problems))
    return Year(tuple(moments), tuple(looks))


def replace(value: Any, word: Callable[[str, str], Any]) -> Any:
    """``value``, however deep, with its ``<name>`` and ``<name.field>`` replaced by what ``word``
    says to name and field; ``None`` leaves one as it is. What is nothing but a word may become a
    number or a list; within text it becomes text.
    """
    if isinstance(value, dict):
        return {replace(key, word): replace(inner, word) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [replace(inner, word) for inner in value]
    if not isinstance(value, str):
        return value
    if whole := _WORD.fullmatch(value):
        found = word(whole[1], whole[2] or "")
        return value if found is None else found
    return _WORD.sub(lambda one: _spell(word(one[1], one[2] or ""), one[0]), value)


def _spell(found: Any, otherwise: str) -> str:
    return otherwise if found is None else str(found)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise BadInput.one(str(file), f"cannot be read: {error.strerror}") from None


def _moments(
    file: str, chapter: Chapter, source: Source, problems: list[Problem]
) -> Iterator[Moment]:
    for number, scene in enumerate(chapter.scenes):
        here = _part(source, f"/scenes/{number}", None)
        for row, words in enumerate(scene.rows):
            yield from _played(f"{file}:{number}:{row}", scene, words, here, problems)


def _played(
    name: str, scene: Scene, words: dict[str, Word], source: Source, problems: list[Problem]
) -> Iterator[Moment]:
    """A scene for one of its rows. What is wrong with its steps is added to ``problems``."""

    def word(name: str, field: str) -> Word | None:
        return None if field else words.get(name)

    day: str | None = replace(scene.on, word)
    reached = ""
    for step, raw in enumerate(scene.steps):
        place = f"/steps/{step}"
        where = source.where(place)
        try:
            act = validate(Act, _part(source, place, replace(raw, word)))
        except BadInput as error:
            problems += error.problems
            continue
        day = act.wait or act.at or day
        if day is None:
            problems.append(Problem(where, "nobody knows when", "say on which day: on, or at"))
            continue
        if not is_instant_or_date(day):
            what = f"on: {day!r} is not a date, write 2026-03-31"
            problems.append(Problem(source.where("/on"), what))
            return
        at = last_instant(act.wait) if act.wait else _begin(day)
        if at < reached:
            what = f"this scene has come further than {day} already"
            problems.append(Problem(where, what, "say on which later day: at"))
        reached = at
        title = replace(scene.scene, word)
        yield Moment(at, act, f"year:{name}:{step}", name, title, where)


def _begin(day: str) -> str:
    return f"{day}{_DAY_BEGINS}" if len(day) == 10 else instant(to_datetime(day))


def _part(source: Source, place: str, value: Any) -> Source:
    """A part of a file as a file of its own, which knows where it stands."""
    begin, deeper = len(place), f"{place}/"

    def within(marks: dict[str, Mark]) -> dict[str, Mark]:
        return {p[begin:]: mark for p, mark in marks.items() if p == place or p.startswith(deeper)}

    return Source(source.file, value, within(source.marks), within(source.key_marks))


def _unknown_names(moments: Iterable[Moment]) -> Iterator[Problem]:
    """Names that nobody has given before they are used, or that are given twice."""
    known: dict[str, str] = {}
    for moment in moments:
        act = moment.act
        for name in dict.fromkeys(_names_in(act.model_dump(exclude={"called", "brings"}))):
            if name not in known:
                yield Problem(
                    moment.where,
                    f"on {moment.day} nothing is called {name!r}",
                    suggest(name, known),
                )
        given = [*([act.called] if act.called else []), *act.brings]
        for name in given:
            if name in known:
                yield Problem(
                    moment.where, f"{name!r} is called so already, at {known[name]}", "name it anew"
                )
            known[name] = moment.where


def _unknown_workflows(moments: Iterable[Moment], known: Collection[str]) -> Iterator[Problem]:
    for moment in moments:
        workflow = moment.act.start
        if workflow is not None and workflow not in known:
            what = f"there is no workflow {workflow!r}"
            yield Problem(moment.where, what, suggest(workflow, known))


def _names_in(value: Any) -> list[str]:
    names: list[str] = []
    replace(value, lambda name, _field: names.append(name))
    return names
