"""The scenarios of the shipped workflows hold, on every store, and cover what there is to cover."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from engine.case import fold
from engine.definition import Definition, Transition
from engine.events import CaseObserved, CommandRefused, Verdict
from engine.loading import load_definition, load_definitions
from engine.scenario import Published, Scenario, ScenarioFile, load_scenarios, run, untouched
from engine.store.log import Log
from engine.store.memory import MemoryLog
from engine.store.sqlite import SQLiteLog
from engine.yaml_source import Source
from workflows import shipped

GUIDE = Path(__file__).parent.parent / "docs" / "workflows.md"
TEXTS = {str(path): path.read_text(encoding="utf-8") for path in shipped()}
DEFINITIONS = {d.workflow: (d, TEXTS[file]) for file, d in load_definitions(TEXTS).items()}
SCENARIOS = {
    path.stem: load_scenarios(file.read_text(encoding="utf-8"), file.name)
    for path in shipped()
    for file in [path.with_suffix(".scenarios.yaml")]
}
PUBLISHED = Published([*DEFINITIONS.values()])
EVERY = [
    pytest.param(file, source, one, id=f"{workflow}: {one.scenario}")
    for workflow, (file, source) in SCENARIOS.items()
    for one in file.scenarios
]


@pytest.fixture(params=["memory", "sqlite"])
def new_log(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Log] | None:
    return None if request.param == "memory" else lambda: SQLiteLog(tmp_path / "ledger.db")


@pytest.mark.parametrize(("file", "source", "scenario"), EVERY)
def test_scenario(
    file: ScenarioFile, source: Source, scenario: Scenario, new_log: Callable[[], Log] | None
) -> None:
    alone = ScenarioFile(background=file.background, scenarios=[scenario])
    (result,) = run(alone, source, PUBLISHED, new_log)
    assert result.failure == ""


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_transition_is_taken_by_some_scenario(workflow: str) -> None:
    results = run(*SCENARIOS[workflow], PUBLISHED)
    assert untouched(DEFINITIONS[workflow][0], results) == []


def test_a_transition_that_no_scenario_takes_is_told() -> None:
    workflow = "major-project"
    definition, (file, source) = DEFINITIONS[workflow][0], SCENARIOS[workflow]
    trigger = definition.transitions[-1].trigger
    fewer = [one for one in file.scenarios if one.when.do != trigger]
    assert len(fewer) < len(file.scenarios)
    results = run(ScenarioFile(background=file.background, scenarios=fewer), source, PUBLISHED)
    told = untouched(definition, results)
    assert told
    assert all(f" -{trigger}-> " in arrow for arrow in told)


UNSEEN: dict[str, int] = {
    "appointment": 5,
    "authority": 7,
    "body": 5,
    "delegation": 2,
    "change-request": 4,
    "condition": 1,
    "decision": 7,
    "exception": 3,
    "gate": 5,
    "alignment": 3,
    "communication": 1,
    "objective": 4,
    "premise": 1,
    "prioritisation": 1,
    "strategic-plan-five": 3,
    "strategic-plan": 3,
    "benefit": 8,
    "health-check": 10,
    "lesson": 11,
    "milestone": 7,
    "project": 20,
    "raid": 10,
    "standard": 9,
    "support-request": 6,
    "task": 10,
    "waiver": 4,
    "reporting-period": 4,
    "return": 2,
    "routine": 3,
    "maturity-assessment": 4,
    "performance-review": 3,
    "skill-assessment": 6,
    "trend": 4,
    "pmo-setup": 3,
}
"""How many guards of a workflow no scenario sees refuse yet. It only ever goes down."""


@pytest.mark.parametrize("workflow", SCENARIOS)
def test_every_guard_of_every_transition_refuses_in_some_scenario(workflow: str) -> None:
    unseen = unseen_refusals(workflow)
    assert len(unseen) == UNSEEN.get(workflow, 0), unseen


def unseen_refusals(workflow: str) -> list[str]:
    """The guards that no scenario sees refuse, by trigger and name; evidence may lack or be old."""
    definition, refused, unseen = DEFINITIONS[workflow][0], refusals(workflow), []
    for rule in definition.transitions:
        here = [v for at, v in refused if at in arrows(rule)]
        broken = {verdict.rule for verdict in here}
        unseen += [f"{rule.trigger}: {name}" for name in rules_of(rule) - broken]
        for need in rule.evidence:
            reasons = [v.reason for v in here if need.kind in v.rule]
            wanted = ["needs a", *(["older than"] if need.newer_than else [])]
            unseen += [
                f"{rule.trigger}: {need.kind} {word}"
                for word in wanted
                if not any(word in reason for reason in reasons)
            ]
    return sorted(unseen)


def test_what_a_step_does_not_take_is_refused_in_the_scenarios() -> None:
    for workflow in ("decision", "objective"):
        assert "takes" in {verdict.rule for _, verdict in refusals(workflow)}


def test_every_guard_of_every_start_refuses_in_some_scenario() -> None:
    wanted = {
        "objective": ["needs sponsor", "title is missing", "does not take", "there is no case"],
        "decision": ["needs requester", "title is missing", "does not take", "is a case of"],
        "major-project": ["name is missing"],
    }
    for workflow, words in wanted.items():
        starts = [one for one in SCENARIOS[workflow][0].scenarios if one.when.start]
        told = " ".join(reason for one in starts for reason in one.then.refused or ())
        assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("workflow", ["objective", "decision", "major-project"])
def test_observations_with_every_verdict_are_among_the_scenarios(workflow: str) -> None:
    verdicts = {
        recorded.event.conformance.verdict
        for log in played(workflow)
        for recorded in log.read(0, log.head())
        if isinstance(recorded.event, CaseObserved)
    }
    assert verdicts == {"conforms", "violates", "not_evaluable"}
    told = {one.then.conformance for one in SCENARIOS[workflow][0].scenarios}
    assert verdicts <= told


SIMPLE = """\
workflow: objective
version: 1
title: Objective
key: OBJ
roles: {sponsor: }
data: {title: {type: text, required: true}}
states: {proposed: {initial: true}, active: {final: true}}
start: {by: sponsor, emits: ObjectiveProposed}
transitions: [{trigger: activate, from: proposed, to: active}]
"""
WRONG = """\
scenarios:
  - scenario: It is proposed
    when: {start: objective, as: sam:sponsor, data: {title: Client satisfaction}}
    then: {state: proposed}

  - scenario: WHAT
    when: {start: objective, as: sam:ROLE, data: {title: Client satisfaction}}
    then: {THEN}
