"""In a scenario reactions run after each step, and what they make of it can be told."""

from __future__ import annotations

import pytest

from engine.loading import load_definition
from engine.scenarios.scenario import load_scenarios
from engine.scenarios.stage import Published, run
from tests.consumers.conftest import DECISION, PLAN
from tests.consumers.test_reactions import PING

GIVEN = """
scenarios:
  - scenario: An approved change of schedule issues a baseline
    given:
      - {start: plan}
      - {start: decision, data: {title: Later, amount: 1m}}
    when: {do: approve, data: {plan: PLAN-0001, category: schedule}}
"""


def played(then: str, given: str = GIVEN) -> str:
    file, source = load_scenarios(f"{given}    then: {then}\n", "s.yaml")
    texts = [PLAN, DECISION]
    texts += [
        PING.format(name="ping", key="PING", other="pong", emits="Ping"),
        PING.format(name="pong", key="PONG", other="ping", emits="Pong"),
    ]
    definitions = [(load_definition(text, "d.yaml"), text) for text in texts]
    (result,) = run(file, source, Published(definitions))
    return result.failure


def test_what_reactions_make_of_a_step_is_seen_in_the_other_case():
    also = "{case: PLAN-0001, state: baselined, emits: BaselineIssued, data: {decision: DEC-0001}}"
    assert played(f"{{state: approved, emits: DecisionTaken, also: {also}}}") == ""
    assert played(f"{{also: [{also}]}}") == ""


@pytest.mark.parametrize(
    ("also", "told"),
    [
        ("{case: PLAN-0001, state: draft}", "state is 'baselined', should be 'draft'"),
        ("{case: PLAN-0001, emits: PlanStarted}", "emits BaselineIssued, should emit PlanStarted"),
        ("{case: PLAN-0001, data: {decision: X}}", "data.decision is 'DEC-0001', should be 'X'"),
        ("{case: PLAN-0001, data: {wish: X}}", "no field 'wish'"),
        ("{case: PLAN-0002, state: draft}", "there is no case 'PLAN-0002'"),
    ],
)
def test_a_wrong_expectation_of_another_case_is_told(also, told):
    assert told in played(f"{{state: approved, also: {also}}}")


def test_a_refused_step_makes_nothing_of_the_other_case():
    refused = GIVEN.replace("do: approve", "do: close")
    assert played("{refused: from, also: {case: PLAN-0001, state: draft}}", refused) == ""
    told = played("{refused: from, also: {case: PLAN-0001, state: baselined}}", refused)
    assert "should be 'baselined'" in told


def test_a_reaction_that_comes_to_nothing_fails_a_scenario_that_does_not_expect_it():
    closed = GIVEN.replace("{start: plan}", "{start: plan}\n      - {do: close}")
    assert "a reaction came to nothing: issue-baseline PLAN-0001" in played("{}", closed)
    assert played("{incident: which has no issue-baseline}", closed) == ""
    assert "a reaction came to nothing" in played("{incident: something else}", closed)
    assert played("{incident: which has no issue-baseline}") == (
        "no reaction came to nothing for: which has no issue-baseline"
    )


def test_a_loop_ends_in_a_scenario_too():
    loop = """
scenarios:
  - scenario: Two that hit back
    given:
      - {start: ping}
      - {start: pong}
      - {do: aim, case: PING-0001, data: {other: PONG-0001}}
      - {do: aim, case: PONG-0001, data: {other: PING-0001}}
    when: {do: hit, case: PING-0001}
"""
    assert played("{incident: 16 reactions have followed from each other}", loop) == ""
