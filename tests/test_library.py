"""The pages of docs/library/ say what the workflows say: whoever changes one has to change both."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from engine.definition import Definition
from engine.loading import load_definitions
from engine.step import ByAuthority, ByPerson
from workflows import shipped

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "library").glob("*.md"))
TEXTS = {str(path): path.read_text(encoding="utf-8") for path in shipped()}
DEFINITIONS = {one.workflow: one for one in load_definitions(TEXTS).values()}

_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@cache
def sections() -> dict[str, str]:
    """What the pages say under the heading of each workflow, like ``## gate (`GATE-0001`)``."""
    found: dict[str, str] = {}
    for page in PAGES:
        for part in page.read_text(encoding="utf-8").split("\n## ")[1:]:
            name = re.split(r"[ \n]", part, maxsplit=1)[0]
            assert name not in found, f"{name} stands twice"
            found[name] = part
    return found


def code_in(text: str) -> set[str]:
    """What stands in code."""
    return set(_CODE.findall(text))


def rows_of(workflow: str) -> list[tuple[set[str], list[str]]]:
    """Of every row of its tables the states in the first cell, and the other cells. An empty first
    cell is the one above it; "any of these" are all the states above."""
    states = set(DEFINITIONS[workflow].states)
    rows: list[tuple[set[str], list[str]]] = []
    above: set[str] = set()
    for line in sections()[workflow].splitlines():
        if not line.startswith("|") or line.startswith("|---"):
            continue
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        here = states & set(_NAME.findall(first))
        if not first:
            here = rows[-1][0]
        elif first == "any of these":
            here = set(above)
        above |= here
        rows.append((here, others))
    return rows


def triggers(definition: Definition) -> dict[str, set[str]]:
    """Each trigger, and the states that it leads from."""
    found: dict[str, set[str]] = {}
    for step in definition.transitions:
        found.setdefault(step.trigger, set()).update(step.sources)
    return found


def events(definition: Definition) -> set[str]:
    steps = (definition.start, *definition.transitions)
    return {definition.emits(step) for step in steps}


def test_every_workflow_has_a_section_and_every_section_a_workflow() -> None:
    assert set(sections()) == set(DEFINITIONS)


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_the_section_shows_the_picture(workflow: str) -> None:
    assert (ROOT / "docs" / "diagrams" / f"{workflow}.svg").is_file()
    assert f"](../diagrams/{workflow}.svg)" in sections()[workflow]


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_the_section_names_every_state_trigger_and_event(workflow: str) -> None:
    section, definition = sections()[workflow], DEFINITIONS[workflow]
    in_tables = {state for states, _ in rows_of(workflow) for state in states}
    assert set(definition.states) - in_tables - code_in(section) == set()
    assert set(triggers(definition)) - code_in(section) == set()
    assert events(definition) - code_in(section) == set()


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_a_trigger_beside_a_state_leads_from_it(workflow: str) -> None:
    known = triggers(DEFINITIONS[workflow])
    for states, others in rows_of(workflow):
        for trigger in code_in(others[0]) & set(known) if states else ():
            assert known[trigger] & states, f"{trigger} does not lead from {states}"


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_every_step_that_somebody_takes_stands_beside_the_states_it_leads_from(
    workflow: str,
) -> None:
    section, definition = sections()[workflow], DEFINITIONS[workflow]
    beside: dict[str, set[str]] = {}
    for states, others in rows_of(workflow):
        for state in states:
            beside.setdefault(state, set()).update(code_in(" ".join(others)))
    said = code_in(re.sub(r"^\|.*$", "", section, flags=re.MULTILINE))
    lacking = [
        f"{state}: {step.trigger}"
        for step in definition.transitions
        for state in step.sources
        if step.trigger not in beside.get(state, set()) | said
    ]
    assert lacking == []


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_beside_a_trigger_stands_who_may(workflow: str) -> None:
    definition, lacking = DEFINITIONS[workflow], []
    for states, others in rows_of(workflow):
        if not states or len(others) < 2 or "| by whom |" not in sections()[workflow]:
            continue  # another form: who acts is told in the text
        for step in definition.transitions:
            if step.trigger in code_in(others[0]) and states & set(step.sources):
                told = others[1].lower().replace("-", " ")
                lacking += [(step.trigger, who) for who in map(_told, step.by) if who not in told]
    assert lacking == []


def _told(who: str | ByPerson | ByAuthority) -> str:
    """How a page says it."""
    if isinstance(who, ByPerson):
        return f"`{who.person}`"
    if isinstance(who, ByAuthority):
        return "authority"
    return {"service": "by itself", "pmo-analyst": "analyst"}.get(who, who.replace("-", " "))


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_the_section_tells_every_period(workflow: str) -> None:
    section = " ".join(sections()[workflow].replace("|", " ").split())
    periods = {
        period
        for state in DEFINITIONS[workflow].states.values()
        for deadline in state.deadline
        for period in deadline.periods.values()
    }
    assert {period for period in periods if period not in section} == set()


ALSO_NAMED = {"any", "change", "plan", "pmo", "policy", "remuneration"}
"""Units, bodies and kinds of matter: text in a field, so no definition lists them."""


@pytest.mark.parametrize("workflow", DEFINITIONS)
def test_what_stands_in_code_is_a_name_of_the_workflow(workflow: str) -> None:
    definition = DEFINITIONS[workflow]
    everybody = {event for one in DEFINITIONS.values() for event in events(one)}
    known = {
        *definition.states,
        *triggers(definition),
        *definition.data,
        *definition.roles,
        *(choice for field in definition.data.values() for choice in field.of),
        *DEFINITIONS,
        *everybody,
        *ALSO_NAMED,
    }
    told = {
        name
        for name in code_in(sections()[workflow])
        if not name.startswith(("pmo ", "FREQ=")) and not re.fullmatch(r"[A-Z0-9]+-.*", name)
    }
    assert told - known == set()
