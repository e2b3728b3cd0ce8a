"""What scenarios can say, and how one that does not hold is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.loading import load_definition
from engine.scenarios.coverage import unfired, unrefused, untouched, unwarned
from engine.scenarios.scenario import ScenarioFile, load_scenarios
from engine.scenarios.stage import Published, run
from tests.scenarios.library import DEFINITIONS, PUBLISHED, SCENARIOS

GUIDE = Path(__file__).parents[2] / "docs" / "workflows.md"


def test_a_transition_that_no_scenario_takes_is_told() -> None:
    workflow = "major-project"
    definition, (file, source) = DEFINITIONS[workflow][0], SCENARIOS[workflow]
    trigger = definition.transitions[-1].trigger
    fewer = [
        one
        for one in file.scenarios
        if all(step.do != trigger for step in (*one.given, *([one.when] if one.when else [])))
    ]
    assert len(fewer) < len(file.scenarios)
    results = run(ScenarioFile(background=file.background, scenarios=fewer), source, PUBLISHED)
    told = untouched(definition, results)
    assert told
    assert all(f" -{trigger}-> " in arrow for arrow in told)


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


def test_a_background_that_fails_is_told_where_it_stands() -> None:
    text = """
background:
  - {start: objective, as: sam:visitor, data: {title: A}}
scenarios:
  - {scenario: One, when: {do: baseline}, then: {state: baselined}}
  - {scenario: Two, when: {do: baseline}, then: {state: baselined}}
"""
    one, two = run(*load_scenarios(text, "x.yaml"), PUBLISHED)
    assert one.stuck
    assert two.stuck
    assert one.where == two.where == "x.yaml:3:5"
    assert one.failure == two.failure
    assert one.failure.startswith("background, step 1: objective cannot start")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{do: activate, at: 2026-01-05}", "/at: 2026-01-05 is past: it is 2026-01-15 already"),
        ("{wait: 2026-01-14}", "/wait: 2026-01-14 is past: it is 2026-01-15 already"),
    ],
)
def test_a_day_that_is_past_is_told_and_not_taken_for_today(step: str, told: str) -> None:
    text = """{scenarios: [{scenario: It begins, given: [{start: objective, as: sam:sponsor,
      data: {title: A}}], when: STEP, then: {state: active}}]}""".replace("STEP", step)
    simple = Published([(load_definition(SIMPLE, "simple.yaml"), SIMPLE)])
    (result,) = run(*load_scenarios(text, "x.yaml"), simple)
    assert told in result.failure


def test_a_scenario_begins_on_a_day() -> None:
    text = "scenarios: [{scenario: A, today: soon, when: {do: b}, then: {state: c}}]"
    with pytest.raises(BadInput, match=r"x.yaml:1:13.*today: 'soon' is not a date"):
        load_scenarios(text, "x.yaml")


def test_the_scenarios_in_the_guide_hold() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (text,) = [block for block in blocks if "\nworkflow: waiver\n" in block and "\nkey: " in block]
    waiver = Published([(load_definition(text, "waiver.yaml"), text)])
    told = [
        result.failure
        for block in blocks
        if block.startswith("scenarios:")
        for result in run(*load_scenarios(block, "guide"), waiver)
    ]
    assert told == ["", "", "", ""]


KETTLE = """\
workflow: kettle
version: 1
title: Kettle
key: KET
roles: {cook: , owner: }
data:
  note: {type: text}
  litres: {type: number}
states:
  cold:
    initial: true
    deadline: {within: 4 days, remind: [50%], then: boil, later: [{at: 150%, then: scrap}]}
  hot: {final: true}
  scrapped: {final: true}
transitions:
  - trigger: boil
    from: cold
    to: hot
    by: [cook, timer]
    needs: litres
    evidence: {kind: tap, newer_than: 1 day}
    should: {needs: note}
    override: {by: owner, of: evidence}
  - {trigger: scrap, from: cold, to: scrapped, by: timer, when: data.litres > 9}
  - {trigger: scrap, from: cold, to: scrapped, by: timer}
