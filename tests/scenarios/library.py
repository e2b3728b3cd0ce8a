"""The shipped definitions and their scenarios, and how each scenario went, played once."""

from __future__ import annotations

from functools import cache

from engine.loading import load_definitions
from engine.scenarios.coverage import Result
from engine.scenarios.scenario import load_scenarios
from engine.scenarios.stage import Published, run
from workflows import shipped

TEXTS = {str(path): path.read_text(encoding="utf-8") for path in shipped()}
DEFINITIONS = {d.workflow: (d, TEXTS[file]) for file, d in load_definitions(TEXTS).items()}
FILES = {path.stem: path.with_suffix(".scenarios.yaml") for path in shipped()}
SCENARIOS = {
    workflow: load_scenarios(file.read_text(encoding="utf-8"), file.name)
    for workflow, file in FILES.items()
}
PUBLISHED = Published([*DEFINITIONS.values()])


@cache
def results(workflow: str) -> list[Result]:
    """Of the scenarios of a workflow, played in memory."""
    return [*run(*SCENARIOS[workflow], PUBLISHED)]
