"""Checking definitions before they are published: their text, their sense, their scenarios; and the
files that come beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.beside import Beside, check_beside
from app.contracts.baseline import Compared, compare
from app.definitions import SCENARIOS, Loaded, find_files, load_definitions, read_file
from engine.definition import Definition
from engine.errors import BadInput, Problem
from engine.lint.governance import only_told
from engine.scenarios.coverage import Result, unfired, unrefused, untouched, unwarned
from engine.scenarios.scenario import ScenarioFile, load_scenarios
from engine.scenarios.stage import Published, run
from engine.source import Source


@dataclass(frozen=True, slots=True)
class Checked:
    """One definition: how its scenarios went, the transitions that none of them takes, the
    deadlines that none of them lets fall due, and the guards that none of them sees refuse, warn or
    be overridden; and to whom a matter goes up that can do nothing with it."""

    loaded: Loaded
    results: tuple[Result, ...]
    untouched: tuple[str, ...]
    unfired: tuple[str, ...]
    unrefused: tuple[str, ...]
    unwarned: tuple[str, ...]
    only_told: tuple[str, ...]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.failure]

    @property
    def begun(self) -> bool:
        """Whether any scenario came so far that one can say what none of them shows."""
        return any(not result.stuck for result in self.results)

    def headline(self) -> str:
        definition = self.loaded.definition
        held = len(self.results) - len(self.failed)
        told = f"{held} of {len(self.results)} scenarios hold" if self.results else "no scenarios"
        return (
            f"{self.loaded.path}: {definition.workflow} {definition.version}:"
            f" {len(definition.states)} states, {len(definition.transitions)} transitions, {told}"
        )

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
    """``beside``: the sound files of other kinds; ``compared``: the definitions beside those they
    follow."""

    checked: tuple[Checked, ...]
    problems: tuple[Problem, ...]
    beside: tuple[Beside, ...] = ()
    compared: tuple[Compared, ...] = ()

    @property
    def sound(self) -> bool:
        return not self.problems and not any(one.failed for one in self.checked)

    def lines(self) -> Iterator[str]:
        """For people to read; the problems are apart."""
        for one in self.checked:
            yield one.headline()
            yield from one.failures()
            yield from (
                f"  goes up to whom no step there is given: {whom}" for whom in one.only_told
            )
            if one.begun:
                yield from (f"  no scenario takes {arrow}" for arrow in one.untouched)
                yield from (f"  no scenario lets fall due {arrow}" for arrow in one.unfired)
                yield from (f"  no scenario sees this refuse: {guard}" for guard in one.unrefused)
                yield from (f"  no scenario sees this warn: {guard}" for guard in one.unwarned)
        yield from (f"{file.path}: {file.told}" for file in self.beside)
        for beside in self.compared:
            for change in beside.changes:
                if change.excused:
                    yield f"{beside.new.workflow} breaks {change} ({change.reason})"

    def failing(self) -> Iterator[str]:
        """Of ``lines`` those that say which scenarios do not hold, and why."""
        for one in self.checked:
            if one.failed:
                yield one.headline()
                yield from one.failures()

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
                    "only_told": list(one.only_told),
                }
                for one in self.checked
            ],
            "files": [{"file": str(file.path), "kind": file.kind} for file in self.beside],
        }


Progress = Callable[[int, int], None]
"""Called with how many scenarios have been played, and how many there are."""


def check(
    paths: Iterable[Path],
    published: Sequence[Definition] = (),
    baseline: Iterable[Definition] = (),
    running: Iterable[Definition] = (),
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Load and lint every definition, play their scenarios, and look at the files of other kinds;
    nothing is published.

    All may refer to these definitions and to what is ``published``. What the definitions take away
    from those who read the events of the ``baseline`` is a problem, if they do not say so; so is
    what they correct, if a version goes by it that is still ``running``.
    """
    files = [*find_files(paths)]
    chosen = [path for path, kind in files if kind == "definition"]
    others = [(path, kind) for path, kind in files if kind != "definition"]
    problems: list[Problem] = []
    loaded: list[Loaded] = []
    try:
        loaded = load_definitions(chosen, published, running)
    except BadInput as error:
        problems += error.problems
    if not files:
        problems.append(Problem(", ".join(map(str, paths)), "there are no definitions here"))
    checked = _play(loaded, loaded, published, problems, progress)
    known = {one.workflow: one for one in (*published, *(one.definition for one in loaded))}
    sound = tuple(check_beside(others, known, problems))
    compared = tuple(compare(loaded, baseline))
    problems += (problem for beside in compared for problem in beside.problems)
    return Report(tuple(checked), tuple(problems), sound, compared)


def play(
    chosen: Sequence[Loaded],
    loaded: Sequence[Loaded],
    published: Sequence[Definition],
    progress: Progress,
) -> Report:
    """How the scenarios of those ``chosen`` go, among all that are ``loaded`` and ``published``."""
    problems: list[Problem] = []
    checked = _play(chosen, loaded, published, problems, progress)
    return Report(tuple(checked), tuple(problems))


def _play(
    chosen: Iterable[Loaded],
    loaded: Iterable[Loaded],
    published: Iterable[Definition],
    problems: list[Problem],
    progress: Progress,
) -> list[Checked]:
    """Every definition that is known is published first: cases refer to those of others."""
    texts = {one.definition.workflow: (one.definition, one.text) for one in loaded}
    known = {definition.workflow: (definition, "") for definition in published} | texts
    stage = Published([*known.values()])
    to_play: list[tuple[Loaded, tuple[ScenarioFile, Source] | None]] = []
    for one in chosen:
        try:
            to_play.append((one, _scenarios_beside(one)))
        except BadInput as error:
            problems += error.problems
    total = sum(len(beside[0].scenarios) for _, beside in to_play if beside)
    done = 0
    checked = []
    for one, beside in to_play:
        results: list[Result] = []
        for result in run(*beside, stage) if beside else ():
            results.append(result)
            done += 1
            progress(done, total)
        checked.append(_checked(one, tuple(results)))
    return checked


def _scenarios_beside(one: Loaded) -> tuple[ScenarioFile, Source] | None:
    file = one.path.with_suffix("").with_suffix(SCENARIOS)
    return load_scenarios(read_file(file), str(file)) if file.is_file() else None


def _checked(one: Loaded, results: tuple[Result, ...]) -> Checked:
    definition = one.definition
    return Checked(
        one,
        results,
        tuple(untouched(definition, results)),
        tuple(unfired(definition, results)),
        tuple(unrefused(definition, results)),
        tuple(unwarned(definition, results)),
        tuple(only_told(definition)),
    )
