"""Checking definitions before they are published: their text, their sense, their scenarios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.contracts.baseline import Compared, compare
from app.definitions import SCENARIOS, Loaded, find_definitions, load_definitions, read_file
from engine.coverage import Result, unfired, unrefused, untouched, unwarned
from engine.definition import Definition
from engine.errors import BadInput, Problem
from engine.scenario import load_scenarios
from engine.stage import Published, run


@dataclass(frozen=True, slots=True)
class Checked:
    """One definition: how its scenarios went, the transitions that none of them takes, the
    deadlines that none of them lets fall due, and the guards that none of them sees refuse, warn or
    be overridden."""

    loaded: Loaded
    results: tuple[Result, ...]
    untouched: tuple[str, ...]
    unfired: tuple[str, ...]
    unrefused: tuple[str, ...]
    unwarned: tuple[str, ...]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.failure]

    @property
    def begun(self) -> bool:
        """Whether any scenario came so far that one can say what none of them shows."""
        return any(not result.stuck for result in self.results)

    def failures(self) -> Iterator[str]:
        """For people to read: what keeps many scenarios from beginning is told once."""
        stuck = Counter((r.where, r.failure) for r in self.failed if r.stuck)
        told = [
            (w, f"{failure}\n(so {n} scenarios do not begin)") for (w, failure), n in stuck.items()
        ]
        told += [(r.where, f"{r.scenario}: {r.failure}") for r in self.failed if not r.stuck]
        for where, words in told:
            yield f"  {where}: {words}".replace("\n", "\n    ")


@dataclass(frozen=True, slots=True)
class Report:
    """``compared``: the definitions beside those they follow."""

    checked: tuple[Checked, ...]
    problems: tuple[Problem, ...]
    compared: tuple[Compared, ...] = ()

    @property
    def sound(self) -> bool:
        return not self.problems and not any(one.failed for one in self.checked)

    def lines(self) -> Iterator[str]:
        """For people to read; the problems are apart."""
        for one in self.checked:
            definition = one.loaded.definition
            held = len(one.results) - len(one.failed)
            told = f"{held} of {len(one.results)} scenarios hold" if one.results else "no scenarios"
            yield (
                f"{one.loaded.path}: {definition.workflow} {definition.version}:"
                f" {len(definition.states)} states, {len(definition.transitions)} transitions,"
                f" {told}"
            )
            yield from one.failures()
            if one.begun:
                yield from (f"  no scenario takes {arrow}" for arrow in one.untouched)
                yield from (f"  no scenario lets fall due {arrow}" for arrow in one.unfired)
                yield from (f"  no scenario sees this refuse: {guard}" for guard in one.unrefused)
                yield from (f"  no scenario sees this warn: {guard}" for guard in one.unwarned)
        for beside in self.compared:
            for change in beside.changes:
                if change.excused:
                    yield f"{beside.new.workflow} breaks {change} ({change.reason})"

    def as_data(self) -> dict[str, Any]:
        """For programs to read."""
        return {
            "ok": self.sound,
            "problems": [{"where": p.where, "what": p.what, "mend": p.mend} for p in self.problems],
            "breaks": [
                {
                    "workflow": beside.new.workflow,
                    "subject": change.subject,
                    "what": change.what,
                    "reason": change.reason,
                }
                for beside in self.compared
                for change in beside.changes
                if change.breaking
            ],
            "definitions": [
                {
                    "file": str(one.loaded.path),
                    "workflow": one.loaded.definition.workflow,
                    "version": one.loaded.definition.version,
                    "hash": one.loaded.definition.hash,
                    "scenarios": len(one.results),
                    "failed": [
                        {"where": r.where, "scenario": r.scenario, "failure": r.failure}
                        for r in one.failed
                    ],
                    "untouched": list(one.untouched),
                    "unfired": list(one.unfired),
                    "unrefused": list(one.unrefused),
                    "unwarned": list(one.unwarned),
                }
                for one in self.checked
            ],
        }


def check(
    paths: Iterable[Path],
    published: Sequence[Definition] = (),
    baseline: Iterable[Definition] = (),
) -> Report:
    """Load and lint every definition, then play their scenarios; nothing is published.

    They may refer to each other and to what is ``published``. What they take away from those who
    read the events of the definitions of the ``baseline`` is a problem, if they do not say so.
    """
    try:
        loaded = load_definitions(find_definitions(paths), published)
    except BadInput as error:
        return Report((), error.problems)
    texts = {one.definition.workflow: (one.definition, one.text) for one in loaded}
    known = {definition.workflow: (definition, "") for definition in published} | texts
    played = Published([*known.values()])
    checked: list[Checked] = []
    problems: list[Problem] = []
    for one in loaded:
        try:
            checked.append(_play(one, played))
        except BadInput as error:
            problems += error.problems
    if not loaded:
        problems.append(Problem(", ".join(map(str, paths)), "there are no definitions here"))
    compared = tuple(compare(loaded, baseline))
    problems += (problem for beside in compared for problem in beside.problems)
    return Report(tuple(checked), tuple(problems), compared)


def _play(one: Loaded, known: Published) -> Checked:
    """Every definition that is known is published first: cases refer to those of others."""
    file = one.path.with_suffix("").with_suffix(SCENARIOS)
    if not file.is_file():
        return _checked(one, ())
    scenarios, source = load_scenarios(read_file(file), str(file))
    results = tuple(run(scenarios, source, known))
    return _checked(one, results)


def _checked(one: Loaded, results: tuple[Result, ...]) -> Checked:
    definition = one.definition
    return Checked(
        one,
        results,
        tuple(untouched(definition, results)),
        tuple(unfired(definition, results)),
        tuple(unrefused(definition, results)),
        tuple(unwarned(definition, results)),
    )
