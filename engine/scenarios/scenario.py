"""Scenarios: given some commands, when one more is sent, then this is what must come of it.

They are written in YAML beside a definition; ``engine.scenarios.stage`` plays them, and
``engine.scenarios.coverage`` tells what none of them shows.
"""

from __future__ import annotations

from pydantic import model_validator

from engine.clock import is_instant_or_date
from engine.errors import BadInput, Problem
from engine.grammar import Maybe
from engine.scenarios.steps import OneOrMore, Outcome, Part, Step
from engine.source import Source
from engine.validation import validate
from engine.yaml_source import read_yaml


class Attempted(Step):
    """A step that is refused, and words that its reasons must contain."""

    because: OneOrMore


class Scenario(Part):
    """One step and what comes of it; or several that are all refused, each from where ``given`` has
    led: what is refused changes nothing."""

    scenario: str
    today: str = "2026-01-15"
    given: tuple[Step, ...] = ()
    when: Maybe[Step] = None
    then: Maybe[Outcome] = None
    refuses: tuple[Attempted, ...] = ()

    @model_validator(mode="after")
    def _can_be_played(self) -> Scenario:
        if (self.when is None) != (self.then is None) or (self.when is None) == (not self.refuses):
            raise ValueError("needs either `when` and `then`, or `refuses`")
        if not is_instant_or_date(self.today):
            raise ValueError(f"today: {self.today!r} is not a date, write 2026-03-31")
        return self


class ScenarioFile(Part):
    """``background``: the steps that come before those of every scenario."""

    background: tuple[Step, ...] = ()
    scenarios: tuple[Scenario, ...]


def load_scenarios(text: str | bytes, file: str) -> tuple[ScenarioFile, Source]:
    """Raises ``BadInput`` with ``file:line:column`` of every problem."""
    source = read_yaml(text, file)
    read = validate(ScenarioFile, source)
    first: dict[str, int] = {}
    problems = []
    for number, scenario in enumerate(read.scenarios):
        if first.setdefault(scenario.scenario, number) != number:
            line, _ = source.mark(f"/scenarios/{first[scenario.scenario]}/scenario")
            problems.append(
                Problem(
                    source.where(f"/scenarios/{number}/scenario"),
                    f"another scenario is called {scenario.scenario!r}, too: in line {line}",
                    "give each a name of its own, to tell which one fails",
                )
            )
    if problems:
        raise BadInput(problems)
    return read, source
