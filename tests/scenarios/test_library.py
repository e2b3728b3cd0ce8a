"""The scenarios of the shipped workflows hold, and nothing that there is to show is left out."""

from __future__ import annotations

import re

import pytest

from engine.definition import Definition
from engine.events import CaseObserved
from engine.guards import accepted
from engine.scenarios.coverage import unfired, unrefused, untouched, unwarned
from tests.scenarios.library import DEFINITIONS, FILES, SCENARIOS, results

EVERY = [
    pytest.param(workflow, number, id=f"{workflow}: {one.scenario}")
    for workflow, (file, _) in SCENARIOS.items()
    for number, one in enumerate(file.scenarios)
]
WARN = [
    name
    for name, (definition, _) in DEFINITIONS.items()
    if any(step.should or step.override for step in (definition.start, *definition.transitions))
]


@pytest.mark.parametrize(("workflow", "number"), EVERY)
def test_scenario(workflow: str, number: int) -> None:
    assert results(workflow)[number].failure == ""


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_transition_is_taken_by_some_scenario(workflow: str) -> None:
    assert untouched(DEFINITIONS[workflow][0], results(workflow)) == []


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_guard_of_every_step_refuses_in_some_scenario(workflow: str) -> None:
    assert unrefused(DEFINITIONS[workflow][0], results(workflow)) == []


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_deadline_reminder_and_escalation_falls_due_in_some_scenario(workflow: str) -> None:
    assert unfired(DEFINITIONS[workflow][0], results(workflow)) == []


@pytest.mark.parametrize("workflow", WARN)
def test_every_warning_and_override_is_expected_by_some_scenario(workflow: str) -> None:
    told = [
        result
        for one, result in zip(SCENARIOS[workflow][0].scenarios, results(workflow), strict=True)
        if one.then and (one.then.warned or one.then.overridden)
    ]
    assert unwarned(DEFINITIONS[workflow][0], told) == []


STRICTLY_AFTER_TODAY = {
    # What is approved in the course of a day was not in force when that day began.
    "standard: data.effective_on > now"
}


def test_what_is_due_today_is_in_time() -> None:
    """A date is over when its day is: it is compared with `today`, and not with the moment."""
    early = {
        f"{name}: {check.check}"
        for name, (definition, _) in DEFINITIONS.items()
        for step in (definition.start, *definition.transitions)
        for said in filter(None, (step, step.should))
        for check in said.when
        if re.search(r"data\.\w+ > now\b", check.check)
    }
    assert early == STRICTLY_AFTER_TODAY


SAID_BEFORE = {
    "strategic-plan approve: summary",  # what is approved is the summary that it was revised by
    "strategic-plan-five approve: summary",
    "pmo-setup select-tool: tool",  # under a new sponsor, what is done stays done
}


def test_no_step_is_let_through_on_words_that_another_step_was_given() -> None:
    """Nor on those of its own first time: what people say of a step is said with it."""
    found = {
        f"{name} {step.trigger}: {field}"
        for name, (definition, _) in DEFINITIONS.items()
        for step in definition.transitions
        for field in step.needs
        if definition.data[field].type == "text"
        and field not in accepted(definition.start, definition)
        if any(field in _set_before(definition)[source] for source in step.sources)
    }
    assert found == SAID_BEFORE


def _set_before(definition: Definition) -> dict[str, set[str]]:
    """The fields that some step may have set before a case is in a state."""
    found: dict[str, set[str]] = {state: set() for state in definition.states}
    for _ in definition.states:  # no way to a state is longer than there are states
        for step in definition.transitions:
            for source in step.sources:
                found[step.target(source)] |= found[source] | {*accepted(step, definition)}
    return found


def test_what_a_step_does_not_take_is_refused_in_the_scenarios() -> None:
    for workflow in ("decision", "objective"):
        refused = {
            verdict.rule
            for result in results(workflow)
            for refusal in result.refusals
            for verdict in refusal.verdicts
        }
        assert {"takes", "refs"} <= refused


@pytest.mark.parametrize("workflow", ["objective", "decision", "major-project"])
def test_observations_with_every_verdict_are_among_the_scenarios(workflow: str) -> None:
    verdicts = {
        event.conformance.verdict
        for result in results(workflow)
        for event in result.events
        if isinstance(event, CaseObserved)
    }
    assert verdicts == {"conforms", "violates", "not_evaluable"}
    told = {one.then.conformance for one in SCENARIOS[workflow][0].scenarios if one.then}
    assert verdicts <= told


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_no_two_scenarios_of_a_workflow_have_one_name(workflow: str) -> None:
    names = [one.scenario for one in SCENARIOS[workflow][0].scenarios]
    assert [name for name in set(names) if names.count(name) > 1] == [], FILES[workflow]