"""


@pytest.mark.parametrize(
    ("role", "then", "told"),
    [
        ("sponsor", "state: active", "state is 'proposed', should be 'active'"),
        ("sponsor", "emits: ObjectiveBegun", "emits is 'ObjectiveProposed', should be"),
        ("sponsor", "data: {title: Profit}", "data.title is 'Client satisfaction', should be"),
        ("sponsor", "data: {title: null}", "data.title is 'Client satisfaction', should be None"),
        ("sponsor", "data: {titel: Profit}", "then: /then/data/titel: no field 'titel'"),
        ("sponsor", "conformance: conforms", "conformance is None, should be 'conforms'"),
        ("sponsor", "refused: by", "was accepted (ObjectiveProposed), should have been refused"),
        ("visitor", "state: proposed", "when: objective cannot start"),
        ("visitor", "refused: title is missing", "refused, but not for: title is missing"),
        ("visitor", "bad_input: title", "when: objective cannot start"),
    ],
)
def test_a_wrong_expectation_is_told_with_its_line_and_column(
    role: str, then: str, told: str
) -> None:
    text = WRONG.replace("ROLE", role).replace("THEN", then)
    file, source = load_scenarios(text, "wrong.scenarios.yaml")
    simple = Published([(load_definition(SIMPLE, "simple.yaml"), SIMPLE)])
    right, wrong = run(file, source, simple)
    assert right.failure == ""
    assert wrong.where == "wrong.scenarios.yaml:6:5"
    assert told in wrong.failure


def test_a_step_that_was_only_to_prepare_and_fails_is_told_by_its_number() -> None:
    text = """{scenarios: [{scenario: It goes wrong early, given: [{start: objective,
      as: sam:visitor, data: {title: A}}], when: {do: baseline}, then: {state: baselined}}]}"""
    (result,) = run(*load_scenarios(text, "x.yaml"), PUBLISHED)
    assert result.failure.startswith("given, step 1: objective cannot start")


def test_the_scenarios_in_the_guide_hold() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (text,) = [block for block in blocks if "\nworkflow: waiver\n" in block and "\nkey: " in block]
    (scenarios,) = [block for block in blocks if block.startswith("scenarios:")]
    waiver = load_definition(text, "waiver.yaml")
    results = [*run(*load_scenarios(scenarios, "guide"), Published([(waiver, text)]))]
    assert [result.failure for result in results] == ["", "", ""]


@cache
def played(workflow: str) -> list[Log]:
    """The logs that the scenarios leave behind, with every refused attempt at a transition."""
    definitions = [
        (Definition.from_body(definition.body | {"record_refusals": True}), text)
        for definition, text in DEFINITIONS.values()
    ]
    logs: list[Log] = []

    def new_log() -> Log:
        logs.append(MemoryLog())
        return logs[-1]

    results = run(*SCENARIOS[workflow], Published(definitions), new_log)
    assert [result.failure for result in results if result.failure] == []
    return logs


def refusals(workflow: str) -> list[tuple[tuple[str, str], Verdict]]:
    """Every guard that did not hold: of which state and trigger, and what it said."""
    found = []
    for log in played(workflow):
        for recorded in log.read(0, log.head()):
            event = recorded.event
            if isinstance(event, CommandRefused) and event.definition.name == workflow:
                case = fold(each.event for each in log.stream(event.stream))
                assert case is not None
                found += [((case.state, event.trigger), v) for v in event.verdicts if not v.held]
    return found


def arrows(rule: Transition) -> set[tuple[str, str]]:
    return {(source, rule.trigger) for source in rule.sources}


def rules_of(rule: Transition) -> set[str]:
    """The names under which the guards of a step answer."""
    names = {check.check for check in rule.when} | {f"evidence {n.kind}" for n in rule.evidence}
    return names | {name for name in ("by", "not_by", "needs") if getattr(rule, name)}