"""
OVERRIDE = "do: boil, as: 'ann:cook,owner', override: true, reason: Hurry., data: {litres: 2}"
BOIL = "do: boil, as: 'ann:cook', data: {litres: 2}, evidence: [{kind: tap, as_of: 2026-01-15}]"


def played(*scenarios: str) -> list[str]:
    return [result.failure for result in results(*scenarios)]


def results(*scenarios: str):
    lines = [
        f"  - {{scenario: Number {n}, given: [{{start: kettle}}], {said}}}"
        for n, said in enumerate(scenarios)
    ]
    file, source = load_scenarios("scenarios:\n" + "\n".join(lines), "kettle.scenarios.yaml")
    kettle = load_definition(KETTLE, "kettle.yaml")
    return [*run(file, source, Published([(kettle, KETTLE)]))]


def test_several_attempts_are_refused_from_one_place() -> None:
    said = """refuses: [{do: boil, as: 'eve:visitor', because: [needs cook, litres is missing]},
      {do: boil, as: 'ann:cook', data: {litres: 2}, because: needs a tap}]"""
    assert played(said.replace("\n", "")) == [""]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"refuses: [{{do: boil, because: needs cook}}, {{{BOIL}, because: needs}}]",
         "refuses, attempt 2: was accepted (KettleHot), should have been refused"),
        ("refuses: [{do: boil, as: 'ann:cook', because: needs cook}]",
         "refuses, attempt 1: refused, but not for: needs cook"),
        ("refuses: [{do: boil, data: {litres: many}, because: litres}]",
         "refuses, attempt 1: /data/litres"),
        (f"when: {{{BOIL}}}, then: {{warned: litres}}",
         "warned is needs: needs more: note is missing, should contain: litres"),
        (f"when: {{{BOIL}}}, then: {{warned: []}}",
         "warned is needs: needs more: note is missing, should be nothing"),
        (f"when: {{{BOIL}}}, then: {{overridden: tap}}",
         "overridden is nothing, should contain: tap"),
        (f"when: {{{OVERRIDE}}}, then: {{overridden: []}}",
         "overridden is evidence tap: needs a tap as evidence, should be nothing"),
    ],
)  # fmt: skip
def test_a_wrong_expectation_of_refusals_warnings_and_overrides_is_told(
    said: str, told: str
) -> None:
    (failure,) = played(said)
    assert failure.startswith(told)


def test_warnings_and_overrides_can_be_expected() -> None:
    assert played(
        f"when: {{{BOIL}}}, then: {{state: hot, warned: note is missing, overridden: []}}",
        f"when: {{{OVERRIDE}}}, then: {{warned: [note], overridden: needs a tap}}",
    ) == ["", ""]


@pytest.mark.parametrize(
    "said",
    [
        "when: {do: boil}",
        "then: {}",
        "given: []",
        "when: {do: boil}, then: {}, refuses: [{do: boil, because: a}]",
    ],
)
def test_a_scenario_is_about_one_step_or_about_refusals(said: str) -> None:
    with pytest.raises(
        BadInput, match=r"x.yaml:1:\d+: needs either `when` and `then`, or `refuses`"
    ):
        load_scenarios(f"{{scenarios: [{{scenario: Odd, {said}}}]}}", "x.yaml")


def test_what_no_scenario_shows_is_told_guard_by_guard() -> None:
    kettle = load_definition(KETTLE, "kettle.yaml")
    nothing = results("when: {do: boil, as: 'eve:visitor'}, then: {refused: by}")
    assert unrefused(kettle, nothing) == [
        "boil: evidence tap, older than",
        "boil: override, may override",
        "boil: override, says why",
        "scrap (1 of 2): by",
        "scrap (2 of 2): by",
    ]  # whether there are more than nine litres stops nobody: another way asks for less
    assert unwarned(kettle, nothing) == ["boil: needs", "boil: evidence tap, overridden"]
    assert unfired(kettle, nothing) == [
        "cold: a reminder at 50% of 4 days",
        "cold: boil at 100% of 4 days",
        "cold: scrap at 150% of 4 days",
    ]
    assert untouched(kettle, nothing) == [
        "cold -boil-> hot",
        "cold -scrap-> scrapped",
        "cold -scrap-> scrapped",
    ]


def test_what_some_scenario_shows_is_not_told_any_more() -> None:
    kettle = load_definition(KETTLE, "kettle.yaml")
    shown = results(
        "when: {wait: 2026-01-17}, then: {emits: DeadlineReminded}",
        "when: {wait: 2026-01-20}, then: {refused: litres is missing}",
        f"when: {{{BOIL}}}, then: {{warned: note}}",
        "refuses: [{do: scrap, because: by}, {do: boil, override: true, because: may override}]",
    )
    assert unfired(kettle, shown) == [
        "cold: boil at 100% of 4 days",
        "cold: scrap at 150% of 4 days",
    ]
    assert unwarned(kettle, shown) == ["boil: evidence tap, overridden"]
    assert unrefused(kettle, shown) == ["boil: evidence tap, older than"]


def test_two_scenarios_of_one_name_are_told() -> None:
    asked = "{do: submit, as: pat:requester}"
    one = f"  - scenario: it starts\n    when: {asked}\n    then: {{state: draft}}\n"
    with pytest.raises(BadInput) as caught:
        load_scenarios(f"scenarios:\n{one}{one}", "x.scenarios.yaml")
    (problem,) = caught.value.problems
    assert problem.where.startswith("x.scenarios.yaml:5:")
    assert problem.what == "another scenario is called 'it starts', too: in line 2"
